"""Basic blocks and natural loops of a function's lines."""

from __future__ import annotations

from dataclasses import dataclass

from gccllm.asm.line_code import LineCode

__all__ = ["Loop", "block_starts", "loops"]


@dataclass(frozen=True)
class Loop:
    """A natural loop: its header's first instruction, all its instructions, and how many loops it
    lies in, itself included."""

    header: int
    nodes: frozenset[int]
    depth: int

    @property
    def span(self) -> range:
        return range(min(self.nodes), max(self.nodes) + 1)


def block_starts(code: LineCode) -> list[int]:
    """The first instructions of the basic blocks, in order."""
    starts = {0} if code.ops else set()
    for node, following in enumerate(code.successors):
        straight = following == (node + 1,) and not code.ends_flow(node)
        if not straight or code.is_call(node):
            starts.update(following)
            if node + 1 < len(code.ops):
                starts.add(node + 1)
    return sorted(starts)


def loops(code: LineCode) -> list[Loop]:
    """Natural loops, innermost first, then in the order of the lines. Loops with one header are
    one; an irreducible cycle is none."""
    starts = block_starts(code)
    if not starts:
        return []
    block_of: dict[int, int] = {}
    for block, start in enumerate(starts):
        stop = starts[block + 1] if block + 1 < len(starts) else len(code.ops)
        for node in range(start, stop):
            block_of[node] = block
    following: list[set[int]] = [set() for _ in starts]
    before: list[set[int]] = [set() for _ in starts]
    for node, targets in enumerate(code.successors):
        for target in targets:
            if target == node + 1 and block_of[target] == block_of[node]:
                continue
            following[block_of[node]].add(block_of[target])
            before[block_of[target]].add(block_of[node])
    dominators = _dominators(following, before)
    bodies: dict[int, set[int]] = {}
    for tail, reached in enumerate(following):
        for header in reached:
            if header in dominators.get(tail, frozenset()):
                bodies.setdefault(header, {header}).update(_body(header, tail, before))
    found = [
        Loop(
            starts[header],
            frozenset(n for n, block in block_of.items() if block in body),
            sum(header in other and body <= other for other in bodies.values()),
        )
        for header, body in bodies.items()
    ]
    return sorted(found, key=lambda loop: (-loop.depth, loop.header))


def _dominators(following: list[set[int]], before: list[set[int]]) -> dict[int, frozenset[int]]:
    """Reachable block → the blocks on every path to it from block 0."""
    order: list[int] = []
    seen = {0}
    work = [(0, iter(sorted(following[0])))]
    while work:
        block, targets = work[-1]
        target = next((t for t in targets if t not in seen), None)
        if target is None:
            order.append(block)
            work.pop()
        else:
            seen.add(target)
            work.append((target, iter(sorted(following[target]))))
    order.reverse()
    found: dict[int, frozenset[int]] = {0: frozenset((0,))}
    changed = True
    while changed:
        changed = False
        for block in order[1:]:
            known = [found[p] for p in before[block] if p in found]
            new = frozenset.intersection(*known) | {block}
            if found.get(block) != new:
                found[block] = new
                changed = True
    return found


def _body(header: int, tail: int, before: list[set[int]]) -> set[int]:
    body = {header}
    work = [tail]
    while work:
        block = work.pop()
        if block not in body:
            body.add(block)
            work += before[block]
    return body
