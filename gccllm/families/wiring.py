"""From a form to lines for a region: which real register each virtual one becomes.

The inputs of a form are tried on all live-in registers that fit, its results on the live-outs; the
rest follows. Nothing here knows what the region computes: most of the instances are wrong, and
running them beside the region tells which (:mod:`gccllm.harness`). What can't fit is left out
early, so that a region costs dozens of instances and not thousands.

A form whose last line is ``jmp {B}`` does part of a loop's work and leaves the rest to gcc's own
code: its changes are the registers in which the loop keeps its state, brought on to where gcc's
code goes on. It has no other results, and a line ``{S}`` where it has done something of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, permutations

from gccllm.asm.region_model import Region
from gccllm.families.base import Form, placeholders

__all__ = ["Instance", "instances", "variants"]

_OLD = "L1000"
_LABEL = re.compile(r"\bL(\d+)\b")
_ORDER = tuple("rax rcx rdx rsi rdi r8 r9 r10 r11 rbx rbp r12 r13 r14 r15".split())
_CALLER_SAVED = tuple("r11 r10 r9 r8 rdi rsi rdx rcx rax".split())
_BITS = {"b": 8, "w": 16, "l": 32, "q": 64}
_LEGACY = {"rax": "a", "rbx": "b", "rcx": "c", "rdx": "d"}
_GOES_ON = "jmp {B}"
_SPOIL = "{S}"
_PIECE = re.compile(r"\{(?:(\w+):([qlwbxyzk])|L\.(\w+)|D\.(\w+)|X\.(\w+)|(X)|(B))\}")
_STORE = re.compile(r"^(?:lock\s+)?(\w+)\s.*\)$")
_NO_STORE = ("cmp", "test", "lea", "nop", "prefetch", "vptest", "ptest", "push", "mul", "div")


@dataclass(frozen=True)
class Instance:
    """A form with real registers: canonical lines for :func:`gccllm.asm.region_text.replace`."""

    form: Form
    lines: tuple[str, ...]
    spoilt: tuple[str, ...] = ()
    """for a form that falls back on gcc's code: the same with its own results made wrong. As long
    as that is not noticed, the form's own way has not been tried, and being equal says nothing."""


class _NoFit(Exception):
    """This mapping needs more registers than are free, or one that is taken."""


def variants(form: Form) -> Iterator[Form]:
    """The form itself, and its ways of adding to a register instead of setting it or back."""
    yield form
    if form.as_is:
        return
    if form.counts:
        yield replace(
            form,
            text=f"xorl {{{form.counts}:l}}, {{{form.counts}:l}}\n" + form.text,
            changes=" ".join(x for x in form.changes.split() if x != form.counts),
            outputs=f"{form.outputs} {form.counts}".strip(),
            counts="",
        )
    elif len(form.outputs.split()) == 1:
        result = form.outputs
        for width in "lq":
            yield replace(
                form,
                label=f"{form.label}, added",
                # An own name for the end, so that jumps to it come by the addition.
                text=form.text.replace("{X}", "{L.sum}")
                + f"\n{{L.sum}}:\nadd{width} {{{result}:{width}}}, {{total:{width}}}",
                changes=f"{form.changes} total".strip(),
                outputs="",
                scratch=f"{form.scratch} {result}".strip(),
            )


def instances(
    form: Form, region: Region, baseline: Sequence[str], *, limit: int = 40
) -> Iterator[Instance]:
    """All ways to wire ``form`` into ``region``, at most ``limit``.

    ``baseline`` is the region's canonical text, which forms may fall back on.
    """
    live_out = region.live_out
    if form.as_is:
        yield Instance(form, form.lines_as_is)
        return
    if region.calls:
        return
    if _goes_on(form):
        if region.kind == "loop" and region.stores == any(_stores(x) for x in form.lines):
            yield from islice(_going_on(form, region, baseline), limit)
        return
    if any(x.flags for x in region.exits):
        return
    if set(form.results) and len(live_out) != len(form.results):
        return
    if not set(live_out) <= set(_ORDER) or bool(live_out) != bool(form.results):
        return
    if region.stores != any(_stores(x) for x in form.lines):
        return
    yield from islice(_all(form, region, tuple(live_out), baseline), limit)


def _all(
    form: Form, region: Region, outs: tuple[str, ...], baseline: Sequence[str]
) -> Iterator[Instance]:
    # Exits that lead to one place are one.
    places = {x.place: i for i, x in reversed(list(enumerate(region.exits)))}.values()
    ways = list(permutations(sorted(places), max(1, len(form.exits))))
    for wired in _inputs(form, region):
        for results in permutations(outs):
            mapping = dict(zip(form.results, results, strict=True))
            try:
                wiring = _Wiring(form, region, wired, mapping)
            except _NoFit:
                continue
            for way in ways:
                leave = () if form.exits else (f"\tjmp\tX{way[0]}",)
                old = _renumbered(baseline) if "{B}" in form.text else ()
                if not old and leave and region.exits[way[0]].label == "":
                    leave = ()
                behind = (*leave, *old, *_data(form))
                spoilt: tuple[str, ...] = ()
                if old:
                    wrong = tuple(f"\tnotq\t%{x}" for x in results)
                    spoilt = (*wiring.lines(way[::-1]), *wrong, *behind)
                yield Instance(form, (*wiring.lines(way), *behind), spoilt)


def _goes_on(form: Form) -> bool:
    """True when gcc's own code follows on the form's, from the state that the form leaves."""
    return bool(form.lines) and form.lines[-1] == _GOES_ON


def _going_on(form: Form, region: Region, baseline: Sequence[str]) -> Iterator[Instance]:
    """Instances of a form that does part of a loop: its changes stay in the loop's registers."""
    old = _renumbered(baseline)
    behind = (*old, *_data(form))
    for wired in _inputs(form, region):
        if any(wired[name] not in region.writes for name in form.changes.split()):
            continue
        try:
            wiring = _Wiring(form, region, wired, {})
        except _NoFit:
            continue
        lines = wiring.lines(())
        if old[0] == f"{_OLD}:":
            lines = lines[:-1]  # it would jump to the next line
        yield Instance(form, (*lines, *behind), (*wiring.lines((), spoilt=True), *behind))


def _renumbered(baseline: Sequence[str]) -> tuple[str, ...]:
    """The region's own lines with labels that no form uses."""
    return tuple(_LABEL.sub(lambda m: f"L{1000 + int(m.group(1))}", x) for x in baseline)


def _inputs(form: Form, region: Region) -> Iterator[Mapping[str, str]]:
    """Maps from inputs and changes to live-in registers: pointers to pointers, others to others."""
    names = f"{form.inputs} {form.changes}".split()
    pointers = {x.origin for x in region.pointers}
    wanted = set(form.pointers.split())
    widths = _widths(form)
    live = [r for r in _ORDER if r in region.live_in]
    changed = set(form.changes.split())
    choices = []
    for name in names:
        fits = [r for r in live if (r in pointers) == (name in wanted)]
        if name not in changed:
            # What is read in 32 bits holds anything above them, and the other way round.
            fits = [r for r in fits if (region.live_in[r] > 32) == (widths.get(name, 0) > 32)]
        choices.append(fits)
    if all(choices):
        yield from _distinct(names, choices, {})


def _widths(form: Form) -> dict[str, int]:
    """Virtual register → the most bits that the form reads of it before it overwrites it."""
    found: dict[str, int] = {}
    overwritten: set[str] = set()
    for line in form.lines:
        # Addresses take 64-bit names, but of a sum cut to 32 bits only those are used.
        most = 32 if line.startswith("leal") else 64
        operands = placeholders(line)
        sets = line.startswith(("lea", "mov", "xor")) and line.endswith("}") and len(operands) > 1
        for name, letter in operands[: len(operands) - sets]:
            if letter in _BITS and name not in overwritten:
                found[name] = max(found.get(name, 0), min(_BITS[letter], most))
        if sets:
            overwritten.add(operands[-1][0])
    return found


def _distinct(
    names: list[str], choices: list[list[str]], taken: dict[str, str]
) -> Iterator[Mapping[str, str]]:
    if not names:
        yield dict(taken)
        return
    for register in choices[0]:
        if register not in taken.values():
            taken[names[0]] = register
            yield from _distinct(names[1:], choices[1:], taken)
            del taken[names[0]]


class _Wiring:
    """One mapping carried out: homes for all virtual registers, copies before and behind."""

    def __init__(
        self, form: Form, region: Region, wired: Mapping[str, str], results: Mapping[str, str]
    ) -> None:
        self.form = form
        self.region = region
        self.before: list[str] = []
        self.late: list[str] = []
        self.behind: list[str] = []
        self.restored: list[str] = []
        self.homes: dict[str, str] = {}
        self.borrowed: set[str] = set()
        general = [r for r in _ORDER if r in region.free]
        if _goes_on(form):
            # gcc's own code sets what it writes and does not read from before.
            general += [r for r in _ORDER if r in region.writes and r not in region.free]
        # What nobody needs any more goes first, then what is only read here.
        self.free = [r for r in general if r not in region.live_in]
        if "{B}" not in form.text:
            self.free += [r for r in general if r in region.live_in]
        self.busy = set(wired.values()) | set(results.values())
        self.free = [r for r in self.free if r not in self.busy]
        pinned = form.pinned
        for name, register in pinned.items():
            self._pin(name, register, wired, results)
        spoiled = set(form.spoiled.split())
        changed = set(form.changes.split())
        for name, register in wired.items():
            if name in pinned:
                continue
            target = results.get(name) if name in changed else None
            if target == register and register not in pinned.values():
                self.homes[name] = register
            elif target is not None:
                home = target if self._unused(target, wired) else self._take()
                self._copy(register, home, name)
                if home != target:
                    self.behind.append(f"\tmovq\t%{home}, %{target}")
            elif register in pinned.values() or (name in spoiled and register not in region.free):
                self._copy(register, self._take(), name)
            else:
                self.homes[name] = register
        for name in form.outputs.split():
            if name in pinned:
                continue
            target = results[name]
            if self._unused(target, wired):
                self.homes[name] = target
            else:
                self.homes[name] = home = self._take()
                self.behind.append(f"\tmovq\t%{home}, %{target}")
        for name in form.scratch.split():
            if name not in pinned:
                self.homes[name] = self._take()
        self._special(form.vectors, "zmm", 32 if "AVX512" in form.needs else 16)
        self._special(form.masks, "k", 8)

    def _pin(
        self, name: str, register: str, wired: Mapping[str, str], results: Mapping[str, str]
    ) -> None:
        """Give a virtual register the real one that it must be, whoever has that now."""
        source, target = wired.get(name), results.get(name)
        if register in self.free:
            self.free.remove(register)
        elif register not in self.region.free and register not in results.values():
            kept = self._take()
            self.before.append(f"\tmovq\t%{register}, %{kept}")
            self.restored.append(f"\tmovq\t%{kept}, %{register}")
        self.homes[name] = register
        if source is not None and source != register:
            if source in self.form.pinned.values():
                raise _NoFit
            self.late.append(f"\tmovq\t%{source}, %{register}")
        if target is not None and target != register:
            if target in self.form.pinned.values():
                raise _NoFit
            self.behind.append(f"\tmovq\t%{register}, %{target}")

    def _unused(self, register: str, wired: Mapping[str, str]) -> bool:
        return register not in wired.values() and register not in self.homes.values()

    def _take(self) -> str:
        """A register that may be overwritten: a free one, else one whose value waits in a vector
        register meanwhile. What leaves the form early can't give it back, hence the exceptions."""
        if self.free:
            return self.free.pop(0)
        if "{B}" in self.form.text or self.form.exits:
            raise _NoFit
        taken = (
            self.busy | set(self.homes.values()) | self.borrowed | set(self.form.pinned.values())
        )
        lender = next(
            (r for r in _CALLER_SAVED if r not in taken and r not in self.region.free), None
        )
        used = len(self.form.vectors.split()) + len(self.borrowed)
        spare = [i for i in range(16) if f"zmm{i}" in self.region.free][used:]
        if lender is None or not spare:
            raise _NoFit
        move = "vmovq" if "AVX" in self.form.needs else "movq"
        self.borrowed.add(lender)
        self.before.append(f"\t{move}\t%{lender}, %xmm{spare[0]}")
        self.restored.append(f"\t{move}\t%xmm{spare[0]}, %{lender}")
        return lender

    def _copy(self, source: str, home: str, name: str) -> None:
        # What is above the bits that gcc's code reads is anything, and goes as zero in its results.
        width = "l" if self.region.live_in[source] <= 32 else "q"
        self.before.append(f"\tmov{width}\t{_named(source, width)}, {_named(home, width)}")
        self.homes[name] = home

    def _special(self, names: str, stem: str, count: int) -> None:
        first = 1 if stem == "k" else 0
        free = [f"{stem}{i}" for i in range(first, count) if f"{stem}{i}" in self.region.free]
        if "{B}" in self.form.text:
            free = [x for x in free if x not in self.region.live_in]
        for name in names.split():
            if not free:
                raise _NoFit
            self.homes[name] = free.pop(0)

    def lines(self, exits: tuple[int, ...], *, spoilt: bool = False) -> tuple[str, ...]:
        """Copies, body, copies; labels numbered from L1 (L0 would be the entry).

        ``exits`` numbers the region's exit for each exit of the form's. ``spoilt`` makes the
        changes wrong at the marks for that.
        """
        numbers: dict[str, int] = {}

        def piece(match: re.Match[str]) -> str:
            name, width, label, data, leaving, _, old = match.groups()
            if name:
                return _named(self.homes[name], width)
            if data:
                return f"D{list(self.form.data).index(data)}"
            if old:
                return _OLD
            if leaving:
                return f"X{exits[self.form.exits.index(leaving)]}"
            return f"L{numbers.setdefault(label or ' end', len(numbers) + 1)}"

        body = []
        for line in self.form.lines:
            if line == _SPOIL:
                changes = self.form.changes.split() if spoilt else ()
                body += [f"\tnotq\t%{self.homes[name]}" for name in changes]
                continue
            text = _PIECE.sub(piece, line)
            if text.endswith(":"):
                body.append(text)
            else:
                head, _, rest = text.partition(" ")
                body.append(f"\t{head}\t{rest}" if rest else f"\t{head}")
        if " end" in numbers:
            body.append(f"L{numbers[' end']}:")
        return (*self.before, *self.late, *body, *self.behind, *self.restored)


def _named(register: str, width: str) -> str:
    """AT&T name of ``register`` at a width: %eax, %r8d, %dil, %ymm3, %k1."""
    if register.startswith("zmm"):
        return f"%{width}mm{register[3:]}"
    if register.startswith("k"):
        return f"%{register}"
    if register[1].isdigit():
        return "%" + register + {"q": "", "l": "d", "w": "w", "b": "b"}[width]
    if register in _LEGACY:
        stem = _LEGACY[register]
        return "%" + {"q": f"r{stem}x", "l": f"e{stem}x", "w": f"{stem}x", "b": f"{stem}l"}[width]
    stem = register[1:]
    return "%" + {"q": f"r{stem}", "l": f"e{stem}", "w": stem, "b": f"{stem}l"}[width]


def _stores(line: str) -> bool:
    found = _STORE.match(line)
    return found is not None and not found.group(1).startswith(_NO_STORE)


def _data(form: Form) -> Iterator[str]:
    for number, text in enumerate(form.data.values()):
        yield f"D{number}:"
        for line in text.splitlines():
            if line.strip():
                yield f"\t{line.strip()}"
