"""Ask the embedded model: prompts in, answers out, with or without holding it to the grammar.

CTranslate2 (4.8) has no hook for its logits, so an answer is checked while it is written, line by
line (:mod:`gccllm.proposers.answer_grammar`), and by the assembler when it is complete. At its
first fault it is cut back to the lines before, and goes on from there with the offending tokens
suppressed; what is still at fault after some tries, or has become very unlikely, is ``keep``. So
every answer is well formed. Tokens that can stand in no answer to the prompt are suppressed from
the start.

An answer's sampling is not otherwise changed, and the prompt's state is computed once for all of
its samples and their repairs. One thread: two that wait for each other on busy cores cost more.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gccllm.errors import ProposerError, ToolchainError
from gccllm.proposers.answer_grammar import KEEP_ANSWER, Fault, Grammar, Reading
from gccllm.proposers.answers import Answer, Answers, Sampling

__all__ = ["Answer", "Answers", "Assembles", "Decoder"]

ANSWER, KEEP, END = "<|answer|>", "<|keep|>", "<|end|>"
MOST_TOKENS = 384
MOST_TRIES = 4

Assembles = Callable[[Sequence[str], str], "list[Fault | None]"]
"""(texts that the grammar passes, ISA level) → what the assembler rejects in each"""


@dataclass
class _Entry:
    """One answer while it is made. ``bans``: token sequences that must not come."""

    greedy: bool
    tokens: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    bans: frozenset[tuple[str, ...]] = frozenset()
    must_go_on: bool = False
    place: int = -1
    """where it was cut last"""
    ended: bool = False
    fault: Fault | None = None
    generated: int = 0
    repairs: int = 0
    given_up: bool = False

    @property
    def text(self) -> str:
        return KEEP_ANSWER if self.tokens == [KEEP] else "".join(self.tokens)

    def answer(self) -> Answer:
        text = KEEP_ANSWER if self.given_up else self.text
        return Answer(text, math.fsum(self.scores), self.generated, self.repairs, self.given_up)


class Decoder:
    """A model folder as ``gccllm-train export`` writes it, asked by CTranslate2.

    ``counts`` tells, over the decoder's life: "answers", "repaired", "given-up", "tokens" and
    "tokens-thrown-away". Not for several threads at once.
    """

    def __init__(
        self, folder: Path, *, assembles: Assembles | None = None, threads: int = 1
    ) -> None:
        """``threads`` of one generation. Raises ProposerError for a folder without such a model, or
        without the packages."""
        self.folder = folder
        self.counts: Counter[str] = Counter()
        self._assembles = assembles
        self._threads = threads
        try:
            import ctranslate2
            from tokenizers import Tokenizer
        except ImportError as error:
            raise ProposerError(f"{error.name} is not installed: pip install gccllm") from error
        self._library: Any = ctranslate2
        try:
            self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._generator(0)
        except Exception as error:
            # tokenizers raises bare Exceptions, CTranslate2 RuntimeError and ValueError
            raise ProposerError(f"no usable model in {folder}: {_line_of(error)}") from error
        vocabulary = self._tokenizer.get_vocab()
        missing = [x for x in (ANSWER, KEEP, END) if x not in vocabulary]
        if missing:
            raise ProposerError(f"the tokeniser in {folder} lacks {missing[0]}")
        self._vocabulary = sorted(vocabulary)
        self._never: dict[object, frozenset[tuple[str, ...]]] = {}

    def answers(
        self,
        prompts: Sequence[str],
        sampling: Sampling,
    ) -> list[list[Answer]]:
        """See :class:`gccllm.proposers.answers.Answers`."""
        # A generator draws from a state of its own that only its making can seed.
        generator = self._generator(sampling.seed)
        found = []
        for prompt in prompts:
            asked = _Asked(self, generator, prompt, sampling)
            found.append([x.answer() for x in asked.entries()])
        self._count(found)
        return found

    def _count(self, found: Sequence[Sequence[Answer]]) -> None:
        for answer in (x for answers in found for x in answers):
            self.counts["answers"] += 1
            self.counts["repaired"] += answer.repairs > 0 and not answer.given_up
            self.counts["given-up"] += answer.given_up
            self.counts["tokens"] += answer.tokens

    def _generator(self, seed: int) -> Any:
        self._library.set_random_seed(seed)
        return self._library.Generator(
            str(self.folder), device="cpu", inter_threads=1, intra_threads=self._threads
        )

    def tokens_of(self, text: str) -> list[str]:
        """The tokens of ``text``, without any that a template would add."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).tokens)

    def never(self, grammar: Grammar) -> frozenset[tuple[str, ...]]:
        """Tokens that stand in no answer that ``grammar`` passes."""
        key = (grammar.exits, grammar.level, grammar.vectors, grammar.symbols)
        if key not in self._never:
            self._never[key] = self._found_never(grammar)
        return self._never[key]

    def _found_never(self, grammar: Grammar) -> frozenset[tuple[str, ...]]:
        odd = [
            x
            for x in self._vocabulary
            if (x.startswith(("<|", "<0x")) and x not in (KEEP, END))
            or (x.startswith(".L") and x[2:].rstrip(":").isdigit())
        ]
        named = {x for x in odd if x.rstrip(":") in grammar.symbols}
        never = {x for x in odd if x not in named}.union(grammar.never(self._vocabulary))
        return frozenset((x,) for x in never)

    def assembles(self, texts: Sequence[str], level: str) -> list[Fault | None]:
        """What the assembler rejects; nothing where there is none that can be asked."""
        if self._assembles is None or not texts:
            return [None] * len(texts)
        try:
            return self._assembles(texts, level)
        except ToolchainError:
            self.counts["assembler-failed"] += 1
            return [None] * len(texts)


class _Asked:
    """One prompt and the answers to it."""

    def __init__(
        self,
        decoder: Decoder,
        generator: Any,
        prompt: str,
        sampling: Sampling,
    ) -> None:
        self._decoder = decoder
        self._generator = generator
        self._prompt = decoder.tokens_of(prompt)
        self._sampling = sampling
        self._grammar = Grammar.of_prompt(prompt)
        self._never = decoder.never(self._grammar) if sampling.masked else frozenset()
        self._floor = -math.inf
        if sampling.masked and sampling.least > 0:
            # What is drawn at a higher temperature is less likely, and wanted all the same.
            self._floor = math.log(sampling.least) * max(1.0, sampling.temperature)

    def entries(self) -> list[_Entry]:
        greedy, samples = self._sampling.greedy, self._sampling.samples
        made = [_Entry(greedy=greedy and number == 0) for number in range(samples)]
        pending = made
        while pending:
            for group in _alike(pending):
                self._generate(group)
            if not self._sampling.masked:
                break
            self._assemble([x for x in pending if x.ended and x.fault is None])
            pending = [x for x in pending if self._repaired(x)]
        return made

    def _generate(self, group: Sequence[_Entry]) -> None:
        """Let ``group``, of equal tokens and bans, go on to a fault or the end."""
        first = group[0]
        readings = [self._reading(x) for x in group] if self._sampling.masked else []
        bans = self._never | first.bans
        if first.greedy or self._sampling.temperature <= 0:
            heat: dict[str, float] = {"sampling_topk": 1}
        else:
            heat = {"sampling_topk": 0, "sampling_temperature": self._sampling.temperature}
        try:
            self._generator.generate_batch(
                [[ANSWER, *x.tokens] for x in group],
                static_prompt=self._prompt,
                include_prompt_in_result=False,
                max_length=MOST_TOKENS - len(first.tokens),
                min_length=2 if first.must_go_on else 0,
                suppress_sequences=[list(x) for x in sorted(bans)] or None,
                end_token=[END],
                return_scores=True,
                callback=_Watch(group, readings, self._sampling.deadline, self._floor),
                **heat,
            )
        except (RuntimeError, ValueError) as error:
            raise ProposerError(f"CTranslate2 fails: {_line_of(error)}") from error
        for entry in group:
            if self._sampling.masked:
                entry.ended |= entry.tokens == [KEEP]
                entry.given_up = entry.fault is None and not entry.ended

    def _reading(self, entry: _Entry) -> _Lines:
        lines = _Lines(Reading(self._grammar))
        lines.take(entry)
        return lines

    def _assemble(self, entries: Sequence[_Entry]) -> None:
        texts = list(dict.fromkeys(x.text for x in entries if x.tokens != [KEEP]))
        found = self._decoder.assembles(texts, self._grammar.level)
        faults = dict(zip(texts, found, strict=True))
        for entry in entries:
            entry.fault = faults.get(entry.text)

    def _repaired(self, entry: _Entry) -> bool:
        """Cut an answer with a fault back to what is good; True when it has to go on."""
        if entry.fault is None:
            return False
        if entry.repairs == MOST_TRIES or time.monotonic() > self._sampling.deadline:
            entry.given_up = True
            return False
        cut, ban = _cut(entry.tokens, entry.fault)
        if cut != entry.place:
            # What must not come at one place may well come at another.
            entry.bans, entry.must_go_on = frozenset(), False
        entry.place = cut
        entry.must_go_on |= not ban
        # Only code can mend what control runs off of, and its mnemonic brings its own newline.
        entry.bans |= {ban or ("\n",)}
        self._decoder.counts["tokens-thrown-away"] += len(entry.tokens) - cut
        del entry.tokens[cut:], entry.scores[cut:]
        entry.repairs += 1
        entry.fault, entry.ended = None, False
        return True


@dataclass
class _Lines:
    """Feeds an answer's text to a reading as its lines become complete."""

    reading: Reading
    rest: str = ""
    taken: int = 0

    def take(self, entry: _Entry) -> None:
        if entry.tokens == [KEEP]:
            return
        self.rest += "".join(entry.tokens[self.taken :])
        self.taken = len(entry.tokens)
        while "\n" in self.rest or (entry.ended and self.rest):
            line, _, self.rest = self.rest.partition("\n")
            entry.fault = self.reading.feed(line)
            if entry.fault is not None:
                return
        if entry.ended:
            entry.fault = self.reading.finish()


@dataclass
class _Watch:
    """Called at each token. It must not lead to the generator: CTranslate2 may drop it last, in
    the generator's own thread, which can't wait for itself to end."""

    group: Sequence[_Entry]
    readings: Sequence[_Lines]
    deadline: float
    floor: float

    def __call__(self, result: Any) -> bool:
        """True to stop this answer."""
        entry = self.group[result.batch_id]
        entry.generated += 1
        if result.token == END:
            entry.ended = True
        else:
            entry.tokens.append(result.token)
            entry.scores.append(float(result.log_prob))
        if self.readings:
            self.readings[result.batch_id].take(entry)
            if entry.fault is not None or entry.tokens == [KEEP]:
                return True
        return math.fsum(entry.scores) < self.floor or time.monotonic() > self.deadline


def _alike(entries: Sequence[_Entry]) -> Iterator[list[_Entry]]:
    """Groups that can be generated together: batches with prefixes of several lengths are slow,
    and suppression holds for the whole of a batch."""
    groups: dict[object, list[_Entry]] = {}
    for entry in entries:
        key = (entry.greedy, tuple(entry.tokens), entry.bans, entry.must_go_on)
        groups.setdefault(key, []).append(entry)
    yield from groups.values()


def _cut(tokens: Sequence[str], fault: Fault) -> tuple[int, tuple[str, ...]]:
    """(how many tokens are good, the tokens that must not follow them); without the second where
    only something is missing. The newline before a line belongs to the line's first token."""
    text = "".join(tokens)
    lines = text.splitlines()
    if fault.line >= len(lines):
        return len(tokens) - (tokens[-1:] == ["\n"]), ()
    start = sum(len(x) + 1 for x in lines[: fault.line])
    at = lines[fault.line].find(fault.culprit)
    low, high = start - (start > 0), start + len(lines[fault.line])
    bad = (low, high)
    if fault.culprit and at >= 0:
        bad = (start + at, start + at + len(fault.culprit))
    good, ban, place = 0, [], 0
    for token in tokens:
        if place + len(token) <= low:
            good += 1
        if place < bad[1] and place + len(token) > bad[0]:
            ban.append(token)
        place += len(token)
    return good, tuple(ban)


def _line_of(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]
