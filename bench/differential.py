"""Function-level differential testing measured: how much of real programs it covers, how fast.

For every function of examples/ (one program each), and of zlib and lua where their sources are
given: gcc -O3 against gcc -O2 -fno-ipa-ra of the same function, which is right, so that whatever is
refuted is a false alarm. With --wrong N each has N candidates that are spoilt: one immediate
changed or one instruction left out of gcc -O3's own code. Some of these are right all the same.

    python -m bench.differential [--zlib DIR] [--lua DIR] [--seconds 2] [--pairs 100000] [--wrong N]

Pairs a second are of CPU time.
"""

from __future__ import annotations

import argparse
import gzip
import random
import re
import shlex
import statistics
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gccllm.asm.carry import Frame, encode
from gccllm.asm.lines import Line
from gccllm.asm.unit import Unit, parse
from gccllm.assurance.differential import Differential
from gccllm.assurance.levels import Examination, Standing
from gccllm.process import run
from gccllm.program import Program
from gccllm.proposers.base import CompileSpec
from gccllm.recordings import load
from gccllm.sandbox import choose
from gccllm.sandbox.base import RunInput
from gccllm.toolchain import Toolchain

__all__ = ["Project", "linked", "main", "spoilt"]

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
BUILD_SECONDS = 120.0
OPTIONS = ("-O3",)
# Not counting on what callees leave alone: those are the baseline's own, which may not (-fipa-ra).
OTHER = ("-O2", "-fno-ipa-ra")
_IMMEDIATE = re.compile(r"\$(-?\d+)\b")
_LUA_SCRIPT = b"""
local t = {}
for i = 1, 300 do t[i] = (i * 7919) % 1000 end
table.sort(t)
local s = {}
for i, v in ipairs(t) do s[#s + 1] = string.format("%d:%s", v, ("x"):rep(i % 5)) end
local text = table.concat(s, ",")
print(#text, text:find("99[0-9]:x+"), text:gsub("x", "y"):sub(1, 40))
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
print(fib(15), 7 // 2, 7.5 % 2, 2^10, 1 << 20, "10" + 5, math.floor(3.7), #"abc", not nil)
for k, v in pairs({a = 1, b = 2, 3}) do t[k] = v end
print(pcall(error, "x"), tostring(1e15), tonumber("0x1p4"), select("#", 1, 2))
"""


@dataclass(frozen=True)
class Project:
    """C sources of one program, options of the preprocessor, inputs of its recorded runs."""

    name: str
    sources: tuple[Path, ...]
    options: tuple[str, ...]
    inputs: tuple[RunInput, ...]
    libraries: tuple[str, ...] = ("-lm",)


@dataclass
class Tally:
    standings: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    rates: list[float] = field(default_factory=list)


def linked(
    tools: Toolchain, project: Project, folder: Path
) -> tuple[Program, Mapping[str, CompileSpec]]:
    """The project's program at its link, and how each unit is compiled."""
    specs = {}
    objects = []
    for source in project.sources:
        made = folder / f"{source.stem}.i"
        if not tools.preprocess(source, project.options, source.parent, made):
            raise SystemExit(f"{source} can't be preprocessed")
        assembly = folder / f"{source.stem}.s"
        _must([tools.cc, "-S", "-w", *OPTIONS, "-x", "cpp-output", str(made), "-o", str(assembly)])
        text = assembly.read_text()
        frame = Frame(
            source.stem, text, str(source), "", str(folder), OPTIONS, "", tools.identity.version
        )
        assembly.write_text(text + encode(frame))
        _must([tools.cc, "-c", str(assembly), "-o", str(assembly.with_suffix(".o"))])
        specs[source.stem] = CompileSpec(tools.cc, made, OPTIONS)
        objects.append(str(assembly.with_suffix(".o")))
    link = [*OPTIONS, *objects, *project.libraries, "-o", str(folder / "program")]
    _must([tools.cc, *link])
    shown = run([tools.cc, "-###", *link], timeout=BUILD_SECONDS).stderr.decode()
    commands = [shlex.split(x) for x in shown.splitlines() if x.startswith(" ")]
    collect2 = next(x for x in commands if Path(x[0]).name == "collect2")
    scratch = folder / "scratch"
    scratch.mkdir()
    return Program(tools, collect2[1:], folder, scratch), specs


def _must(argv: Sequence[str]) -> None:
    done = run(argv, timeout=BUILD_SECONDS)
    if not done.ok:
        raise SystemExit(f"{' '.join(argv)}: {done.error_line()}")


def spoilt(unit: Unit, function: str, rng: random.Random) -> tuple[str, str]:
    """The unit with one small mistake in one function, and which."""
    lines = list(unit.lines)
    places = [
        i
        for i in unit.functions[function].indices()
        if unit.kinds[i] is Line.INSTRUCTION
        and not re.search(r"nop|endbr|ret|jmp|push|pop", lines[i])
    ]
    at = rng.choice(places or list(unit.functions[function].indices()))
    before = lines[at].strip()
    found = _IMMEDIATE.search(lines[at])
    if found and rng.random() < 0.6:
        lines[at] = _IMMEDIATE.sub(f"${int(found[1]) ^ 1}", lines[at], count=1)
    else:
        lines[at] = "\tnop"
    return "\n".join(lines), f"{before} → {lines[at].strip()}"


def projects(arguments: argparse.Namespace, folder: Path) -> Iterator[Project]:
    for source in sorted(EXAMPLES.glob("*.c")):
        recording = load(source.with_suffix(".tests"))
        yield Project(source.stem, (source,), (), tuple(x.given for x in recording.cases))
    if arguments.zlib:
        home = arguments.zlib
        sources = sorted(x for x in home.glob("*.c"))
        given = folder / "text"
        given.write_bytes(b"".join(b"%d line %d\n" % (i * i % 977, i) for i in range(3000)))
        packed = folder / "packed"
        packed.write_bytes(gzip.compress(given.read_bytes()))
        ways: tuple[tuple[str, ...], ...] = ((), ("-1",), ("-h",))
        inputs = (
            *(RunInput(args=x, stdin=given) for x in ways),
            RunInput(args=("-d",), stdin=packed),
        )
        options = (f"-I{home}", "-DHAVE_UNISTD_H")
        yield Project("zlib", (*sources, home / "test" / "minigzip.c"), options, inputs)
    if arguments.lua:
        sources = sorted(x for x in arguments.lua.glob("*.c") if x.stem != "luac")
        script = folder / "script.lua"
        script.write_bytes(_LUA_SCRIPT)
        runs = (RunInput(args=("-",), stdin=script),)
        # Debian's sources want a header that its build makes.
        header = folder / "lua5.4-deb-multiarch.h"
        header.write_text('#define DEB_HOST_MULTIARCH "x86_64-linux-gnu"\n')
        yield Project("lua", tuple(sources), (f"-I{folder}",), runs)


def examined(project: Project, arguments: argparse.Namespace, tools: Toolchain) -> Tally:
    tally = Tally()
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="gccllm-bench-") as name:
        folder = Path(name)
        program, specs = linked(tools, project, folder)
        scratch = folder / "differential"
        scratch.mkdir()
        tester = Differential(program, project.inputs, choose(), scratch)
        bases = {unit: parse(frame.assembly) for unit, frame in program.units.items()}
        places = [(unit, function) for unit, base in bases.items() for function in base.functions]
        chosen = frozenset(rng.sample(places, min(arguments.functions, len(places))))
        for unit, base in bases.items():
            out = folder / "other.s"
            options = [*specs[unit].options, *OTHER]
            other = ""
            if not arguments.wrong and tools.emit(specs[unit].preprocessed, options, out).ok:
                other = out.read_text()
            for function in (x for x in base.functions if (unit, x) in chosen):
                for number in range(arguments.wrong or 1):
                    candidate, mistake = (other, "") if other else spoilt(base, function, rng)
                    found = tester.examine(
                        unit,
                        function,
                        candidate,
                        spec=specs[unit],
                        foreign=not arguments.wrong,
                        seconds=arguments.seconds,
                        pairs=arguments.pairs,
                        seed=arguments.seed + number,
                    )
                    _count(tally, found)
                    unexpected = Standing.PASSED if arguments.wrong else Standing.REFUTED
                    if arguments.verbose or found.standing is unexpected:
                        detail = f"{mistake}  {found.detail[:300]}".strip()
                        print(f"  {unit}:{function}: {found.standing.value}: {detail}", flush=True)
    return tally


def _count(tally: Tally, found: Examination) -> None:
    tally.standings[found.standing.value] += 1
    if found.standing is Standing.UNKNOWN:
        reason = re.sub(r"\d+", "N", found.detail.split(":")[0])
        tally.reasons[re.sub(r"(?<=call or use )\S+", "…", reason)] += 1
    pairs, seconds = found.evidence.get("pairs"), found.evidence.get("cpu_seconds")
    if isinstance(pairs, int) and isinstance(seconds, float) and seconds > 0.02:
        tally.rates.append(pairs / seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--zlib", type=Path)
    parser.add_argument("--lua", type=Path)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--wrong", type=int, default=0)
    parser.add_argument("--functions", type=int, default=10_000, help="a program, by chance")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--only", default="", help="a pattern that projects' names match")
    arguments = parser.parse_args()
    tools = Toolchain()
    whole: dict[str, Tally] = {}
    with tempfile.TemporaryDirectory(prefix="gccllm-bench-") as name:
        for project in projects(arguments, Path(name)):
            if not re.search(arguments.only, project.name):
                continue
            group = project.name if project.name in ("zlib", "lua") else "examples"
            tally = examined(project, arguments, tools)
            total = whole.setdefault(group, Tally())
            total.standings += tally.standings
            total.reasons += tally.reasons
            total.rates += tally.rates
    print("\n| program | functions | passed | refuted | unknown | pairs/s (median) | (best) |")
    print("|---|---|---|---|---|---|---|")
    for group, total in whole.items():
        s = total.standings
        middle = f"{statistics.median(total.rates):,.0f}" if total.rates else "–"
        best = f"{max(total.rates):,.0f}" if total.rates else "–"
        counted = f"{s['passed']} | {s['refuted']} | {s['unknown']}"
        print(f"| {group} | {s.total()} | {counted} | {middle} | {best} |")
    for group, total in whole.items():
        print(f"\n{group}, why unknown:")
        for reason, count in total.reasons.most_common(12):
            print(f"  {count} {reason}")


if __name__ == "__main__":
    main()
