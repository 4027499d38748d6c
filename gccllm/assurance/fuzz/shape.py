"""What a recorded input's numbers count: the tokens, lines or bytes that follow them.

Inferred from one text at a time, since a relation may hold in some recordings only (examples that
read their data or generate it). A relation that holds by chance does no harm: it makes odd inputs.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from gccllm.assurance.fuzz.text import Text, number_of

__all__ = ["Count", "Counted", "counts_of", "resized"]

MOST_PER_GROUP = 8
MOST_TOKENS = 20_000


class Counted(str, Enum):
    """What is counted; the value names it in reports."""

    TOKENS = "tokens"
    GROUPS = "groups of tokens"
    BYTES = "bytes of the next token"


@dataclass(frozen=True)
class Count:
    """Token ``index`` says how many units follow from token ``start`` on, ``width`` tokens each."""

    index: int
    what: Counted
    start: int
    units: int
    width: int = 1

    @property
    def stop(self) -> int:
        return self.start + (1 if self.what is Counted.BYTES else self.units * self.width)


def counts_of(text: Text) -> list[Count]:
    """Every relation that holds in ``text``, at most a few for one number."""
    if len(text.tokens) > MOST_TOKENS:
        return []
    lines = text.lines()
    line_of = {index: number for number, line in enumerate(lines) for index in line}
    found: list[Count] = []
    for index in text.numbers():
        value = number_of(text.tokens[index])
        if value is None or not 0 <= value <= MOST_TOKENS:
            continue
        line = line_of[index]
        behind = lines[line].stop
        found += _behind_the_line(text, lines, index, value, line)
        if value and index + 1 + value == behind:
            found.append(Count(index, Counted.TOKENS, index + 1, value))
        if index + 1 < len(text.tokens) and value == len(text.tokens[index + 1]) > 1:
            found.append(Count(index, Counted.BYTES, index + 1, value))
    return found


def _behind_the_line(
    text: Text, lines: Sequence[range], index: int, value: int, line: int
) -> list[Count]:
    """What a number counts of what follows its line: all of it, or the next lines."""
    start = lines[line].stop
    left = len(text.tokens) - start
    if value == 0:
        return [Count(index, Counted.TOKENS, start, 0)] if left == 0 else []
    found: list[Count] = []
    if left and left % value == 0 and left // value <= MOST_PER_GROUP:
        width = left // value
        what = Counted.TOKENS if width == 1 else Counted.GROUPS
        found.append(Count(index, what, start, value, width))
    after = lines[line + 1 : line + 2]
    if after and len(after[0]) == value != left:
        found.append(Count(index, Counted.TOKENS, start, value))
    block = lines[line + 1 : line + 1 + value]
    if len(block) == value > 1 and block[-1].stop != len(text.tokens):
        widths = {len(x) for x in block}
        if len(widths) == 1:
            found.append(Count(index, Counted.GROUPS, start, value, widths.pop()))
    return found


def resized(text: Text, count: Count, units: int, rng: random.Random) -> Text:
    """With ``units`` units, the number adapted; new units are copies of old ones at random.

    Where there is nothing to copy, new tokens are small numbers.
    """
    old = list(text.tokens[count.start : count.stop])
    width = count.width
    if count.what is Counted.BYTES:
        word = old[0][:units]
        word += bytes(rng.choice(old[0]) for _ in range(units - len(word)))
        payload = [word] if word else []
    else:
        payload = old[: units * width]
        for _ in range(units - count.units):
            if count.units:
                at = rng.randrange(count.units) * width
                payload += old[at : at + width]
            else:
                payload.append(b"%d" % rng.randrange(-9, 100))
    gap = _gap_within(text, count)
    changed = text.replaced(count.start, count.stop, payload, gap)
    if width > 1 and units > count.units and b"\n" in _gap_between(text, count):
        changed = _broken(changed, count, units)
    return changed.with_token(count.index, b"%d" % units)


def _gap_within(text: Text, count: Count) -> bytes:
    """What stands between two tokens of the payload."""
    inner = text.gaps[count.start + 1 : count.stop]
    return max(set(inner), key=inner.count) if inner else b" "


def _gap_between(text: Text, count: Count) -> bytes:
    at = count.start + count.width
    return text.gaps[at] if at < count.stop else b"\n"


def _broken(text: Text, count: Count, units: int) -> Text:
    """With a line break before every added group."""
    gaps = list(text.gaps)
    for unit in range(count.units, units):
        gaps[count.start + unit * count.width] = b"\n"
    return Text(text.tokens, tuple(gaps))
