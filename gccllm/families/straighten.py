"""The layout of a function changed so that its loops are contiguous; what it computes stays.

gcc scatters the blocks of a loop: returns stand between them (``jne .L5; ret; .L3: …; jne .L5``),
unlikely ones behind the function's end. Such a loop is no region. Here blocks move, jumps are added
where control fell from one to the other, and returns that are the same code become one, so that a
loop's exits lead to one place. No instruction of a block changes.

A block moves only among its neighbours with the same unwind state: blocks with ``.cfi_`` directives
stay where they are, except for an epilogue that remembers and restores the state itself.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from gccllm.asm.lines import Line, label_of, split_statement, symbols_of
from gccllm.asm.unit import Unit, parse

__all__ = ["straighten"]

_TAG = ".Lgccllm"
_ENDS = frozenset("ret retq jmp jmpq ud2".split())
_RESTORE = ".cfi_restore_state"
MOST_BLOCKS = 400


@dataclass
class _Block:
    """``lines`` as they stand, labels and alignment first. ``targets``: blocks that it jumps to.
    ``following``: the block that it falls into, None where control does not fall out of it."""

    lines: list[str]
    labels: list[str]
    movable: bool
    targets: list[int] = field(default_factory=list)
    following: int | None = None

    @property
    def code(self) -> tuple[str, ...]:
        return tuple(x.strip() for x in self.lines if x[:1] in " \t" and x.strip()[:1] != ".")


def straighten(unit: Unit, name: str, *, one_return: bool = False) -> Unit:
    """The unit with function ``name`` laid out anew, or ``unit`` itself where nothing is gained.

    ``one_return`` asks for more: every return of a function without a stack frame becomes a jump
    to one behind all else, so that the whole body is one region.
    Raises KeyError for a name that the unit lacks.
    """
    function = unit.functions[name]
    if function.jump_tables or function.obstacles:
        return unit
    span = function.ranges[0]
    code = [i for i in span if unit.kinds[i] is Line.INSTRUCTION]
    if len(code) < 3 or any("*" in unit.lines[i] and _word(unit.lines[i]) == "jmp" for i in code):
        return unit
    stop = code[-1] + 1
    blocks = _blocks(unit, range(span.start + 1, stop))
    if not 2 < len(blocks) <= MOST_BLOCKS:
        return unit
    if one_return:
        if any(not x.movable for x in blocks[1:]) or not _share_return(blocks):
            return unit
        tail = [x.strip() for x in unit.lines[stop : span.stop]]
        if any(x.startswith(".cfi_") and x != ".cfi_endproc" for x in tail):
            return unit
    _connect(blocks)
    same = _merge_returns(blocks)
    order = _order(blocks, same)
    if order == sorted(order) and not one_return:
        return unit
    lines = [*unit.lines[: span.start + 1], *_written(blocks, order, same), *unit.lines[stop:]]
    return parse("\n".join(lines))


def _word(line: str) -> str:
    words = split_statement(line)[0].split()
    return words[-1] if words else ""


def _blocks(unit: Unit, span: range) -> list[_Block]:
    """The function's lines cut behind jumps and before labels."""
    groups: list[list[int]] = [[]]
    ended = False
    for index in span:
        kind = unit.kinds[index]
        label = kind is Line.LABEL and (label_of(unit.lines[index]) or "").startswith(".L")
        has_code = any(unit.kinds[i] is Line.INSTRUCTION for i in groups[-1])
        aligns = kind is Line.DIRECTIVE and "align" in unit.lines[index]
        restores = _RESTORE in unit.lines[index]
        if restores and not has_code and len(groups) > 1:
            # It stands behind the next block's label but belongs to the end of the one before.
            groups[-2].append(index)
            continue
        # A jump behind a conditional one goes with it: it is the other way out of the block.
        paired = ended and kind is Line.INSTRUCTION and _word(unit.lines[index]) in ("jmp", "jmpq")
        paired = paired and _word(unit.lines[groups[-1][-1]]) not in _ENDS
        if has_code and ((ended and not paired) or label or aligns):
            groups.append([])
        ended = kind is Line.INSTRUCTION and (
            _word(unit.lines[index]).startswith("j") or _word(unit.lines[index]) in _ENDS
        )
        groups[-1].append(index)
    made = []
    for group in groups:
        lines = [unit.lines[i] for i in group]
        labels = [x for x in (label_of(unit.lines[i]) for i in group) if x]
        unwind = [x for x in lines if ".cfi_" in x]
        closed = bool(unwind) and "remember" in unwind[0] and "restore_state" in unwind[-1]
        plain = all(unit.kinds[i] is not Line.APP and i not in unit.directives for i in group)
        made.append(_Block(lines, labels, plain and (not unwind or closed)))
    return made


def _share_return(blocks: list[_Block]) -> bool:
    """Give all blocks one return, behind them; False when there is but one already."""
    label = f"{_TAG}return"
    returning = [b for b in blocks if b.code and _word(b.code[-1]) in ("ret", "retq")]
    last = [x.strip() for x in blocks[-1].lines]
    if len(returning) < 2 or any(".cfi_" in x for b in returning for x in b.lines) or not last:
        return False
    for block in returning:
        at = max(i for i, x in enumerate(block.lines) if x.strip() in block.code[-1:])
        block.lines[at] = f"\tjmp\t{label}"
    if blocks[-1] in returning:
        del blocks[-1].lines[-1]
    blocks.append(_Block([f"{label}:", "\tret"], [label], True))
    return True


def _connect(blocks: Sequence[_Block]) -> None:
    places = {label: i for i, b in enumerate(blocks) for label in b.labels}
    for number, block in enumerate(blocks):
        code = block.code
        last = _word(code[-1]) if code else ""
        for line in code:
            if _word(line).startswith("j"):
                operands = split_statement(line)[1]
                block.targets += [places[s] for s, _ in symbols_of(operands) if s in places]
        if last not in _ENDS and number + 1 < len(blocks):
            block.following = number + 1


def _merge_returns(blocks: Sequence[_Block]) -> dict[int, int]:
    """Block that ends in a return → the block with the same code that stands for it."""
    first: dict[tuple[str, ...], int] = {}
    same: dict[int, int] = {}
    for number, block in enumerate(blocks):
        plain = block.movable and not any(".cfi_" in x for x in block.lines)
        if plain and block.code and _word(block.code[-1]) in ("ret", "retq"):
            kept = first.setdefault(block.code, number)
            if kept != number:
                same[number] = kept
    return same


def _loops(blocks: Sequence[_Block], nodes: Collection[int]) -> list[list[int]]:
    """The outermost loops among ``nodes``: strongly connected parts (Tarjan's algorithm)."""
    within = set(nodes)
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    found: list[list[int]] = []

    def edges(node: int) -> list[int]:
        block = blocks[node]
        out = [*block.targets, *([] if block.following is None else [block.following])]
        return [x for x in out if x in within]

    for root in sorted(within):
        if root in index:
            continue
        work = [(root, iter(edges(root)))]
        index[root] = low[root] = len(index)
        stack.append(root)
        while work:
            node, rest = work[-1]
            target = next(rest, None)
            if target is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    part: list[int] = []
                    while not part or part[-1] != node:
                        part.append(stack.pop())
                    if len(part) > 1:
                        found.append(sorted(part))
            elif target not in index:
                index[target] = low[target] = len(index)
                stack.append(target)
                work.append((target, iter(edges(target))))
            elif target in stack:
                low[node] = min(low[node], index[target])
    return found


def _order(blocks: Sequence[_Block], same: dict[int, int]) -> list[int]:
    """All blocks but the merged ones, loops together; blocks that can't move divide the rest."""
    order: list[int] = []
    segment: list[int] = []
    for number, block in enumerate(blocks):
        if block.movable and number:
            if number not in same:
                segment.append(number)
            continue
        order += _arranged(blocks, segment, same)
        order.append(number)
        segment = []
    return order + _arranged(blocks, segment, same)


def _arranged(blocks: Sequence[_Block], nodes: list[int], same: dict[int, int]) -> list[int]:
    """``nodes`` with every loop contiguous; a block that control falls into follows its
    predecessor wherever it can."""
    loops = _loops(blocks, nodes)
    loop_of = {node: tuple(loop) for loop in loops for node in loop}
    placed: list[int] = []
    left = dict.fromkeys(nodes)
    wanted: int | None = None
    while left:
        node = wanted if wanted in left else next(iter(left))
        loop = loop_of.get(node)
        if loop is None:
            placed.append(node)
            del left[node]
        else:
            # What enters at the head may be moved inside by itself only.
            inner = _inside(blocks, list(loop), same)
            placed += inner
            for x in inner:
                left.pop(x, None)
        following = blocks[placed[-1]].following
        wanted = same.get(following, following) if following is not None else None
    return placed


def _inside(blocks: Sequence[_Block], loop: list[int], same: dict[int, int]) -> list[int]:
    """The blocks of one loop in order, loops within it contiguous: those that remain when the
    jumps back to its entry are gone."""
    entries = {
        x
        for number, block in enumerate(blocks)
        if number not in loop
        for x in [*block.targets, block.following]
        if x in loop
    }
    if len(entries) != 1:
        return loop
    (head,) = entries
    rest = [x for x in loop if x != head]
    arranged = _arranged(blocks, rest, same)
    at = next((i for i, x in enumerate(arranged) if x > head), len(arranged))
    # Never between the blocks of an inner loop.
    inner = {x: tuple(y) for y in _loops(blocks, rest) for x in y}
    while 0 < at < len(arranged) and (
        arranged[at] in inner and inner[arranged[at]] == inner.get(arranged[at - 1])
    ):
        at -= 1
    return [*arranged[:at], head, *arranged[at:]]


def _written(blocks: Sequence[_Block], order: Sequence[int], same: dict[int, int]) -> list[str]:
    """The blocks' lines in order, with the jumps that replace falling through."""
    extra: dict[int, list[str]] = {}
    for gone, kept in same.items():
        extra.setdefault(kept, []).extend(blocks[gone].labels)
    jumps: dict[int, str] = {}
    for at, number in enumerate(order):
        following = blocks[number].following
        if following is None:
            continue
        target = same.get(following, following)
        if at + 1 < len(order) and order[at + 1] == target:
            continue
        labels = [*blocks[target].labels, *extra.get(target, ())]
        if not labels:
            labels = [f"{_TAG}{target}"]
            extra.setdefault(target, []).extend(labels)
        jumps[number] = labels[0]
    out: list[str] = []
    for number in order:
        block = blocks[number]
        heads = [f"{x}:" for x in extra.get(number, ())]
        start = next((i for i, x in enumerate(block.lines) if "align" not in x), 0)
        out += [*block.lines[:start], *heads, *block.lines[start:]]
        if number in jumps:
            out.append(f"\tjmp\t{jumps[number]}")
    return out
