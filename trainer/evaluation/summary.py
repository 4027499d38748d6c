"""From judged answers and reports to figures, each with its interval over programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from trainer.evaluation.intervals import Interval, geometric_mean_of, percentiles, rate

__all__ = ["ProductSummary", "RawSummary", "family_summary", "product_summary", "raw_summary"]

STAGES = ("well_formed", "assembles", "links", "passes", "equal", "correct", "faster")


@dataclass(frozen=True)
class RawSummary:
    """One system on one set of questions, at 1 or several samples.

    At several samples an answer is the best of them: a stage counts as reached when one sample's
    rewrite reaches it, and a question as kept when all samples keep.

    ``of_rewrites``: stage → share of the questions with a rewrite whose rewrite reaches it;
    ``improved``: correct and faster, of all questions; ``kept`` of all questions, and
    ``kept_rightly`` of those that the teacher leaves; ``exact`` the teacher's answer, of all, and
    ``exact_rewrites`` of those that it rewrites. ``compile_pass``, ``test_pass``, ``percentiles``
    and ``average_speedup`` are the paper's metrics (section 4, 'Metrics'): a question is a problem,
    what fails or is slower counts as 1.0, and so does what keeps gcc's code.
    """

    questions: int
    programs: int
    rewrites: int
    of_rewrites: Mapping[str, Interval | None]
    improved: Interval | None
    kept: Interval | None
    kept_rightly: Interval | None
    exact: Interval | None
    exact_rewrites: Interval | None
    compile_pass: Interval | None
    test_pass: Interval | None
    percentiles: tuple[float, float, float] | None
    average_speedup: Interval | None
    kinds: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class ProductSummary:
    """Programs built by gcc-llm with one choice of proposers. ``accepted``: share of programs with
    an accepted rewrite; ``control``: gcc's program against itself, where something was accepted."""

    programs: int
    accepted: Interval | None
    geometric_mean: Interval | None
    percentiles: tuple[float, float, float] | None
    average: Interval | None
    control: Interval | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


Question = Mapping[str, Any]
Sample = Mapping[str, Any]


def raw_summary(programs: Sequence[Sequence[Question]], samples: int) -> RawSummary:
    """Of the questions of each program, as :func:`trainer.evaluation.raw.answered` leaves them,
    looking at the first ``samples`` answers to each."""

    def over(
        hit: Callable[[Sequence[Sample], Question], float],
        among: Callable[[Sequence[Sample], Question], bool] = lambda s, q: True,
    ) -> Interval | None:
        groups: list[tuple[float, int]] = []
        for questions in programs:
            chosen = [(q["samples"][:samples], q) for q in questions]
            counted = [(s, q) for s, q in chosen if among(s, q)]
            groups.append((sum(hit(s, q) for s, q in counted), len(counted)))
        return rate(groups)

    def rewrites(given: Sequence[Sample], question: Question) -> bool:
        return any(not x["kept"] for x in given)

    everything = [q for questions in programs for q in questions]
    kinds: Counter[str] = Counter()
    for question in everything:
        kinds.update(x["kind"] for x in question["samples"][:samples])
    programmed = any(x["programmed"] for q in everything for x in q["samples"])
    stages = [x for x in STAGES if programmed or x not in ("links", "passes", "faster")]
    staged = {stage: over(_reaching(stage), rewrites) for stage in stages}
    speedups = [_problem_speedup(q["samples"][:samples]) for q in everything]
    return RawSummary(
        questions=len(everything),
        programs=sum(1 for x in programs if x),
        rewrites=sum(rewrites(q["samples"][:samples], q) for q in everything),
        of_rewrites=staged,
        improved=over(lambda s, q: any(x["faster"] for x in s)) if programmed else None,
        kept=over(lambda s, q: not rewrites(s, q)),
        kept_rightly=over(lambda s, q: not rewrites(s, q), lambda s, q: not q["wanted"]),
        exact=over(lambda s, q: any(x["exact"] for x in s)),
        exact_rewrites=over(lambda s, q: any(x["exact"] for x in s), lambda s, q: q["wanted"]),
        compile_pass=over(lambda s, q: any(x["kept"] or x["links"] for x in s))
        if programmed
        else None,
        test_pass=over(lambda s, q: any(x["kept"] or x["passes"] for x in s))
        if programmed
        else None,
        percentiles=percentiles(speedups) if programmed else None,
        average_speedup=over(lambda s, q: _problem_speedup(s)) if programmed else None,
        kinds=dict(kinds.most_common()),
    )


def family_summary(programs: Mapping[str, Sequence[Question]]) -> dict[str, dict[str, Any]]:
    """Family → what became of one system's first answers, for those who want to know where it
    fails. ``programs`` are named family-seed-number; "speedup" is the median of right rewrites."""
    found: dict[str, list[Sample]] = {}
    for name, questions in sorted(programs.items()):
        family = name.split("-", 1)[0]
        found.setdefault(family, []).extend(q["samples"][0] for q in questions)
    table: dict[str, dict[str, Any]] = {}
    for family, samples in found.items():
        rewrites = [x for x in samples if not x["kept"]]
        right = [x for x in rewrites if _reaches(x, "correct")]
        timed = [float(x["speedup"]) for x in right if x["speedup"]]
        table[family] = {
            "questions": len(samples),
            "rewrites": len(rewrites),
            "correct": len(right),
            "faster": sum(bool(x["faster"]) for x in right),
            "speedup": median(timed) if timed else None,
        }
    return table


def product_summary(entries: Iterable[Mapping[str, Any]]) -> ProductSummary:
    """Of what :func:`trainer.evaluation.product.built` gives for each program."""
    listed = list(entries)
    speedups = [float(x["speedup"]) for x in listed]
    controls = [float(x["control"]) for x in listed if x["control"]]
    return ProductSummary(
        programs=len(listed),
        accepted=rate([(float(x["accepted"] > 0), 1) for x in listed]),
        geometric_mean=geometric_mean_of(speedups),
        percentiles=percentiles(speedups),
        average=rate([(x, 1) for x in speedups]),
        control=geometric_mean_of(controls),
    )


def _reaches(sample: Sample, stage: str) -> bool:
    if stage == "correct":
        return bool(sample["equal"] and (sample["passes"] or not sample["programmed"]))
    return bool(sample[stage])


def _reaching(stage: str) -> Callable[[Sequence[Sample], Question], float]:
    return lambda samples, question: any(_reaches(x, stage) for x in samples)


def _problem_speedup(samples: Sequence[Sample]) -> float:
    return max([1.0, *(float(x["speedup"]) for x in samples if x["passes"])])
