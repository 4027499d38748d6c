"""Attention within the pairs of packed rows, a pair at a time, for CPUs.

With a mask over whole rows three quarters of the products are thrown away (rows hold three or four
pairs). transformers lets one put a function in the place of its own (docs, "Attention Interface");
without a mask function of the same name no mask is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["use_packed", "uses_packed"]

_NAME = "packed"


def use_packed(model: Any) -> None:
    """Have ``model`` attend by pairs; it then wants ``piece_sizes`` (:meth:`Batch.sizes`)."""
    from transformers import AttentionInterface

    AttentionInterface.register(_NAME, _packed)
    model.set_attn_implementation(_NAME)


def uses_packed(model: Any) -> bool:
    return bool(model.config._attn_implementation == _NAME)


def _packed(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: None,
    *,
    scaling: float,
    piece_sizes: Sequence[int],
    **unused: Any,
) -> tuple[Any, None]:
    """``query`` [R, H, T, D], ``key`` and ``value`` [R, H', T, D] → [R, T, H, D].

    ``piece_sizes`` add up to R × T. In fp32: torch's kernel for CPUs takes twice as long for the
    gradients of bf16.
    """
    import torch

    rows, heads, length, width = query.shape

    def cut(x: Any) -> Any:
        """All rows as one, in fp32, → [1, H, size, D] a piece."""
        whole = x.float().transpose(1, 2).reshape(1, rows * length, -1, width).transpose(1, 2)
        return whole.repeat_interleave(heads // whole.shape[1], dim=1).split(list(piece_sizes), 2)

    with torch.autocast(query.device.type, enabled=False):
        found = [
            torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scaling)
            for q, k, v in zip(cut(query), cut(key), cut(value), strict=True)
        ]
    return torch.cat(found, dim=2).transpose(1, 2).reshape(rows, length, heads, width), None
