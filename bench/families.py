"""Is a family's fast form faster than gcc's code for its slow form, on this machine?

Each family draws C functions; gcc -O3 compiles them; the forms that are equal are spliced in; both
programs call the function on the same arguments, interleaved on one core. The figure is the median
of per-pair ratios of user+sys time. Arguments are random numbers of random length in bits, and
arrays of 1000 random elements.

    python bench/families.py [--samples 3] [--pairs 7] [--isa native] [family ...]
"""

from __future__ import annotations

import argparse
import random
import re
import resource
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gccllm.asm.region_text import replace
from gccllm.asm.splice import Spliced, splice
from gccllm.asm.unit import parse
from gccllm.families.base import Family, SlowForm
from gccllm.families.layouts import layouts
from gccllm.families.registry import FAMILIES
from gccllm.harness.compare import Harness
from gccllm.proposers.idioms import Wirer
from gccllm.toolchain import Toolchain

MAIN = """
#include <stdint.h>
static uint64_t state = 88172645463325252u;
static uint64_t next(void) {
    state ^= state << 13; state ^= state >> 7; state ^= state << 17; return state;
}
static uint64_t number(void) { uint64_t v = next(); return v >> (next() % 60); }
static uint64_t data[2][1024], input[256][4];
int main(void) {
    volatile uint64_t sink = 0;
    for (int i = 0; i < 2048; i++) data[i / 1024][i % 1024] = next() >> 33 | next() >> 33 << 32;
    for (int i = 0; i < 256; i++) for (int k = 0; k < 4; k++) input[i][k] = number() | 1;
    for (long r = 0; r < ROUNDS; r++) sink += (uint64_t)CALL;
    return 0;
}
"""
# Families whose loops run for as long as the number is large, or do not end beyond some size.
LARGEST = {
    "intpower": 64,
    "isqrt": 1 << 20,
    "nextpow2": 1 << 20,
    "submod": 1 << 10,
    "trialdivision": 1 << 20,
}


def main_of(slow: SlowForm, rounds: int) -> str:
    """A program around the function that calls it ``rounds`` times."""
    header = next(x for x in slow.source.splitlines() if slow.function in x)
    found = re.match(rf"(.*)\b{slow.function}\((.*)\)", header)
    assert found is not None, header
    arguments = []
    arrays = 0
    for at, parameter in enumerate(found.group(2).split(",")):
        kind = re.sub(r"\w+$", "", parameter.strip()).strip()
        if "*" in kind:
            arguments.append(f"({kind})data[{arrays % 2}]")
            arrays += 1
        elif "*" in found.group(2) and kind in ("int", "long", "unsigned long"):
            # A length, a bound or a key: all are far inside the array.
            arguments.append(f"({kind})({'1000' if at else '990'})")
        else:
            arguments.append(f"({kind})input[r & 255][{at % 4}]")
    text = MAIN
    if slow.family in LARGEST:
        text = text.replace("number() | 1", f"(number() % {LARGEST[slow.family]}) | 1")
    call = f"{slow.function}({', '.join(arguments)})"
    return f"{header};\n" + text.replace("ROUNDS", str(rounds)).replace("CALL", call)


def seconds(program: Path) -> float:
    """user+sys of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([str(program)], check=True, timeout=10, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def built(tools: Toolchain, slow: SlowForm, assembly: str, rounds: int, out: Path) -> Path:
    """The program with this assembly in the function's place."""
    source, main = out.with_suffix(".s"), out.with_suffix(".c")
    source.write_text(assembly)
    main.write_text(main_of(slow, rounds))
    argv = [tools.cc, "-O1", "-w", str(source), str(main), "-o", str(out)]
    subprocess.run(argv, check=True)
    return out


def candidates(
    tools: Toolchain, wirer: Wirer, slow: SlowForm, baseline: str, folder: Path
) -> Iterator[tuple[str, str]]:
    """(label, assembly of the unit with the form in place)."""
    unit = parse(baseline)
    seen: set[str] = set()
    for layout in layouts(tools, unit, slow.function, folder / "unit.o"):
        for region in layout.regions:
            for wired in wirer.equal(layout, region):
                form = wired.instance.form
                label = f"{form.label} ({form.needs})" if form.needs else form.label
                donor = parse(replace(layout.unit, region, wired.instance.lines))
                done = splice(unit, donor, [slow.function], tag="b")
                if isinstance(done, Spliced) and label not in seen:
                    seen.add(label)
                    yield label, done.text


def measure(
    tools: Toolchain, wirer: Wirer, family: Family, seed: int, pairs: int, folder: Path
) -> list[tuple[str, float]]:
    """(label, speedup) of each form on one sample."""
    slow = family.slow(random.Random(seed))
    argv = [tools.cc, "-O3", "-S", "-x", "c", "-", "-o", "-"]
    done = subprocess.run(argv, input=slow.source, text=True, check=True, capture_output=True)
    rounds = 1000
    while True:
        baseline = built(tools, slow, done.stdout, rounds, folder / "baseline")
        try:
            enough = seconds(baseline) > 0.03 or rounds > 10**8
        except subprocess.TimeoutExpired:
            # A loop that these arguments keep going; there is nothing to compare with.
            return []
        if enough:
            break
        rounds *= 4
    results = []
    for label, text in candidates(tools, wirer, slow, done.stdout, folder):
        program = built(tools, slow, text, rounds, folder / "candidate")
        ratios = []
        for _ in range(pairs):
            first = seconds(baseline)
            ratios.append(first / max(1e-6, seconds(program)))
        results.append((label, statistics.median(ratios)))
    return results


def main() -> None:
    """Print a table in markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*")
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--isa", default="native", choices=["target", "native"])
    arguments = parser.parse_args()
    tools = Toolchain()
    features = tools.isa(arguments.isa, ()).features
    print("| family | form | samples | speedup: worst | median | best |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    with Harness(toolchain=tools) as harness, tempfile.TemporaryDirectory() as folder:
        for family in FAMILIES:
            if arguments.families and family.name not in arguments.families:
                continue
            wirer = Wirer(harness, features, (family,))
            found: dict[str, list[float]] = {}
            for seed in range(arguments.samples):
                for label, ratio in measure(
                    tools, wirer, family, seed, arguments.pairs, Path(folder)
                ):
                    found.setdefault(label, []).append(ratio)
            for label, ratios in sorted(found.items(), key=lambda x: -statistics.median(x[1])):
                middle = statistics.median(ratios)
                print(
                    f"| {family.name} | {label} | {len(ratios)} | {min(ratios):.2f} "
                    f"| {middle:.2f} | {max(ratios):.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
