"""Pictures of a training run."""

from __future__ import annotations

from pathlib import Path

from trainer.folders import replace_file
from trainer.metrics import read_metrics

__all__ = ["learning_curve", "smoothed"]

_SMOOTH = 0.9


def learning_curve(metrics: Path, picture: Path) -> None:
    """Loss and exact answers over tokens, from a metrics file into a PNG.

    Raises UsageError if there is no such metrics file.
    """
    from matplotlib.figure import Figure

    rows = read_metrics(metrics)
    # Not pyplot: a figure that is only saved needs neither a display nor global state.
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for kind in dict.fromkeys(x["kind"] for x in rows):
        own = [x for x in rows if x["kind"] == kind]
        tokens = [x["tokens"] / 1e6 for x in own]
        losses = [x["loss"] for x in own]
        if kind == "train":
            left.plot(tokens, smoothed(losses), label="train (smoothed)", color="0.6")
        else:
            left.plot(tokens, losses, marker=".", label=kind)
            right.plot(tokens, [100 * x["exact"] for x in own], marker=".", label=kind)
    left.set(xlabel="million tokens", ylabel="loss (nats an answer token)")
    right.set(xlabel="million tokens", ylabel="exact answers (%)", ylim=(0, 100))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        if axes.has_data():
            axes.legend()
    replace_file(picture, lambda part: figure.savefig(part, format="png", dpi=120))


def smoothed(values: list[float]) -> list[float]:
    """The exponential moving average, without the pull of its start."""
    found: list[float] = []
    total = weight = 0.0
    for value in values:
        total = _SMOOTH * total + (1 - _SMOOTH) * value
        weight = _SMOOTH * weight + (1 - _SMOOTH)
        found.append(total / weight)
    return found
