"""What a run's folder holds, gathered for a page: figures by step, answers, measured programs.

Three kinds of folder are read, and whatever is there of them: a training run of ``gccllm-train
ppo`` or ``ppo-programs`` (metrics.jsonl, samples/), one of ``sft`` (metrics.jsonl alone), and an
evaluation by ``eval-programs`` (results.json, programs.jsonl, assembly/).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gccllm.errors import UsageError
from gccllm.prompts import Malformed, parse_answer
from trainer.metrics import FILE, read_metrics
from trainer.programs.tables import BASELINE
from trainer.report.kinds import rewrite_kinds

__all__ = ["Rewrite", "RunData", "gather"]

REGION, REGION_END = "<|region|>", "<|/region|>"
FENCE = "```assembly\n"
MOST_REWRITES = 200
RIGHT = frozenset({"accepted", "not-faster", "suspicious"})


@dataclass(frozen=True)
class Rewrite:
    """An answer beside what it was to replace. ``origin`` tells where it comes from ("held out,
    step 40"); ``speedup`` is 0 where it was not right or not measured; ``kinds`` is empty for what
    is wrong."""

    program: str
    origin: str
    verdict: str
    reward: float | None
    speedup: float
    before: str
    after: str
    kinds: tuple[str, ...] = ()


@dataclass
class RunData:
    """All that the page shows. ``cost`` is label → figure, ready to be read; ``verdicts`` counts
    the answers of training."""

    name: str
    settings: dict[str, str] = field(default_factory=dict)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    rewrites: list[Rewrite] = field(default_factory=list)
    speedups: dict[str, list[float]] = field(default_factory=dict)
    verdicts: Counter[str] = field(default_factory=Counter)
    evaluation: dict[str, Any] | None = None
    cost: dict[str, str] = field(default_factory=dict)

    @property
    def kinds(self) -> Counter[str]:
        """How many right rewrites are of each kind."""
        return Counter(kind for x in self.rewrites for kind in x.kinds)


def gather(run: Path) -> RunData:
    """Read ``run``. Raises UsageError where there is nothing to be shown, or it is damaged."""
    found = RunData(run.resolve().name)
    try:
        _training(run, found)
        _evaluation(run, found)
    except (ValueError, LookupError, TypeError) as error:
        raise UsageError(f"{run} is damaged: {type(error).__name__}: {error}") from error
    if not found.metrics and found.evaluation is None:
        raise UsageError(f"{run} holds neither a training run nor an evaluation of programs")
    return found


def _training(run: Path, found: RunData) -> None:
    if (run / FILE).exists():
        found.metrics = read_metrics(run / FILE)
    if (run / "run.json").exists():
        _flatten(json.loads((run / "run.json").read_text()), found.settings)
    prompts = _prompts(run)
    held = _steps(run / "samples" / "held")
    train = _steps(run / "samples" / "train")
    best: dict[str, Rewrite] = {}
    if held:
        step, path = max(held.items())
        last = [x for x in read_metrics(path) if str(x["gts"]).startswith("greedy")]
        for sample in last:
            rewrite = _rewrite(sample, prompts, f"held out, step {step}")
            best.setdefault(f"held {rewrite.program}", rewrite)
        found.speedups[f"held out, greedy, step {step}"] = [_shipped(x) for x in last]
    for step, path in train.items():
        for sample in read_metrics(path):
            found.verdicts[str(sample["verdict"])] += 1
            key = f"train {_asked(sample)}"
            known = best.get(key)
            if sample["verdict"] in RIGHT and (
                known is None or float(sample["speedup"]) > known.speedup
            ):
                best[key] = _rewrite(sample, prompts, f"training, step {step}")
    found.rewrites += sorted(best.values(), key=lambda x: -x.speedup)[:MOST_REWRITES]
    if found.metrics:
        found.cost |= _cost(found.metrics, found.verdicts)


def _evaluation(run: Path, found: RunData) -> None:
    if not (run / "results.json").exists() or not (run / "programs.jsonl").exists():
        return
    results = json.loads((run / "results.json").read_text())
    found.evaluation = results
    _flatten(results["settings"], found.settings)
    entries = {x["key"]: x for x in read_metrics(run / "programs.jsonl")}
    for system, content in results["systems"].items():
        found.cost[f"{system}: seconds of asking and judging"] = f"{content['seconds']:,.0f}"
        for protocol in results["control"]:
            own = {
                x["program"]: float(x["speedup"])
                for x in results["lines"]
                if (x["system"], x["protocol"]) == (system, protocol)
            }
            found.speedups[f"{system}, {protocol}"] = list(own.values())
        for program in results["programs"]:
            entry = entries.get(f"{program} {system}")
            if entry is not None and entry["best"] >= 0:
                found.rewrites += _measured(run / "assembly" / program, program, system, entry)


def _measured(
    folder: Path, program: str, system: str, entry: Mapping[str, Any]
) -> Iterator[Rewrite]:
    index = entry["best"]
    before = folder / f"{BASELINE}.s"
    after = folder / f"{system.replace('/', '_')}-{index}.s"
    if not (before.exists() and after.exists()):
        return  # it left the program as it was
    measured = entry["measured"][str(index)]
    protocol = "honest" if "honest" in measured else next(iter(measured))
    texts = [x.read_text(encoding="utf-8", errors="replace") for x in (before, after)]
    verdict = entry["answers"][index]["verdict"]
    if measured[protocol]["faster"]:
        verdict = f"faster ({protocol})"
    yield Rewrite(
        program,
        system,
        verdict,
        None,
        float(measured[protocol]["speedup"]),
        texts[0],
        texts[1],
        rewrite_kinds(texts[0], texts[1]),
    )


def _rewrite(sample: Mapping[str, Any], prompts: Mapping[str, str], origin: str) -> Rewrite:
    name = _asked(sample)
    before, after = _both(prompts.get(name, str(sample["input"])), str(sample["output"]))
    right = sample["verdict"] in RIGHT
    return Rewrite(
        name,
        origin,
        str(sample["verdict"]),
        float(sample["score"]),
        float(sample["speedup"]),
        before,
        after,
        rewrite_kinds(before, after) if right else (),
    )


def _both(prompt: str, output: str) -> tuple[str, str]:
    """gcc's lines of a prompt about a region or a program, and the answer's."""
    if REGION in prompt:
        region = prompt.split(REGION, 1)[1].split(REGION_END, 1)[0]
        return region.strip("\n"), output.strip("\n")
    if FENCE in prompt:
        baseline = prompt.split(FENCE, 1)[1].split("\n```", 1)[0]
    else:
        baseline = "(not shown to the model)"
    parsed = parse_answer(output)
    return baseline, output if isinstance(parsed, Malformed) else parsed


def _prompts(run: Path) -> dict[str, str]:
    """Question → prompt, of the rows that verl read; samples have lost their special tokens."""
    found: dict[str, str] = {}
    for path in (run / "verl" / "train.parquet", run / "verl" / "held.parquet"):
        if path.exists():
            import pyarrow.parquet as pq

            for row in pq.read_table(path, columns=["prompt", "reward_model"]).to_pylist():
                name = str(row["reward_model"]["ground_truth"]).split(" ", 1)[-1]
                found[name] = str(row["prompt"][0]["content"])
    return found


def _asked(sample: Mapping[str, Any]) -> str:
    return str(sample["gts"]).split(" ", 1)[-1]


def _shipped(sample: Mapping[str, Any]) -> float:
    """What is wrong or slower ships the baseline."""
    return max(1.0, float(sample["speedup"]))


def _steps(folder: Path) -> dict[int, Path]:
    files = folder.glob("*.jsonl") if folder.is_dir() else ()
    return dict(sorted((int(x.stem), x) for x in files if x.stem.isdigit()))


def _cost(metrics: Iterable[Mapping[str, Any]], verdicts: Counter[str]) -> dict[str, str]:
    rows = [x for x in metrics if x["kind"] == "train"]
    names = {
        "seconds": "hours of all steps",
        "seconds_sampling": "hours of sampling",
        "seconds_actor": "hours of updating the model",
        "seconds_critic": "hours of updating the critic",
        "seconds_held_out": "hours of looking at held-out programs",
    }
    found = {"steps": f"{len(rows):,}"}
    for name, label in names.items():
        total = sum(float(x.get(name, 0.0)) for x in rows)
        if total:
            found[label] = f"{total / 3600:.2f}"
    tokens = max((int(x.get("tokens", 0)) for x in rows), default=0)
    if tokens:
        found["tokens"] = f"{tokens:,}"
    if verdicts:
        found["answers judged in training"] = f"{sum(verdicts.values()):,}"
        known = [float(x["cached"]) for x in rows if "cached" in x]
        found["of them known before"] = f"{sum(known) / max(1, len(known)):.0%}"
    return found


def _flatten(content: Mapping[str, Any], into: dict[str, str], prefix: str = "") -> None:
    """Settings as lines; long lists by their length."""
    for name, value in content.items():
        if isinstance(value, str) and value.startswith("{"):
            value = json.loads(value)
        if isinstance(value, Mapping):
            _flatten(value, into, f"{prefix}{name}.")
        elif isinstance(value, list) and len(str(value)) > 200:
            into[f"{prefix}{name}"] = f"{len(value)} of them"
        else:
            into[f"{prefix}{name}"] = str(value)
