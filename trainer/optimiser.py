"""Muon for the matrices inside the layers, AdamW for everything else, stepped as one.

Muon (Jordan et al. 2024; ``torch.optim.Muon``) makes each update of a matrix orthogonal. Embeddings
and vectors are not maps between hidden states and stay with AdamW. ``match_rms_adamw`` (Liu et al.
2025, "Muon is scalable for LLM training") scales the updates as large as AdamW's, so that one
learning rate serves both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["Optimiser"]

_BETAS = (0.9, 0.95)


class Optimiser:
    """Of all of ``model``'s weights. ``weight_decay`` is for the matrices; embeddings and vectors
    (norms, biases) are not decayed."""

    def __init__(self, model: Any, *, weight_decay: float) -> None:
        import torch

        named = list(model.named_parameters())
        inner = [x for name, x in named if x.ndim == 2 and "embed" not in name]
        others = [x for name, x in named if x.ndim != 2 or "embed" in name]
        self._parts = (
            torch.optim.Muon(inner, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, weight_decay=0.0, betas=_BETAS, fused=True),
        )

    def step(self, rate: float) -> None:
        """One step at this learning rate; the gradients are forgotten."""
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = rate
            part.step()
            part.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        return {str(i): x.state_dict() for i, x in enumerate(self._parts)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for i, part in enumerate(self._parts):
            part.load_state_dict(state[str(i)])
