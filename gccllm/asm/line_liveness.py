"""Which registers, at which width, and which flags are read behind an instruction.

A backward analysis over a function's lines. It errs on the side of "live": a call or a jump out may
read every argument register. What a return reads is in :func:`result_registers`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from gccllm.asm.code import CALLER_SAVED
from gccllm.asm.effects import Effect, mnemonic_of
from gccllm.asm.line_code import LineCode
from gccllm.asm.region_model import FLAGS

__all__ = ["Liveness", "liveness", "result_registers"]

_CALLEE_SAVED = ("rbx", "rbp", "r12", "r13", "r14", "r15", "rsp")
_ARGUMENTS: Mapping[str, int] = {
    **dict.fromkeys(("rdi", "rsi", "rdx", "rcx", "r8", "r9", "r10", "rax"), 64),
    **{f"zmm{i}": 128 for i in range(8)},
}
_LOST_IN_CALLS = frozenset(
    f"zmm{r[3:]}" if r.startswith("xmm") else r for r in CALLER_SAVED if r != "uppers"
)
_EVERYTHING: Mapping[str, int] = {
    **dict.fromkeys((*_CALLEE_SAVED, *(r for r in _LOST_IN_CALLS if r[0] == "r")), 64),
    **{f"zmm{i}": 512 for i in range(32)},
    **{f"k{i}": 64 for i in range(8)},
    **dict.fromkeys(FLAGS, 1),
}
_RESULT_WIDTHS = {"rax": 64, "rdx": 64, "zmm0": 64, "zmm1": 64}
_FLOATING = re.compile(r"v?(?:add|sub|mul|div|min|max|sqrt|mov|cvt\w+2|f\w+\d)[sp][sd]")
_SIDE_RESULTS = frozenset(
    "mul imul div idiv cdq cqo cwd xchg cmpxchg xadd mulx vzeroupper vzeroall".split()
)

_State = Mapping[str, int]


@dataclass(frozen=True)
class Liveness:
    """``before[i]``: register (or flag) → bits live before instruction i (1 for a flag)."""

    before: tuple[_State, ...]

    @property
    def beyond(self) -> _State:
        """What may be live where the analysis can't look: everything."""
        return _EVERYTHING

    def within(
        self, code: LineCode, span: range, leaving: Mapping[int, _State]
    ) -> dict[int, dict[str, int]]:
        """What is live at each instruction of ``span`` when behind it is live what ``leaving`` says
        for each place that it leads to; other places out of it count as -1 …, all together."""
        found: dict[int, dict[str, int]] = {node: {} for node in span}
        away = [state for place, state in leaving.items() if not 0 <= place < len(code.ops)]
        work = list(span)
        while work:
            node = work.pop()
            after: dict[str, int] = {}
            for target in code.successors[node]:
                _raise(after, found[target] if target in found else leaving.get(target, {}))
            if code.leaves[node] or node + 1 == len(code.ops):
                for state in away:
                    _raise(after, state)
            state = _through(code.effects[node], after)
            if state != found[node]:
                found[node] = state
                work += [p for p in code.predecessors[node] if p in found]
        return found


def liveness(code: LineCode, results: Collection[str] | None = None) -> Liveness:
    """Liveness at every instruction; ``results`` as in :func:`gccllm.asm.regions.regions`."""
    chosen = frozenset(results) if results is not None else result_registers(code)
    return Liveness(_solve(code, chosen))


def result_registers(code: LineCode) -> frozenset[str]:
    """Which of rax, rdx, zmm0, zmm1 hold the function's result, as far as the code shows it.

    rax does, unless a path leads to a return on which it was never set (the function is void then,
    for it takes no argument in rax). rdx and the vector registers do where the function writes them
    and nothing else would ever read that, for gcc leaves no dead code behind; the vector registers
    also where floating-point instructions write them.
    """
    found: set[str] = set()
    returns = [n for n in range(len(code.ops)) if code.is_return(n)]
    if not _reaches_unset(code, "rax", returns):
        found.add("rax")
    before = _solve(code, frozenset(("rax",)))
    for node, effect in enumerate(code.effects):
        name = mnemonic_of(code.ops[node].instruction)
        for register in ("rdx", "zmm0", "zmm1"):
            if register not in effect.writes or name in _SIDE_RESULTS or code.is_call(node):
                continue
            after = _after(code, before, node)
            if register not in after:
                found.add(register)
            if register == "zmm0" and _FLOATING.fullmatch(name):
                found.add(register)
    return frozenset(found)


def _reaches_unset(code: LineCode, register: str, returns: list[int]) -> bool:
    seen: set[int] = set()
    work = [0] if code.ops else []
    while work:
        node = work.pop()
        if node in seen:
            continue
        seen.add(node)
        if register not in code.effects[node].writes and not code.is_call(node):
            work += code.successors[node]
            if code.leaves[node] and not code.is_return(node):
                continue
    return any(node in seen for node in returns)


def _after(code: LineCode, before: Sequence[_State], node: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for target in code.successors[node]:
        for register, width in before[target].items():
            found[register] = max(width, found.get(register, 0))
    return found


def _solve(code: LineCode, results: frozenset[str]) -> tuple[_State, ...]:
    before: list[dict[str, int]] = [{} for _ in code.ops]
    work = list(range(len(code.ops)))
    while work:
        node = work.pop()
        state = _transfer(code, node, _after(code, before, node), results)
        if state != before[node]:
            before[node] = state
            work += code.predecessors[node]
    return tuple(before)


def _transfer(
    code: LineCode, node: int, after: dict[str, int], results: frozenset[str]
) -> dict[str, int]:
    effect: Effect = code.effects[node]
    state = dict(after)
    if code.is_call(node):
        for register in _LOST_IN_CALLS:
            state.pop(register, None)
        for flag in FLAGS:
            state.pop(flag, None)
        _raise(state, _ARGUMENTS)
    else:
        state = _through(effect, state)
    if code.leaves[node]:
        _raise(state, dict.fromkeys(_CALLEE_SAVED, 64))
        if node in code.cold:
            _raise(state, _EVERYTHING)
        returning = code.is_return(node)
        _raise(state, {r: _RESULT_WIDTHS[r] for r in results} if returning else _ARGUMENTS)
    _raise(state, effect.reads)
    _raise(state, dict.fromkeys(effect.flags_read, 1))
    return state


def _through(effect: Effect, after: Mapping[str, int]) -> dict[str, int]:
    state = {r: b for r, b in after.items() if b > effect.kills.get(r, 0)}
    for flag in effect.flags_written:
        state.pop(flag, None)
    _raise(state, effect.reads)
    _raise(state, dict.fromkeys(effect.flags_read, 1))
    return state


def _raise(state: dict[str, int], more: Mapping[str, int]) -> None:
    for register, width in more.items():
        if state.get(register, 0) < width:
            state[register] = width
