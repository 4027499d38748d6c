"""A model for tests that is made in a second without torch: the next token depends on the last.

One layer that adds nothing, embeddings that are unit vectors, and a projection that holds the
logarithms of how often a token follows another in gcc's own assembly. Its lines look like assembly;
labels, operands and all that needs memory are wrong often enough for everything to be tried.
"""

from __future__ import annotations

import itertools
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from gccllm.process import run
from gccllm.proposers.weights import Weights, seal
from trainer.pairs import ANSWER, END, KEEP, PAD
from trainer.tokenizer import build

EXAMPLES = Path(__file__).parents[1] / "examples"
PROMPT = """<|isa|>x86-64
<|live_in|>%rax:32 %rdi:64
<|live_out|>X0 %rax:32
<|free|>%rcx %rdx
<|region|>
L0:
\taddl\t$1, %eax
\tsubq\t$1, %rdi
\tjne\tL0
<|/region|>
"""


def make(folder: Path, *, kept: float = 0.3) -> Weights:
    """Write the model into the new folder ``folder``; ``kept``: how likely it says ``keep``."""
    import ctranslate2
    import numpy as np
    from ctranslate2.specs import common_spec, transformer_spec

    texts = _texts()
    tokenizer: Any = build(texts, 512)
    size = tokenizer.get_vocab_size()
    counts = np.full((size, size), 0.002, dtype=np.float32)
    for text in texts:
        ids = tokenizer.encode(f"{ANSWER}{text}{END}").ids
        for one, following in itertools.pairwise(ids):
            counts[following, one] += 1
    answer, keep, end = (tokenizer.token_to_id(x) for x in (ANSWER, KEEP, END))
    counts[end, keep] = 1000.0
    counts[keep, answer] = counts[:, answer].sum() * kept / (1 - kept)
    logits = np.log(counts / counts.sum(axis=0))

    spec = transformer_spec.TransformerDecoderModelSpec.from_config(
        1, 1, activation=common_spec.Activation.SWISH, pre_norm=True, ffn_glu=True,
        rms_norm=True, rotary_dim=2, rotary_interleave=False,
    )  # fmt: skip
    zeros = np.zeros((size, size), dtype=np.float32)
    ones = np.ones(size, dtype=np.float32)
    decoder, layer = spec.decoder, spec.decoder.layer[0]
    decoder.scale_embeddings = False
    decoder.embeddings.weight = np.eye(size, dtype=np.float32)
    # a unit vector's root mean square is 1 / √size
    decoder.projection.weight = (logits / np.sqrt(size)).astype(np.float32)
    layer.self_attention.linear[0].weight = np.zeros((3 * size, size), dtype=np.float32)
    for linear in (layer.self_attention.linear[1], layer.ffn.linear_0, layer.ffn.linear_1):
        linear.weight = zeros
    layer.ffn.linear_0_noact.weight = zeros
    for norm in (decoder.layer_norm, layer.self_attention.layer_norm, layer.ffn.layer_norm):
        norm.gamma = ones
    spec.register_vocabulary([tokenizer.id_to_token(x) for x in range(size)])
    spec.config.bos_token = spec.config.unk_token = PAD
    spec.config.eos_token = END
    spec.validate()
    assert ctranslate2.__version__
    folder.mkdir(parents=True)
    spec.save(str(folder))
    tokenizer.save(str(folder / "tokenizer.json"))
    assert json.loads((folder / "config.json").read_text())["eos_token"] == END
    return seal(folder, "tiny", {})


@cache
def _texts() -> list[str]:
    """Pieces of gcc's assembly of the examples, six lines each, labels as in answers."""
    found = []
    for source in sorted(EXAMPLES.glob("*.c"))[:8]:
        made = run(["gcc", "-S", "-O3", "-w", "-o", "-", str(source)], timeout=60)
        assert made.ok, made.error_line()
        lines = [
            re.sub(r"\.L(\d+)", lambda x: f"L{int(x[1]) % 4}", x)
            for x in made.stdout.decode().splitlines()
            if re.match(r"\t[a-z]|\.L\d+:", x) and not re.search(r"\b(?:call|ret|push|pop)", x)
        ]
        found += ["".join(f"{x}\n" for x in lines[i : i + 6]) for i in range(0, len(lines), 6)]
    return found
