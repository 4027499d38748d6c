"""Are two versions of a function the same instructions in the same order of execution?

Blocks may stand elsewhere, and jumps between them be added or saved; everything else has to be the
same, word for word. Both are walked side by side from their entries.
"""

from __future__ import annotations

from dataclasses import dataclass

from gccllm.asm.lines import Line, label_of, split_statement, strip_comment
from gccllm.asm.unit import Unit

__all__ = ["same_flow"]

_JUMPS = frozenset(("jmp", "jmpq"))
_ENDS = frozenset(("ret", "retq", "ud2"))


@dataclass(frozen=True)
class _Code:
    """``statements``: (word, operands); None where control can't fall through from the one before.
    ``labels``: local label → the statement that it stands for."""

    statements: tuple[tuple[str, str] | None, ...]
    labels: dict[str, int]


def same_flow(one: Unit, other: Unit, function: str) -> bool:
    """Whether each step of the one is a step of the other. False for what is not understood:
    computed jumps, an end that control falls out of. Raises KeyError for a function not there."""
    first, second = _code(one, function), _code(other, function)
    queue, seen = [(0, 0)], set()
    while queue:
        places = _settled(first, queue[-1][0]), _settled(second, queue.pop()[1])
        if places in seen:
            continue
        seen.add(places)
        a, b = places
        ours = first.statements[a] if a is not None else None
        theirs = second.statements[b] if b is not None else None
        if ours is None or theirs is None or a is None or b is None or ours[0] != theirs[0]:
            return False
        word, inside = ours[0], (ours[1] in first.labels, theirs[1] in second.labels)
        if word.startswith("j") and all(inside):
            queue.append((first.labels[ours[1]], second.labels[theirs[1]]))
        elif ours[1] != theirs[1] or (word in _JUMPS and "*" in ours[1]):
            return False
        if word not in _ENDS and word not in _JUMPS:
            queue.append((a + 1, b + 1))
    return True


def _settled(code: _Code, place: int) -> int | None:
    """Past jumps to labels of the function's own; None for a loop of nothing else."""
    for _ in range(len(code.statements)):
        if place >= len(code.statements):
            return None
        found = code.statements[place]
        if found is None or found[0] not in _JUMPS or found[1] not in code.labels:
            return place
        place = code.labels[found[1]]
    return None


def _code(unit: Unit, function: str) -> _Code:
    statements: list[tuple[str, str] | None] = []
    labels: dict[str, int] = {}
    for part in unit.functions[function].ranges:
        for index in part:
            line = unit.lines[index]
            if unit.kinds[index] is Line.LABEL:
                labels[label_of(line) or ""] = len(statements)
            elif unit.kinds[index] is Line.INSTRUCTION:
                head, operands = split_statement(strip_comment(line))
                statements.append((" ".join(head.split()), operands.strip()))
        statements.append(None)
    return _Code(tuple(statements), labels)
