"""The embedded model as a proposer: asked about one region of a function at a time.

The regions of every hot function (:mod:`gccllm.families.layouts`), innermost loops first, are put
to the model (:mod:`gccllm.region_prompt`); each gets several answers, the first greedy. What is not
``keep``, not a copy and not found wrong in the harness becomes a candidate, the likeliest first.

Refinement: a model of this size is not trained on the judge's words. Evidence steers the sampling
instead: a region whose candidates failed, or that had none, is asked again at a higher temperature
and before those whose candidates were right; texts that were offered before are not offered again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gccllm.asm.lending import lent
from gccllm.asm.ordering import ordered
from gccllm.asm.region_model import Region
from gccllm.asm.region_text import parse_lines, replace
from gccllm.asm.unit import parse
from gccllm.errors import GccllmError
from gccllm.events import count_event
from gccllm.families.layouts import Layout, layouts
from gccllm.proposers.answer_assembly import level_of
from gccllm.proposers.answer_grammar import Grammar
from gccllm.proposers.answers import Answer, Answers, Sampling
from gccllm.proposers.base import Attempt, Task
from gccllm.proposers.chat import temperature
from gccllm.proposers.screening import Screen
from gccllm.proposers.warm import source_of
from gccllm.proposers.weights import FOLDER, claimed
from gccllm.region_prompt import RegionPrompt, region_prompt
from gccllm.toolchain import Toolchain
from gccllm.types import Candidate, VerdictKind

__all__ = ["MiniProposer", "Question", "ask", "questions", "shares_of"]

MOST_REGIONS = 12
"""of one function: those further out or smaller rarely hold what is left to win"""
MOST_INSTRUCTIONS = 120
"""of a region: longer ones are unlike all that the model was trained on"""
TEMPERATURE = 0.8
LEAST = 0.02
"""probability of another answer below which a region is asked about only once"""
DOUBT = 0.5
"""that probability in rounds of refinement, where the likeliest answer did not do: at least so"""
UNLIKELY = 0.02
"""probability of an answer below which it is given up while it is written"""
HOTTER = 0.25
"""added for each round of refinement to the temperature of regions that nothing came of"""
HOTTEST = 1.6
SHARE = 0.4
"""of the time left that generating may take at most: other proposers want some too"""
GOOD = 1.02
"""a right candidate that was so much faster at a glance has settled its region"""


@dataclass(frozen=True)
class Question:
    """A region that the model is asked about. ``key`` names it in labels."""

    function: str
    layout: Layout
    region: Region
    prompt: RegionPrompt

    def lines(self, answer: str) -> list[str]:
        """The region's new lines. Raises ValueError as :meth:`RegionPrompt.lines` does."""
        return lent(self.prompt.lines(answer), self.region)

    @property
    def key(self) -> str:
        lines = self.region.lines
        return f"{self.region.shape.value} at {lines.start}-{lines.stop - 1}"


class MiniProposer:
    """Candidates of the embedded model. ``counts`` tells what became of its answers, over the
    proposer's life: "answers", "keep", "copy", "again", "malformed", "given-up", "offered", and
    what the harness dropped, by its word."""

    name = "model"
    refines = True

    def __init__(
        self, folder: Path = FOLDER, *, source: Callable[[Path], Answers] = source_of
    ) -> None:
        self.folder = folder
        self.counts: Counter[str] = Counter()
        self._source = source
        self._answers: Answers | None = None
        self._rounds: Counter[str] = Counter()
        self._offered: dict[str, set[str]] = {}

    @property
    def identity(self) -> str:
        """Of the weights, as their manifest has them."""
        return claimed(self.folder)

    def propose(self, task: Task) -> Iterator[Candidate]:
        """Raises ProposerError where the model can't be loaded, counted as ``model-unusable``."""
        if task.samples < 1 or time.monotonic() >= task.deadline:
            return
        digest = hashlib.sha256(task.baseline.encode("utf-8", "surrogateescape")).hexdigest()
        identity = f"{task.unit} {digest}"
        if not task.attempts:
            self._rounds[identity] = 0
            self._offered[identity] = set()
        else:
            self._rounds[identity] += 1
        if self._answers is None:
            try:
                self._answers = self._source(self.folder)
            except GccllmError:
                count_event("model-unusable")
                raise
        yield from _Round(
            task,
            self._answers,
            self.counts,
            self._rounds[identity],
            self._offered.setdefault(identity, set()),
        ).candidates()


@dataclass
class _Round:
    """One pass over a task's functions; ``offered`` are the texts of this and earlier ones."""

    task: Task
    source: Answers
    counts: Counter[str]
    number: int
    offered: set[str]
    until: float = 0.0
    """time.monotonic() after which the model is not asked any more"""

    def candidates(self) -> Iterator[Candidate]:
        tools = Toolchain()
        unit = parse(self.task.baseline)
        level = level_of(self.task.isa.features)
        now = time.monotonic()
        self.until = now + SHARE * (self.task.deadline - now)
        with Screen(tools, self.counts) as screen:
            for place, function in enumerate(self.task.functions):
                known = unit.functions.get(function.name)
                if known is None or not known.replaceable:
                    continue
                if time.monotonic() >= self.until:
                    break
                found = layouts(tools, unit, function.name, self.task.scratch / "model.o")
                yield from self._function(questions(found, level), screen, place)

    def _function(
        self, asked: Sequence[Question], screen: Screen, place: int
    ) -> Iterator[Candidate]:
        """The candidates of one function: by region, the one with the likeliest answer first."""
        settled = _settled(self.task.attempts)
        started = time.monotonic()
        hotter = min(HOTTEST, _heat() + HOTTER * self.number)
        for heat, group in (
            (hotter, [x for x in asked if (x.function, x.key) not in settled]),
            (_heat(), [x for x in asked if (x.function, x.key) in settled]),
        ):
            answered = ask(
                self.source,
                [x.prompt.text for x in group],
                Sampling(
                    self.task.samples,
                    seed=1000 * self.number + place,
                    temperature=heat,
                    deadline=self.until,
                    least=UNLIKELY,
                ),
                doubt=DOUBT if self.number else 0.0,
            )
            chosen = [
                (question, self._wanted(question, answers))
                for question, answers in zip(group, answered, strict=True)
            ]
            chosen = [(question, wanted) for question, wanted in chosen if wanted]
            chosen.sort(key=lambda x: -x[1][0][1].logprob)
            for question, wanted in chosen:
                if time.monotonic() >= self.task.deadline:
                    return
                lines = [question.lines(x.text) for _, x in wanted]
                passed = screen.passed(question.layout, question.region, lines)
                seconds = (time.monotonic() - started) / max(1, sum(passed))
                for (sample, answer), good in zip(wanted, passed, strict=True):
                    if good:
                        yield self._candidate(question, answer, sample, heat, seconds)
                started = time.monotonic()

    def _wanted(self, question: Question, answers: Sequence[Answer]) -> list[tuple[int, Answer]]:
        """(sample from 1, answer) of what is new, likeliest first."""
        baseline = _bare(question.prompt.region)
        found: list[tuple[int, Answer]] = []
        for sample, answer in enumerate(answers, 1):
            self.counts["answers"] += 1
            mark = f"{question.function} {question.prompt.text} {answer.text}"
            if answer.keeps:
                what = "given-up" if answer.given_up else "keep"
            elif not _is_canonical(question, answer.text):
                what = "malformed"
            elif _bare(ordered(answer.text.splitlines())) == baseline:
                what = "copy"
            elif mark in self.offered:
                what = "again"
            else:
                self.offered.add(mark)
                found.append((sample, answer))
                continue
            self.counts[what] += 1
        return sorted(found, key=lambda x: -x[1].logprob)

    def _candidate(
        self, question: Question, answer: Answer, sample: int, heat: float, seconds: float
    ) -> Candidate:
        self.counts["offered"] += 1
        how = "greedy" if sample == 1 else f"temperature {heat:g}"
        if self.number:
            how += f", round {self.number + 1}"
        return Candidate(
            proposer=MiniProposer.name,
            unit=self.task.unit,
            functions=(question.function,),
            text=replace(question.layout.unit, question.region, question.lines(answer.text)),
            label=f"{question.key}, sample {sample} ({how})",
            seconds=seconds,
        )


def questions(found: Iterator[Layout], level: str) -> list[Question]:
    """The regions to ask about, innermost and largest first, each text once."""
    by_text: dict[str, Question] = {}
    for layout in found:
        for region in layout.regions:
            if region.calls or not 1 < region.instructions <= MOST_INSTRUCTIONS:
                continue
            prompt = region_prompt(layout.unit, region, level, layout.constants(region))
            by_text.setdefault(prompt.text, Question(region.function, layout, region, prompt))
    order = sorted(by_text.values(), key=lambda x: (-x.region.depth, -x.region.instructions))
    return order[:MOST_REGIONS]


def ask(
    source: Answers,
    prompts: Sequence[str],
    sampling: Sampling,
    doubt: float = 0.0,
) -> list[list[Answer]]:
    """Answers to the regions of one function: to each the likeliest one, and others up to
    ``samples`` in all that are not ``keep``, where they are of use. Most regions are to be left
    alone, and the first answer tells; ``doubt`` as in :func:`shares_of`."""
    if not prompts:
        return []
    found = source.answers(prompts, dataclasses.replace(sampling, samples=1, greedy=True))
    first = [x for (x,) in found]
    shares = shares_of(first, sampling.samples - sum(not x.keeps for x in first), doubt)
    for number, (prompt, share) in enumerate(zip(prompts, shares, strict=True)):
        if share:
            seed = sampling.seed + 97 * (number + 1)
            more = dataclasses.replace(sampling, samples=share, seed=seed, greedy=False)
            found[number] += source.answers([prompt], more)[0]
    return found


def shares_of(first: Sequence[Answer], samples: int, doubt: float = 0.0) -> list[int]:
    """How many of a function's ``samples`` each region gets, by its likeliest answer: in proportion
    to the probability that another answer comes, and no more than so many of the samples as are
    then likely to be others. None where that is below :data:`LEAST`. ``doubt`` is the least
    probability for regions whose likeliest answer is a rewrite."""
    weights = [max(1 - math.exp(min(0.0, x.logprob)), 0.0 if x.keeps else doubt) for x in first]
    weights = [x if x >= LEAST else 0.0 for x in weights]
    total = sum(weights)
    if not total or samples < 1:
        return [0] * len(first)
    exact = [min(samples * x / total, samples * x) for x in weights]
    shares = [int(x) for x in exact]
    # What is left goes to the greatest remainders.
    order = sorted(range(len(exact)), key=lambda i: shares[i] - exact[i])
    for i in order[: round(sum(exact)) - sum(shares)]:
        shares[i] += 1
    return shares


def _settled(attempts: Sequence[Attempt]) -> set[tuple[str, str]]:
    """(function, region) of the attempts that were right and faster."""
    good: set[tuple[str, str]] = set()
    for attempt in attempts:
        kind, speedup = attempt.verdict.kind, attempt.verdict.speedup
        right = kind in (VerdictKind.ACCEPTED, VerdictKind.NOT_FASTER)
        if right and speedup is not None and speedup.ratio >= GOOD:
            key = attempt.candidate.label.partition(",")[0]
            good.update((name, key) for name in attempt.candidate.functions)
    return good


def _heat() -> float:
    """The user's temperature, or what suits this model."""
    return temperature() if os.environ.get("GCCLLM_TEMPERATURE", "").strip() else TEMPERATURE


def _bare(lines: Sequence[str]) -> list[str]:
    """Lines without what makes no difference: alignment, and a name for the top."""
    kept = [x for x in lines if not x.lstrip().startswith((".p2align", ".align", ".balign"))]
    return kept[1:] if kept[:1] == ["L0:"] else kept


def _is_canonical(question: Question, text: str) -> bool:
    """Whoever answered, it is text that may be assembled and put in the region's place."""
    if Grammar.of_prompt(question.prompt.text).fault(text) is not None:
        return False
    try:
        parse_lines(question.region, question.lines(text))
    except ValueError:
        return False
    return True
