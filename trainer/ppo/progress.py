"""What a run shows while it goes: metrics.jsonl, TensorBoard, a picture, and lines for a person.

verl writes each answer with what it earned (samples/train/STEP.jsonl, samples/held/STEP.jsonl) and
its own figures a step. The figures here are made of the answers themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from trainer.folders import replace_file
from trainer.metrics import FILE, Metrics, read_metrics
from trainer.plots import smoothed
from trainer.ppo.config import Paths

__all__ = ["Follower", "figures", "ppo_curve"]

_OWN = {
    "actor/entropy": "entropy",
    "actor/pg_loss": "policy_loss",
    "actor/grad_norm": "actor_norm",
    "actor/ppo_kl": "moved",
    "actor/pg_clipfrac": "clipped",
    "actor/reward_kl_penalty": "kl",
    "critic/vf_loss": "critic_loss",
    "critic/vf_explained_var": "explained",
    "critic/advantages/max": "advantage_max",
    "response_length/mean": "tokens_an_answer",
    "response_length/clip_ratio": "cut",
    "timing_s/step": "seconds",
    "timing_s/gen": "seconds_sampling_and_reward",
    "timing_s/agent_loop/generate_sequences/max": "seconds_sampling",
    "timing_s/old_log_prob": "seconds_log_probs",
    "timing_s/values": "seconds_values",
    "timing_s/update_actor": "seconds_actor",
    "timing_s/update_critic": "seconds_critic",
    "timing_s/testing": "seconds_held_out",
}
"""verl's names → ours, where they are worth keeping"""


def figures(samples: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Means over answers: ``reward``, ``well_formed``, ``assembled``, ``correct`` (all shares),
    ``kept`` (left as it is), ``changed_correct`` (right and not left, of all), ``faster`` (right
    and at least 1.05 times as fast), ``speedup`` (geometric mean of what ships: a wrong or slower
    answer ships the baseline), ``cached``. Empty for no answers."""
    rows = list(samples)
    if not rows:
        return {}

    def mean(values: Iterable[float]) -> float:
        found = list(values)
        return sum(found) / len(found)

    kept = [x["verdict"] == "unchanged" for x in rows]
    return {
        "reward": mean(float(x["score"]) for x in rows),
        "well_formed": mean(float(x["well_formed"]) for x in rows),
        "assembled": mean(float(x["assembled"]) for x in rows),
        "correct": mean(float(x["correct"]) for x in rows),
        "kept": mean(float(x) for x in kept),
        "changed_correct": mean(
            float(x["correct"]) * (not k) for x, k in zip(rows, kept, strict=True)
        ),
        "faster": mean(float(x["speedup"] >= 1.05) for x in rows),
        "speedup": math.exp(mean(math.log(max(1.0, float(x["speedup"]))) for x in rows)),
        "unjudged": mean(float(x["verdict"] == "unjudged") for x in rows),
        "cached": mean(float(x["cached"]) for x in rows),
    }


class Follower:
    """Reads what verl has written since the last look. A context manager.

    ``began`` is the step of the checkpoint that the run goes on from; figures of later steps, by a
    run that was killed, are dropped.
    """

    def __init__(self, paths: Paths, began: int, say: Callable[[str], None]) -> None:
        self._paths = paths
        self._say = say
        self._metrics = Metrics(paths.out, began)
        known = read_metrics(paths.out / FILE)
        self._tokens = max((int(x["tokens"]) for x in known), default=0)
        self._last = max((int(x["step"]) for x in known), default=-1)
        self._began = began
        self._seen = 0

    def __enter__(self) -> Follower:
        self._metrics.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._metrics.__exit__(kind, error, trace)

    def begin(self) -> None:
        """Take over what a run that was killed had written of steps that its checkpoint has, and
        make room for a new one's."""
        for row in self._written():
            if self._last < int(row["step"]) <= self._began:
                self._step(int(row["step"]), row["data"])
        self._paths.verl_metrics.unlink(missing_ok=True)

    def look(self, ended: bool) -> None:
        """Take over every step that verl has finished meanwhile, or all that is there when it has
        ``ended``. verl writes answers beside its work, perhaps behind the figures of their step."""
        written = self._written()
        for number, row in enumerate(written[self._seen :], self._seen + 1):
            if not ended and (number == len(written) or not self._answered(row)):
                break
            self._seen += 1
            self._step(int(row["step"]), row["data"])
        if self._changed and self._seen >= len(written) - 1:
            ppo_curve(self._paths.out / FILE, self._paths.out / "curve.png")
            self._changed = False

    def _written(self) -> list[dict[str, Any]]:
        return _samples(self._paths.verl_metrics)

    def _answered(self, row: Mapping[str, Any]) -> bool:
        """Whether the answers of a step are there, to the end of a line."""
        own, name = row["data"], f"{row['step']}.jsonl"
        wanted = [self._paths.train_samples / name] * ("training/global_step" in own)
        wanted += [self._paths.held_samples / name] * any(x.startswith("val-") for x in own)
        return all(x.exists() and x.read_bytes().endswith(b"\n") for x in wanted)

    _changed = False

    def _step(self, step: int, own: Mapping[str, Any]) -> None:
        self._tokens += int(own.get("perf/total_num_tokens", 0))
        if "training/global_step" in own:
            row = figures(_samples(self._paths.train_samples / f"{step}.jsonl"))
            row |= {ours: float(own[name]) for name, ours in _OWN.items() if name in own}
            self._metrics.add("train", step, self._tokens, row)
            self._say(
                f"step {step}: reward {row.get('reward', 0):.3f}, right "
                f"{row.get('correct', 0):.0%}, faster {row.get('faster', 0):.0%}, "
                f"{row.get('seconds', 0):.1f} s"
            )
        held = _samples(self._paths.held_samples / f"{step}.jsonl")
        if held and any(x.startswith("val-") for x in own):
            for source in ("greedy", "sampled"):
                chosen = [x for x in held if _source(x) == source]
                row = figures(chosen)
                if row:
                    self._metrics.add(f"held-{source}", step, self._tokens, row)
                    self._say(
                        f"  held out, {source}: reward {row['reward']:.3f}, right "
                        f"{row['correct']:.0%}, faster {row['faster']:.0%}, "
                        f"speedup {row['speedup']:.3f}"
                    )
            self._changed = True


def ppo_curve(metrics: Path, picture: Path) -> None:
    """Reward, shares of answers, and speedup over steps, from a metrics file into a PNG."""
    from matplotlib.figure import Figure

    rows = read_metrics(metrics)
    figure = Figure(figsize=(12, 7), layout="constrained")
    panels = figure.subplots(2, 2)
    shown = (
        ("reward", "reward"),
        ("well_formed", "well-formed answers"),
        ("correct", "right answers (line), changed ones (dots)"),
        ("speedup", "speedup of what ships (geometric mean)"),
    )
    for axes, (name, label) in zip(panels.flat, shown, strict=True):
        for kind, colour in (("train", "0.6"), ("held-greedy", "C0"), ("held-sampled", "C1")):
            own = [x for x in rows if x["kind"] == kind and name in x]
            if not own:
                continue
            steps = [x["step"] for x in own]
            values = [x[name] for x in own]
            if kind == "train":
                axes.plot(steps, smoothed(values), color=colour, label="training (smoothed)")
            else:
                axes.plot(
                    steps, values, color=colour, marker=".", label=kind.replace("-", " out, ")
                )
            if name == "correct":
                axes.plot(steps, [x["changed_correct"] for x in own], ":", color=colour)
        axes.set(xlabel="step", ylabel=label)
        axes.grid(alpha=0.3)
        if axes.has_data():
            axes.legend()
    replace_file(picture, lambda part: figure.savefig(part, format="png", dpi=120))


def _samples(path: Path) -> list[dict[str, Any]]:
    return read_metrics(path) if path.exists() else []


def _source(sample: Mapping[str, Any]) -> str:
    return str(sample["gts"]).split(" ", 1)[0]
