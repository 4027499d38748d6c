"""Is a family's fast form faster than gcc's code for its slow form, on this machine?

Each family draws C functions; gcc -O3 compiles them; the forms that are equal are spliced in; both
programs call the function on the same arguments, interleaved on one core. The figure is the median
of per-pair ratios of user+sys time. Arguments are random numbers of random length in bits, and
arrays of 1000 elements of four kinds:

    random    random bits
    constant  all elements alike, in all arrays, and no number that is passed is among them
    rising    every element is five more than the one before, in the element's own type
    falling   every element is five less

A function that takes no array is timed once, as random. A program whose calls do not add up to
what gcc's add up to is an error.

``--level`` (repeatable) says which forms there are, by the features of ``-march=LEVEL``. gcc's own
code is that of plain -O3 at every level, as it is in the training data, so a form's figure is one
and the same at all levels that have it; it is timed once. ``--json FILE`` keeps every figure.
Forms that win (1.05 or more) on no sample of no kind of data are listed at the end: candidates for
``slow_here``.

    python -m bench.families [--samples 3] [--level x86-64-v3] [--data rising] [family ...]
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gccllm.asm.region_text import replace
from gccllm.asm.splice import Spliced, splice
from gccllm.asm.unit import parse
from gccllm.families.base import Family, Form, SlowForm
from gccllm.families.layouts import layouts
from gccllm.families.registry import FAMILIES
from gccllm.harness.compare import Harness
from gccllm.proposers.idioms import Wirer
from gccllm.toolchain import Toolchain
from gccllm.types import Json

__all__ = ["Figure", "Job", "losers", "main"]

LEVELS = ("x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4")
KINDS = ("random", "constant", "rising", "falling")
FASTER = 1.05
LENGTH = 1000
LONG_ENOUGH = 0.03
"""seconds of user+sys that a program has to take at least"""
MAIN = """
#include <stdint.h>
#include <stdio.h>
static uint64_t state = 88172645463325252u;
static uint64_t next(void) {
    state ^= state << 13; state ^= state >> 7; state ^= state << 17; return state;
}
static uint64_t number(void) { uint64_t v = next(); return v >> (next() % 60); }
static uint64_t data[2][1024], input[256][4];
static uint64_t place(const void *x) { return x ? (const char *)x - (const char *)data : 1; }
int main(void) {
    uint64_t sum = 0;
    for (int i = 0; i < 2048; i++) data[i / 1024][i % 1024] = next() >> 33 | next() >> 33 << 32;
    for (int i = 0; i < 256; i++) for (int k = 0; k < 4; k++) input[i][k] = NUMBER | 1;
    FILL
    for (long r = 0; r < ROUNDS; r++) CALL;
    printf("%llu\\n", (unsigned long long)sum);
    return 0;
}
"""
# Families whose loops run for as long as the number is large, or do not end beyond some size.
LARGEST = {
    "divisors": 3000,
    "intpower": 64,
    "isqrt": 1 << 20,
    "josephus": 1 << 10,
    "lcgjump": 400,
    "nextpow2": 1 << 20,
    "rangesum": 2000,
    "submod": 1 << 10,
    "trialdivision": 1 << 20,
}


class WrongResult(Exception):
    """A form that the harness calls equal computes something else."""


@dataclass(frozen=True)
class Job:
    """One slow form on one kind of data."""

    slow: SlowForm
    kind: str

    @property
    def parameters(self) -> tuple[str, list[str]]:
        """(the function's header, its parameters as declarations)."""
        header = next(x for x in self.slow.source.splitlines() if self.slow.function in x)
        found = re.match(rf"(.*)\b{self.slow.function}\((.*)\)", header)
        assert found is not None, header
        return header, found.group(2).split(",")

    @property
    def takes_arrays(self) -> bool:
        return any("*" in x for x in self.parameters[1])

    def main(self, rounds: int) -> str:
        """A program around the function that calls it ``rounds`` times."""
        header, parameters = self.parameters
        arguments = []
        fill = []
        arrays = 0
        for at, parameter in enumerate(parameters):
            kind = re.sub(r"\w+$", "", parameter.strip()).strip()
            if "*" in kind:
                array = f"data[{arrays % 2}]"
                element = kind.replace("const", "").replace("*", "").strip()
                fill += self._fill(f"(({element} *){array})", element)
                arguments.append(f"({kind}){array}")
                arrays += 1
            elif self.takes_arrays and kind in ("int", "long", "unsigned long"):
                # A length, a bound or a key: all are far inside the array.
                arguments.append(f"({kind})({LENGTH if at else LENGTH - 10})")
            else:
                arguments.append(f"({kind})input[r & 255][{at % 4}]")
        largest = LARGEST.get(self.slow.family)
        number = f"(number() % {largest})" if largest else "number()"
        call = f"{self.slow.function}({', '.join(arguments)})"
        result = header[: header.index(self.slow.function)].strip()
        if result.endswith("*"):
            call = f"place({call})"
        if result != "void":
            call = f"sum += (uint64_t){call}"
        text = MAIN.replace("NUMBER", number).replace("FILL", "\n    ".join(fill))
        return f"{header};\n" + text.replace("ROUNDS", str(rounds)).replace("CALL", call)

    def _fill(self, array: str, element: str) -> list[str]:
        """Statements that set an array of 8 KiB; its last element is zero, where a text ends."""
        if self.kind == "random":
            return []
        value = {"constant": "200", "rising": "5 * i", "falling": "-5 * i"}[self.kind]
        count = f"(int)(8192 / sizeof({element}))"
        return [
            f"for (int i = 0; i < {count}; i++) {array}[i] = ({element})({value});",
            f"{array}[{count} - 1] = 0;",
        ]


@dataclass(frozen=True)
class Figure:
    """One form on one sample: ``speedup`` over gcc's code on data of ``kind``."""

    family: str
    form: str
    needs: str
    seed: int
    kind: str
    speedup: float


def timed(program: Path) -> tuple[float, bytes]:
    """user+sys seconds of one run, and what it prints."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([str(program)], check=True, timeout=10, stdout=subprocess.PIPE)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return used, done.stdout


def built(tools: Toolchain, job: Job, assembly: str, rounds: int, out: Path) -> Path:
    """The program with this assembly in the function's place."""
    source, main = out.with_suffix(".s"), out.with_suffix(".c")
    source.write_text(assembly)
    main.write_text(job.main(rounds))
    argv = [tools.cc, "-O1", "-w", str(source), str(main), "-o", str(out)]
    subprocess.run(argv, check=True)
    return out


def candidates(
    tools: Toolchain, wirer: Wirer, slow: SlowForm, baseline: str, folder: Path
) -> Iterator[tuple[Form, str]]:
    """Forms that equal a region of the function, and the unit's assembly with them in place."""
    unit = parse(baseline)
    seen: set[tuple[str, str]] = set()
    for layout in layouts(tools, unit, slow.function, folder / "unit.o"):
        for region in layout.regions:
            for wired in wirer.equal(layout, region):
                form = wired.instance.form
                donor = parse(replace(layout.unit, region, wired.instance.lines))
                done = splice(unit, donor, [slow.function], tag="b")
                if isinstance(done, Spliced) and (form.label, form.needs) not in seen:
                    seen.add((form.label, form.needs))
                    yield form, done.text


def measure(
    tools: Toolchain,
    wirer: Wirer,
    family: Family,
    seed: int,
    kinds: Sequence[str],
    pairs: int,
    folder: Path,
) -> Iterator[Figure]:
    """The figures of each form on one sample. Raises WrongResult."""
    slow = family.slow(random.Random(seed))
    argv = [tools.cc, "-O3", "-S", "-x", "c", "-", "-o", "-"]
    done = subprocess.run(argv, input=slow.source, text=True, check=True, capture_output=True)
    found = list(candidates(tools, wirer, slow, done.stdout, folder))
    for kind in kinds if Job(slow, kinds[0]).takes_arrays else kinds[:1]:
        job = Job(slow, kind)
        rounds = _rounds(tools, job, done.stdout, folder) if found else None
        if rounds is None:
            continue
        baseline = built(tools, job, done.stdout, rounds, folder / "baseline")
        for form, text in found:
            program = built(tools, job, text, rounds, folder / "candidate")
            ratios = []
            for _ in range(pairs):
                first, expected = timed(baseline)
                second, printed = timed(program)
                if printed != expected:
                    raise WrongResult(f"{family.name}, {form.label}, seed {seed}, {kind}")
                ratios.append(first / max(1e-6, second))
            yield Figure(family.name, form.label, form.needs, seed, kind, statistics.median(ratios))


def _rounds(tools: Toolchain, job: Job, assembly: str, folder: Path) -> int | None:
    """How many calls take long enough; None for a loop that these arguments keep going."""
    rounds = 1000
    while True:
        program = built(tools, job, assembly, rounds, folder / "baseline")
        try:
            used, _ = timed(program)
        except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
            return None
        if used > LONG_ENOUGH or rounds > 10**8:
            return rounds
        rounds *= 4 if used > LONG_ENOUGH / 10 else 16


def rows(figures: Sequence[Figure], levels: Mapping[str, frozenset[str]]) -> list[dict[str, Json]]:
    """One row for each form, kind of data and level that has the form."""
    groups: dict[tuple[str, str, str, str], list[float]] = {}
    for x in figures:
        groups.setdefault((x.family, x.form, x.needs, x.kind), []).append(x.speedup)
    return [
        {
            "family": family,
            "form": form,
            "needs": needs,
            "level": level,
            "data": kind,
            "samples": len(found),
            "worst": round(min(found), 3),
            "median": round(statistics.median(found), 3),
            "best": round(max(found), 3),
        }
        for (family, form, needs, kind), found in groups.items()
        for level, features in levels.items()
        if set(needs.split()) <= features
    ]


def losers(figures: Sequence[Figure]) -> dict[tuple[str, str], tuple[int, float]]:
    """(family, form with its needs) → (samples, best figure), where the best is no win."""
    best: dict[tuple[str, str], list[Figure]] = {}
    for x in figures:
        best.setdefault((x.family, _label(x)), []).append(x)
    return {
        key: (len({x.seed for x in found}), max(x.speedup for x in found))
        for key, found in best.items()
        if max(x.speedup for x in found) < FASTER
    }


def _label(figure: Figure) -> str:
    return f"{figure.form} ({figure.needs})" if figure.needs else figure.form


def _print_family(figures: Sequence[Figure], lowest: Mapping[str, str]) -> None:
    groups: dict[tuple[str, str], list[Figure]] = {}
    for x in figures:
        groups.setdefault((_label(x), x.kind), []).append(x)
    for (label, kind), found in sorted(
        groups.items(), key=lambda g: -statistics.median(x.speedup for x in g[1])
    ):
        values = [x.speedup for x in found]
        print(
            f"| {found[0].family} | {label} | {lowest[found[0].needs]} | {kind} | {len(values)} "
            f"| {min(values):.2f} | {statistics.median(values):.2f} | {max(values):.2f} |",
            flush=True,
        )


def main() -> None:
    """Print a table in markdown, and the forms that never win."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("families", nargs="*")
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--isa", default="native", choices=["target", "native"])
    parser.add_argument("--level", action="append", choices=LEVELS, help="instead of --isa")
    parser.add_argument("--data", action="append", choices=KINDS, help="default: random")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    parser.add_argument("--seconds", type=float, default=0, help="start no family after these")
    arguments = parser.parse_args()
    tools = Toolchain()
    if arguments.level:
        options = {level: (f"-march={level}",) for level in arguments.level}
        levels = {k: tools.isa("target", v).features for k, v in options.items()}
    else:
        levels = {arguments.isa: tools.isa(arguments.isa, ()).features}
    here = tools.isa("native", ()).features
    features = frozenset(x for level in levels.values() for x in level) & here
    chosen = [x for x in FAMILIES if not arguments.families or x.name in arguments.families]
    print("| family | form | level | data | samples | speedup: worst | median | best |")
    print("| --- | --- | --- | --- | ---: | ---: | ---: | ---: |")
    figures: list[Figure] = []
    started = time.monotonic()
    with Harness(toolchain=tools) as harness, tempfile.TemporaryDirectory() as folder:
        for family in chosen:
            if arguments.seconds and time.monotonic() - started > arguments.seconds:
                print(f"not timed any more: {family.name}", flush=True)
                continue
            wirer = Wirer(harness, features, (family,), slow=True)
            mine: list[Figure] = []
            for seed in range(arguments.samples):
                kinds = arguments.data or ["random"]
                mine += measure(tools, wirer, family, seed, kinds, arguments.pairs, Path(folder))
            lowest = {
                x.needs: next(k for k, v in levels.items() if set(x.needs.split()) <= v)
                for x in mine
            }
            _print_family(mine, lowest)
            figures += mine
            if arguments.json:
                every = [x.__dict__ for x in figures]
                report = {"rows": rows(figures, levels), "figures": every}
                arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    print(f"\nNo win ({FASTER} or more) on any sample of any kind of data:\n")
    for (name, label), (samples, best) in sorted(losers(figures).items()):
        print(f"- {name}: {label}: {samples} samples, best {best:.2f}")


if __name__ == "__main__":
    main()
