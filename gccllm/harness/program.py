"""The generated half of a harness program: all versions of a region in one assembly text.

Around each version stand stubs that load a whole machine state and store it again. Loops are kept
finite by a countdown behind each label that is jumped back to; it changes neither registers nor
flags (mov, lea and jrcxz only), so it needs no timer, which the sandbox would refuse.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gccllm.asm.lines import Line, classify, label_of, rename, split_statement, symbols_of
from gccllm.asm.objects import DataObject
from gccllm.asm.region_model import Region
from gccllm.asm.region_text import NewLines
from gccllm.asm.unit import Unit
from gccllm.harness.constants import constant, constant_label, symbols_of_data
from gccllm.harness.tables import GENERAL, buffers_of, frame_phase, masks_of, origins_of, quads

__all__ = ["Options", "Program", "Unrunnable", "build_program", "check_candidate"]

BASELINE_ITERATIONS = 4096
FAR_ITERATIONS = 1 << 18
"""the same in the few states that go far"""
CANDIDATE_ITERATIONS = 1 << 19
EXCLUDED = 1002
_VECTOR = re.compile(r"%([xyz])mm(\d+)")
_MASK = re.compile(r"%k([0-7])\b")
_FORBIDDEN = re.compile(
    r"(?:call|ret|leave|enter|int|syscall|sysenter|hlt|iret|lret|ljmp|lcall|in|out|ins|outs|cli|sti"
    r"|xbegin|xabort|wrfs|wrgs|swapgs|std|popf|wrpkru|senduipi)[bwlq]?$"
)
_IMPLIED_VECTORS = re.compile(r"blendv|sha256rnds2|pcmp[ei]strm|pinsr|maskmov")


class Unrunnable(Exception):
    """This version can't be tried out; the message says why."""


@dataclass(frozen=True)
class Options:
    """``widest``: bytes of this machine's widest vector registers; the rest: Harness.compare."""

    widest: int
    states: int
    seed: int
    overlap: bool


@dataclass(frozen=True)
class Program:
    """``text``: the assembly. ``owners[i]`` is the version that line i (from 1) belongs to, 0 for
    the baseline and what all share. ``symbols``: absolute addresses for the linker."""

    text: str
    owners: tuple[int, ...]
    symbols: Mapping[str, int]


def check_candidate(region: Region, lines: NewLines, widest: int) -> None:
    """``widest``: bytes of this machine's widest vector registers. Raises Unrunnable."""
    for line in lines.code:
        if classify(line) is Line.LABEL:
            continue
        head, operands = split_statement(line)
        word = head.split()[-1] if head.split() else ""
        if _FORBIDDEN.match(word):
            raise Unrunnable(f"{word} can't be tried out")
        names = [n for n, _ in symbols_of(operands)]
        if word.startswith(("j", "loop")) and not re.fullmatch(r"[LX]\d+", operands.strip()):
            raise Unrunnable(f"a jump goes to a label of the region: {line.strip()}")
        for name in names:
            if not re.fullmatch(r"[LXD]\d+", name) and name not in region.symbols:
                raise Unrunnable(f"{name} is not named in the region")
        for kind, _ in _VECTOR.findall(operands):
            if {"x": 16, "y": 32, "z": 64}[kind] > widest:
                raise Unrunnable(f"this machine has no {kind}mm registers")


def build_program(
    region: Region, unit: Unit, versions: Sequence[tuple[int, NewLines]], options: Options
) -> Program:
    """``versions``: (number, lines), the baseline (number 0) first. Raises Unrunnable when the
    region itself can't be tried out."""
    return _Builder(region, unit, versions, options).build()


class _Builder:
    def __init__(
        self,
        region: Region,
        unit: Unit,
        versions: Sequence[tuple[int, NewLines]],
        options: Options,
    ) -> None:
        if region.calls:
            raise Unrunnable("the region calls functions")
        self.options = options
        self.region = region
        self.unit = unit
        self.versions = versions
        code = "\n".join(line for _, lines in versions for line in lines.code)
        self.vector_bytes = min(
            options.widest, 64 if "%zmm" in code else 32 if "%ymm" in code else 16
        )
        found = {int(n) for _, n in _VECTOR.findall(code)}
        if _IMPLIED_VECTORS.search(code):
            found.add(0)
        if "vzero" in code and ("%ymm" in code or "%zmm" in code):
            found.update(range(16))
        self.vectors = sorted(found)
        self.vex = re.search(r"\bv\w+\s+.*%[xyz]mm|\bvzero", code) is not None
        self.masks = sorted({int(n) for n in _MASK.findall(code)})
        self.frame = re.search(r"%[re]?spl?\b|\bpush|\bpop", code) is not None
        self.keys: dict[int, int] = {}
        for leaving in region.exits:
            self.keys.setdefault(leaving.place, len(self.keys))
        self.constants, writable = self._symbols()
        self.buffers = buffers_of(region, unit, writable)
        self.lines: list[str] = []
        self.owners: list[int] = []

    def _symbols(self) -> tuple[list[str], list[str]]:
        """(read-only objects, other symbols) that the region names."""
        constants: list[str] = []
        writable: list[str] = []
        for name in self.region.symbols:
            data = self._datum(name)
            if data is None and name.startswith(".L"):
                raise Unrunnable(f"{name} is not a datum")
            if data is not None and data.read_only:
                if any(True for _ in symbols_of_data(self.unit, data)):
                    raise Unrunnable(f"{name} holds addresses")
                constants.append(data.names[0])
            else:
                writable.append(name)
        if len(writable) > 6:
            raise Unrunnable("the region names too many symbols")
        return sorted(set(constants)), writable

    def _datum(self, name: str) -> DataObject | None:
        return self.unit.objects.get(self.unit.aliases.get(name, name))

    def build(self) -> Program:
        self._add(0, ["\t.text", *self._enter(), *self._leave()])
        for position, (number, lines) in enumerate(self.versions):
            self._add(number, self._version(position, lines))
        self._add(0, self._guard())
        self._add(0, self._tables())
        symbols = {self._symbol(n): a for n, a in self.buffers.symbols.items()}
        return Program("\n".join(self.lines) + "\n", tuple(self.owners), symbols)

    def _add(self, number: int, lines: Iterable[str]) -> None:
        for line in lines:
            self.lines.append(line)
            self.owners.append(number)

    @staticmethod
    def _symbol(name: str) -> str:
        return f"gl_symbol_{name}"

    def _state(self, area: str, load: bool) -> list[str]:
        """mov instructions between vector and mask registers and a state."""
        letter = {16: "x", 32: "y", 64: "z"}[self.vector_bytes]
        word = {16: "vmovdqu" if self.vex else "movdqu", 32: "vmovdqu", 64: "vmovdqu64"}
        out = []
        for number in self.vectors:
            register, place = f"%{letter}mm{number}", f"{area}+{208 + 64 * number}(%rip)"
            pair = (place, register) if load else (register, place)
            out.append(f"\t{word[self.vector_bytes]}\t{pair[0]}, {pair[1]}")
        for number in self.masks:
            place = f"{area}+{144 + 8 * number}(%rip)"
            pair = (place, f"%k{number}") if load else (f"%k{number}", place)
            out.append(f"\tkmovq\t{pair[0]}, {pair[1]}")
        return out

    def _enter(self) -> list[str]:
        saved = ("rbx", "rbp", "r12", "r13", "r14", "r15")
        out = ["\t.globl\tgl_enter, gl_leave", "gl_enter:"]
        out += [f"\tpush\t%{r}" for r in saved]
        out += ["\tmovq\t%rsp, gl_host_sp(%rip)", "\tmovq\t%rdi, gl_target(%rip)"]
        out += self._state("gl_in", True)
        out += ["\tpushq\tgl_in+128(%rip)", "\tpopfq"]
        out += [f"\tmovq\tgl_in+{8 * i}(%rip), %{r}" for i, r in enumerate(GENERAL)]
        return [*out, "\tjmp\t*gl_target(%rip)"]

    def _leave(self) -> list[str]:
        out = ["gl_hang:", "\tmovq\t$1001, gl_out+136(%rip)", "gl_leave:"]
        out += [f"\tmovq\t%{r}, gl_out+{8 * i}(%rip)" for i, r in enumerate(GENERAL)]
        out += ["\tmovq\tgl_host_sp(%rip), %rsp", "\tpushfq", "\tpopq\tgl_out+128(%rip)", "\tcld"]
        out += self._state("gl_out", False)
        if self.vex:
            out.append("\tvzeroupper")
        out += [f"\tpop\t%{r}" for r in ("r15", "r14", "r13", "r12", "rbp", "rbx")]
        return [*out, "\tret"]

    def _version(self, position: int, lines: NewLines) -> list[str]:
        names = {f"{x}": f".Lv{position}_{x}" for x in _labels(lines)}
        for number, _ in enumerate(self.region.exits):
            names[f"X{number}"] = f".Lv{position}_X{number}"
        for symbol in self.region.symbols:
            data = self._datum(symbol)
            names[symbol] = self._symbol(symbol)
            if data is not None and data.read_only:
                names[symbol] = constant_label(self.unit.aliases.get(symbol, symbol))
        out = ["\t.p2align 4", f"gl_v{position}:"]
        if not lines.starts_at_top:
            out.append(f"\tjmp\t{names['L0']}")
        back = _jumped_back_to(lines)
        for line in lines.code:
            label = label_of(line) if classify(line) is Line.LABEL else None
            out.append(rename(line, names))
            if label in back:
                out += _COUNTDOWN
        fallen = [i for i, x in enumerate(self.region.exits) if not x.label]
        order = fallen + [i for i, x in enumerate(self.region.exits) if x.label]
        if not fallen:
            out.append("\tud2")
        for number in order:
            key = self.keys[self.region.exits[number].place]
            out += [
                f"{names[f'X{number}']}:",
                f"\tmovq\t${key}, gl_out+136(%rip)",
                "\tjmp\tgl_leave",
            ]
        if lines.data:
            out += ["\t.section\t.rodata", "\t.p2align 6", *lines.data_with(names), "\t.text"]
        return out

    def _guard(self) -> list[str]:
        out = ["gl_guard:", *(rename(x, {"X": ".Lguard"}) for x in self.region.guard)]
        out += ["\tmovq\t$0, gl_out+136(%rip)", "\tjmp\tgl_leave"]
        return [*out, ".Lguard:", f"\tmovq\t${EXCLUDED}, gl_out+136(%rip)", "\tjmp\tgl_leave"]

    def _tables(self) -> list[str]:
        region = self.region
        origins = origins_of(region, self.buffers)
        index = {o.name: i for i, o in enumerate(origins)}
        relations = [
            (index[r.first], index[r.second], r.step)
            for r in region.relations
            if r.first in index and r.second in index
        ]
        immediates = [i for i in region.immediates if -(1 << 63) <= i < 1 << 63]
        config = (
            self.options.states,
            self.options.seed & 0x7FFF_FFFF_FFFF_FFFF,
            len(self.versions),
            len(self.buffers.places),
            len(origins),
            len(relations),
            len(immediates),
            int(self.options.overlap),
            int(region.chases),
            int(self.frame),
            frame_phase(region),
            int(region.red_zone),
            int(bool(region.guard)),
            BASELINE_ITERATIONS,
            CANDIDATE_ITERATIONS,
            FAR_ITERATIONS,
            sum(1 << n for n in self.vectors),
            sum(1 << n for n in self.masks),
        )
        names = "config buffers origins relations immediates masks code".split()
        out = ["\t.section\t.rodata", "\t.p2align 6"]
        for first in self.constants:
            out += constant(self.unit, first)
        out += [f"\t.globl\tgl_{n}" for n in names]
        out.append("\t.p2align 6")
        out += quads("gl_config", config)
        out += quads("gl_buffers", (x for place in self.buffers.places for x in place))
        out += quads("gl_origins", (x for origin in origins for x in origin.row()))
        out += quads("gl_relations", (x for relation in relations for x in relation))
        out += quads("gl_immediates", immediates)
        rows = masks_of(region, self.keys, self.vector_bytes)
        out += quads("gl_masks", (x for row in rows for x in row))
        codes = [f"gl_v{i}" for i in range(len(self.versions))]
        out += quads("gl_code", [*codes, "gl_guard"])
        return [*out, '\t.section\t.note.GNU-stack,"",@progbits']


_COUNTDOWN = (
    "\tmovq\t%rcx, gl_spill(%rip)",
    "\tmovq\tgl_budget(%rip), %rcx",
    "\tleaq\t-1(%rcx), %rcx",
    "\tmovq\t%rcx, gl_budget(%rip)",
    "\tjrcxz\t771f",
    "\tmovq\tgl_spill(%rip), %rcx",
    "\tjmp\t772f",
    "771:",
    "\tjmp\tgl_hang",
    "772:",
)


def _labels(lines: NewLines) -> list[str]:
    return [label_of(x) or "" for x in (*lines.code, *lines.data) if classify(x) is Line.LABEL]


def _jumped_back_to(lines: NewLines) -> set[str]:
    seen: set[str] = set()
    found: set[str] = set()
    for line in lines.code:
        if classify(line) is Line.LABEL:
            seen.add(label_of(line) or "")
        else:
            head, operands = split_statement(line)
            if head.split()[-1].startswith(("j", "loop")) and operands.strip() in seen:
                found.add(operands.strip())
    return found
