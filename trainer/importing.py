"""The way back from :mod:`trainer.export`: a CTranslate2 folder as a model that can be trained on.

What ships is int8, so that is what comes back: each row of a matrix is its integers over the row's
scale. Exporting it again gives the same integers, because the largest of a row was ±127 and is so
again. The file's layout is that of ``ModelSpec._serialize`` in ctranslate2/specs/model_spec.py
(binary version 6); CTranslate2 itself only reads it into a running model.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gccllm.errors import UsageError
from trainer import tokenizer as tokenizers
from trainer.model import create, save_model, size_of

if TYPE_CHECKING:
    import numpy as np

__all__ = ["import_model", "read_variables"]

_BINARY_VERSION = 6
_TYPES = ("float32", "int8", "int16", "int32", "float16")
"""by number; bfloat16 comes next, which numpy has not and no export of ours writes"""


def import_model(exported: Path, out: Path, size: str = "mini") -> None:
    """Write the weights of the CTranslate2 folder ``exported`` as a Hugging Face folder, in fp32.

    Raises UsageError where it is no export of a model of that ``size``, or ``out`` can't be
    written.
    """
    import torch

    tokenizer = tokenizers.load(exported)
    variables = read_variables(exported / "model.bin")
    model = create(size_of(size), tokenizer)
    shape = model.config
    queries = shape.hidden_size
    keys = queries // shape.num_attention_heads * shape.num_key_value_heads
    weights: dict[str, np.ndarray[Any, Any]] = {}
    try:
        weights["model.embed_tokens.weight"] = _matrix(variables, "decoder/embeddings")
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
        weights["model.norm.weight"] = variables["decoder/layer_norm/gamma"]
        for number in range(shape.num_hidden_layers):
            here, there = f"decoder/layer_{number}", f"model.layers.{number}"
            together = _matrix(variables, f"{here}/self_attention/linear_0")
            for name, first, last in (
                ("q", 0, queries),
                ("k", queries, queries + keys),
                ("v", queries + keys, queries + 2 * keys),
            ):
                weights[f"{there}.self_attn.{name}_proj.weight"] = together[first:last]
            for name, kept in (
                ("self_attn.o_proj", "self_attention/linear_1"),
                ("mlp.gate_proj", "ffn/linear_0"),
                ("mlp.up_proj", "ffn/linear_0_noact"),
                ("mlp.down_proj", "ffn/linear_1"),
            ):
                weights[f"{there}.{name}.weight"] = _matrix(variables, f"{here}/{kept}")
            for name, kept in (
                ("input_layernorm", "self_attention/layer_norm"),
                ("post_attention_layernorm", "ffn/layer_norm"),
            ):
                weights[f"{there}.{name}.weight"] = variables[f"{here}/{kept}/gamma"]
        # Copies: slices and what was read are not writable, and tensors have to be.
        model.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in weights.items()})
    except (KeyError, RuntimeError) as error:
        why = str(error).splitlines()[0]
        raise UsageError(f"{exported} is no export of a model of size {size}: {why}") from error
    if f"decoder/layer_{shape.num_hidden_layers}/ffn/layer_norm/gamma" in variables:
        raise UsageError(f"{exported} is no export of a model of size {size}: it has more layers")
    save_model(model, tokenizer, out)


def read_variables(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """The variables of a CTranslate2 ``model.bin`` by name, as they are stored.

    Raises UsageError for a file that can't be read, or is cut off or of another version.
    """
    import numpy as np

    found: dict[str, np.ndarray[Any, Any]] = {}
    try:
        with path.open("rb") as file:

            def number(kind: str) -> int:
                return int(struct.unpack(f"<{kind}", file.read(struct.calcsize(kind)))[0])

            def text() -> str:
                return file.read(number("H"))[:-1].decode()

            if number("I") != _BINARY_VERSION:
                raise ValueError("another version of the format")
            text(), number("I")  # what kind of model, and its revision
            for _ in range(number("I")):
                name = text()
                shape = [number("I") for _ in range(number("B"))]
                kind = np.dtype(_TYPES[number("B")]).newbyteorder("<")
                data = file.read(number("I"))
                found[name] = np.frombuffer(data, kind).reshape(shape)
    except (OSError, ValueError, IndexError, struct.error) as error:
        raise UsageError(f"{path} is no model of CTranslate2's: {error}") from error
    return found


def _matrix(variables: dict[str, np.ndarray[Any, Any]], name: str) -> np.ndarray[Any, Any]:
    """float32, whether its rows were quantised or not."""
    weight: np.ndarray[Any, Any] = variables[f"{name}/weight"].astype("float32")
    scale = variables.get(f"{name}/weight_scale")
    return weight if scale is None else weight / scale[:, None]
