"""Rules that a spliced function must keep because gcc knew the function that it replaces.

gcc lets the callers in a unit rely on more than the ABI (gcc manual, 'Options That Control
Optimization'): -fipa-ra keeps values in call-clobbered registers that the callee was seen not to
touch, and -fipa-stack-alignment calls local functions with rsp aligned only as far as they need.
Both hold for global functions too. The rules work on assembled objects.
"""

from __future__ import annotations

from collections.abc import Iterable

from gccllm.asm.code import FunctionCode, ObjectCode
from gccllm.asm.flow import findings
from gccllm.asm.liveness import live_after_calls
from gccllm.asm.splice import Refusal, Spliced

__all__ = ["check"]


def check(
    base: ObjectCode,
    new: ObjectCode,
    spliced: Spliced,
    *,
    donor: ObjectCode | None = None,
    red_zone: bool = True,
) -> list[Refusal]:
    """What speaks against a splice; empty when nothing does.

    ``base`` and ``new`` are the objects of the unit before and after, ``donor`` that of the donor's
    text (the base's own for a rewrite of the base): needed where ``spliced.assumed`` is not empty,
    and without it such splices are refused.
    ``red_zone=False`` says that the unit is compiled with -mno-red-zone. Reasons: "ipa-ra",
    "stack-alignment", "red-zone", "callee-assumption", "callee-saved", "stack-balance",
    "direction-flag", "vzeroupper", "not-in-object".
    """
    found: list[Refusal] = []
    replaced = frozenset(spliced.functions)
    for name in spliced.functions:
        if name not in base.functions or name not in new.functions:
            found.append(Refusal("not-in-object", f"{name} is in one of the objects only"))
            continue
        if base.callers(name) - replaced:
            found += _ipa_ra(base, new, name, replaced)
            found += _stack_alignment(base, new, name)
        found += _red_zone(base.functions[name], new.functions[name], red_zone)
        old_kinds = {kind for kind, _ in findings(base.functions[name], base)}
        for kind, detail in findings(new.functions[name], new):
            if kind not in old_kinds:
                found.append(Refusal(kind, f"{name}: {detail}"))
    found += _assumptions(base, new, donor, spliced)
    return found


def _ipa_ra(
    base: ObjectCode, new: ObjectCode, name: str, replaced: frozenset[str]
) -> Iterable[Refusal]:
    extra = new.clobbers(name) - base.clobbers(name)
    for caller, kept in _relying(base, name, extra, replaced):
        shown = " ".join(sorted(kept)) if len(kept) <= 8 else f"{len(kept)} registers"
        yield Refusal("ipa-ra", f"{name} clobbers {shown}, which {caller} may keep across the call")
        return


def _relying(
    base: ObjectCode, name: str, extra: frozenset[str], replaced: frozenset[str]
) -> Iterable[tuple[str, frozenset[str]]]:
    """(caller, registers of ``extra`` that it may read after the call), callers' callers too.

    A caller that does not clobber a register itself hands the question on to its own callers.
    """
    queue = [(name, extra)]
    asked: dict[str, frozenset[str]] = {}
    while queue:
        callee, registers = queue.pop()
        for caller in sorted(base.callers(callee)):
            if caller in replaced or not registers:
                continue
            kept = registers & live_after_calls(base.functions[caller], base, callee)
            if kept:
                yield caller, kept
            further = registers - base.clobbers(caller) - asked.get(caller, frozenset())
            asked[caller] = asked.get(caller, frozenset()) | further
            if further:
                queue.append((caller, further))


def _stack_alignment(base: ObjectCode, new: ObjectCode, name: str) -> Iterable[Refusal]:
    if new.needs_alignment(name) and not base.needs_alignment(name):
        yield Refusal(
            "stack-alignment", f"{name} needs rsp aligned to 16 bytes, its callers may not align it"
        )


def _red_zone(old: FunctionCode, new: FunctionCode, red_zone: bool) -> Iterable[Refusal]:
    uses = new.red_zone and not old.red_zone
    # What compilers keep there lies in leaves. A function that calls has its arrays in its frame.
    may_use = uses or (new.indexed_below and not (old.red_zone or old.indexed_below))
    if (uses and (old.has_call or new.has_call)) or (may_use and not red_zone):
        yield Refusal("red-zone", f"{new.name} uses memory below rsp")


def _assumptions(
    base: ObjectCode, new: ObjectCode, donor: ObjectCode | None, spliced: Spliced
) -> Iterable[Refusal]:
    """The donor's compiler may have relied on its own version of a callee that stays the base's."""
    for name in spliced.assumed:
        if donor is None or name not in donor.functions or name not in base.functions:
            yield Refusal("callee-assumption", f"what the donor assumes of {name} is unknown")
            continue
        extra = base.clobbers(name) - donor.clobbers(name)
        for caller in (*spliced.functions, *spliced.brought):
            function = new.functions.get(caller)
            if function is None or name not in function.callees:
                continue
            kept = extra & live_after_calls(function, new, name)
            if kept:
                yield Refusal(
                    "callee-assumption",
                    f"{caller} keeps {' '.join(sorted(kept)[:8])}, which {name} clobbers",
                )
        if base.needs_alignment(name) and not donor.needs_alignment(name):
            yield Refusal(
                "callee-assumption", f"the unit's {name} needs an aligned stack, the donor's not"
            )
