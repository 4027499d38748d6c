"""What the candidate does that the baseline does not: that, and only that, is held against it."""

from __future__ import annotations

from collections.abc import Iterator

from gccllm.asm.bind import HELPFUL_EXTERNALS
from gccllm.assurance.abi.exits import AFTER_CALL
from gccllm.assurance.abi.kinds import Finding, Kind
from gccllm.assurance.abi.notes import Notes
from gccllm.assurance.abi.state import ARGUMENTS
from gccllm.assurance.abi.subject import Subject
from gccllm.assurance.abi.transfer import SECOND

__all__ = ["new_findings"]

_PROTECTOR = "fs:0x28"


def new_findings(base: Notes, candidate: Notes, base_subject: Subject) -> Iterator[Finding]:
    """Findings of the candidate that the baseline lacks."""
    for key, finding in candidate.findings.items():
        if key not in base.findings:
            yield finding
    yield from _junk(base, candidate)
    yield from _arguments(base, candidate)
    yield from _stack(base, candidate)
    yield from _alignment(base, candidate)
    yield from _results(base, candidate)
    yield from _jumps(base, candidate, base_subject)
    yield from _segments(base, candidate, base_subject)


def _junk(base: Notes, candidate: Notes) -> Iterator[Finding]:
    base_lost = any(x.startswith("call:") for x in base.uses)
    base_other = any(not s.certain for s in base.uses.values())
    known_junk = base.uses.keys() | base.handed
    for origin, sight in candidate.returned.items():
        if origin not in known_junk:
            yield Finding(
                Kind.UNINITIALISED_READ,
                origin,
                sight.place,
                f"{origin} is returned as it came in, which the baseline never does",
                sight.certain,
            )
    for origin, sight in candidate.uses.items():
        known = base.uses.get(origin)
        passed = origin in base.handed
        if origin.startswith(SECOND):
            register, callee = origin.removeprefix(SECOND).split(":", 1)
            # Where paths meet one often has it from elsewhere, and reads it on that path only.
            if sight.certain and callee in base.calls and origin not in known_junk:
                yield Finding(
                    Kind.CLOBBERED_READ,
                    register,
                    sight.place,
                    f"{register} is read after a call of {callee}, which returns nothing there",
                )
            continue
        if origin.startswith("call:"):
            register = origin.removeprefix("call:")
            if known is None and not (base_lost and not sight.certain):
                yield Finding(
                    Kind.CLOBBERED_READ,
                    register,
                    sight.place,
                    f"{register} is read after a call that may change it",
                    sight.certain,
                )
        elif known is None and not passed:
            if not sight.certain and base_other:
                continue
            yield Finding(
                Kind.UNINITIALISED_READ,
                origin,
                sight.place,
                f"{origin} is read, which the baseline never does",
                # Who calls a variadic function says in al how many vector registers it fills.
                sight.certain and not (origin == "rax" and sight.amount <= 8),
            )
        elif known is not None and not passed and known.amount <= 32 < sight.amount:
            # Of narrower arguments compilers do compute with what is above, and drop it.
            if origin not in ARGUMENTS[:6]:
                continue
            yield Finding(
                Kind.UPPER_HALF_READ,
                origin,
                sight.place,
                f"{sight.amount} bits of {origin} are read, the baseline reads {known.amount}",
                sight.certain,
            )


def _arguments(base: Notes, candidate: Notes) -> Iterator[Finding]:
    """Who is called may read all of an argument. That it is one can only be guessed: the baseline
    sets all of it there."""
    for (callee, register), place in candidate.partly.items():
        if callee and (callee, register) in base.wholly - base.partly.keys():
            yield Finding(
                Kind.UNINITIALISED_READ,
                f"{register}:{callee}",
                place,
                f"only the lower bytes of {register} are set at a call of {callee}",
                False,
            )


def _stack(base: Notes, candidate: Notes) -> Iterator[Finding]:
    reached = candidate.caller
    allowed = -(-base.caller.amount // 8) * 8
    if reached.amount > max(allowed, 8) and not base.caller_open:
        yield Finding(
            Kind.CALLER_FRAME,
            "",
            reached.place,
            f"{reached.amount} bytes above rsp at entry are used, the baseline uses {allowed}",
            # Who is jumped to finds his arguments there, untouched.
            not base.tails,
        )


def _alignment(base: Notes, candidate: Notes) -> Iterator[Finding]:
    anywhere = base.aligned.get("?")
    for owner, sight in candidate.aligned.items():
        known = base.aligned.get(owner) or anywhere
        if known is None or known.amount < sight.amount:
            yield Finding(
                Kind.MISALIGNED,
                owner,
                sight.place,
                f"nothing shows that {owner} is a multiple of {sight.amount}",
                # A type may be aligned further than the baseline has any use for.
                owner != "?" and known is None,
            )


def _results(base: Notes, candidate: Notes) -> Iterator[Finding]:
    if base.leaves and not candidate.leaves:
        yield Finding(Kind.MISSING_RESULT, "", (0, 0), "no path returns, the baseline's do")
    for register in sorted(base.results - set(base.unwritten)):
        sight = candidate.unwritten.get(register)
        if sight is not None:
            yield Finding(
                Kind.MISSING_RESULT,
                register,
                sight.place,
                f"{register} holds no result at a return",
                sight.certain,
            )
    yield from _depths(set(base.depths), candidate)


def _depths(allowed: set[int | None], candidate: Notes) -> Iterator[Finding]:
    if None in allowed or not allowed:
        return
    undecided = AFTER_CALL in allowed
    if undecided or 0 in allowed:
        allowed |= {0, AFTER_CALL}
    for depth, place in candidate.depths.items():
        if depth not in allowed:
            known = depth is not None and depth >= 0
            yield Finding(
                Kind.X87_STATE,
                "return",
                place,
                f"{depth if known else 'perhaps'} values on the x87 stack at a return",
                known and not undecided,
            )


def _jumps(base: Notes, candidate: Notes, subject: Subject) -> Iterator[Finding]:
    for symbol, place in candidate.tails.items():
        if not symbol:
            if base.indirect is None:
                yield Finding(
                    Kind.JUMP_OUT, "", place, "a jump through a pointer, the baseline has none"
                )
        elif symbol not in subject.imports and symbol not in HELPFUL_EXTERNALS:
            yield Finding(
                Kind.JUMP_OUT, symbol, place, f"a jump to {symbol}, which the unit does not use"
            )


def _segments(base: Notes, candidate: Notes, subject: Subject) -> Iterator[Finding]:
    for name, sight in candidate.segments.items():
        if name in base.segments or name == "__stack_chk_fail":
            continue
        symbol = name.partition(":")[2]
        if symbol in subject.thread_local or (subject.thread_local and symbol == "0x0"):
            continue
        yield Finding(
            Kind.THREAD_STORAGE, name, sight.place, f"{name} is used, the baseline does not"
        )
    guarded = base.segments.get(_PROTECTOR)
    if guarded is None:
        return
    here = candidate.segments.get(_PROTECTOR)
    checks = "__stack_chk_fail" in candidate.segments or ("__stack_chk_fail" not in base.segments)
    if here is None or not checks or (here.amount < 2 <= guarded.amount):
        place = here.place if here is not None else (0, 0)
        yield Finding(
            Kind.STACK_PROTECTOR, "", place, "the stack protector's word is not set and checked"
        )
