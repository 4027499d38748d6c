"""Pictures of an evaluation: speedups of all programs in order, and the best of N."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from trainer.folders import replace_file

__all__ = ["draw_pictures"]


def draw_pictures(out: Path, results: Mapping[str, Any]) -> None:
    """``speedups.png`` and ``best-of-n.png``, a column a protocol."""
    from matplotlib.figure import Figure

    protocols = list(results["control"])
    speedups = Figure(figsize=(6 * len(protocols), 4), layout="constrained")
    curves = Figure(figsize=(6 * len(protocols), 4), layout="constrained")
    above = speedups.subplots(1, len(protocols), squeeze=False)[0]
    below = curves.subplots(1, len(protocols), squeeze=False)[0]
    for protocol, left, right in zip(protocols, above, below, strict=True):
        for name, system in results["systems"].items():
            curve = system["protocols"][protocol]["curve"]
            most = int(list(curve)[-1])
            own = [
                x
                for x in results["lines"]
                if (x["system"], x["protocol"]) == (name, protocol) and x["answers"] <= most
            ]
            last = {x["program"]: float(x["speedup"]) for x in own}
            left.plot(sorted(last.values()), marker=".", label=name)
            counts = [int(x) for x in curve]
            means = [s["average"]["value"] if s["average"] else 1.0 for s in curve.values()]
            right.plot(counts, means, marker=".", label=name)
        left.set(title=protocol, xlabel="programs, by speedup", ylabel="speedup", yscale="log")
        base = results["control"][protocol]["average"]
        if base:
            right.axhline(base["value"], linestyle=":", color="0.5", label="A/A")
        right.set(title=protocol, xlabel="answers", ylabel="average speedup, best of them")
        for axes in (left, right):
            axes.grid(alpha=0.3)
            if axes.has_data():
                axes.legend(fontsize="small")
    for figure, name in ((speedups, "speedups.png"), (curves, "best-of-n.png")):
        replace_file(out / name, partial(figure.savefig, format="png", dpi=110))
