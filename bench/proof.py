"""What the proofs decide: every family's fast forms against gcc's code, right ones and spoilt ones.

Each family draws C functions; gcc -O3 compiles them; of the forms that the harness finds equal to a
region, the first ones are given to the proof. A spoilt form has one of its immediates changed or
one of its instructions left out, and the harness has seen it differ. Pointers are taken to be
addresses of the user's half. ``jumps`` is the least bound of those proved up to a bound.

The first table says how many instruction forms are modelled, and on how many states each agreed
with this machine's CPU.

    python -m bench.proof [--samples 1] [--forms 1] [--seconds 10] [--states 40] [family ...]
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from gccllm.asm.region_model import Region
from gccllm.asm.region_text import render
from gccllm.asm.unit import parse
from gccllm.assurance.levels import Examination, Standing
from gccllm.assurance.proof.forms import forms
from gccllm.assurance.proof.prove import prove_region
from gccllm.assurance.proof.selfcheck import check_forms
from gccllm.families.base import Family
from gccllm.families.layouts import Layout, layouts
from gccllm.families.registry import FAMILIES
from gccllm.harness.compare import Harness, widest_vectors
from gccllm.harness.comparison import ComparisonKind
from gccllm.proposers.idioms import Wirer
from gccllm.toolchain import Toolchain

STATES_TRIED = 4000
SPOILT_TRIED = 12
USER_HALF = (0, (1 << 47) - (1 << 21))
_IMMEDIATE = re.compile(r"\$(-?(?:0[xX][0-9a-fA-F]+|\d+))")
_WRONG = (ComparisonKind.DIFFERS, ComparisonKind.FAULTED, ComparisonKind.HUNG)


@dataclass(frozen=True)
class Pair:
    """Two versions of one region; ``right`` says what the harness found."""

    family: str
    layout: Layout
    region: Region
    lines: tuple[str, ...]
    right: bool


def spoilt(lines: Sequence[str], rng: random.Random) -> Iterator[tuple[str, ...]]:
    """Versions with one small mistake, in random order."""
    found = []
    for at, line in enumerate(lines):
        number = _IMMEDIATE.search(line)
        if number:
            other = f"${int(number[1], 0) ^ 1}"
            found.append((*lines[:at], _IMMEDIATE.sub(other, line, count=1), *lines[at + 1 :]))
        if line.startswith("\t") and not line.strip().startswith("j"):
            found.append((*lines[:at], *lines[at + 1 :]))
    rng.shuffle(found)
    yield from found


def pairs(
    tools: Toolchain, wirer: Wirer, family: Family, seed: int, most: int, folder: Path
) -> Iterator[Pair]:
    """Right pairs of one sample, ``most`` of them, each followed by a wrong one."""
    rng = random.Random(seed)
    slow = family.slow(random.Random(seed))
    argv = [tools.cc, "-O3", "-S", "-x", "c", "-", "-o", "-"]
    done = subprocess.run(argv, input=slow.source, text=True, check=True, capture_output=True)
    unit = parse(done.stdout)
    left = most
    for layout in layouts(tools, unit, slow.function, folder / "unit.o"):
        for region in layout.regions:
            for wired in islice(wirer.equal(layout, region), left):
                left -= 1
                lines = tuple(wired.instance.lines)
                yield Pair(family.name, layout, region, lines, True)
                tried = list(islice(spoilt(lines, rng), SPOILT_TRIED))
                results = wirer.compare(layout, region, tried, states=STATES_TRIED, seed=seed)
                wrong = (x for x, r in zip(tried, results, strict=True) if r.kind in _WRONG)
                for chosen in islice(wrong, 1):
                    yield Pair(family.name, layout, region, chosen, False)
            if left <= 0:
                return


def examined(tools: Toolchain, pair: Pair, seconds: float) -> Examination:
    """The proof of one pair, as the ladder asks for it."""
    base = render(pair.layout.unit, pair.region).splitlines()
    constants = pair.layout.constants(pair.region)
    bounds = {
        x.origin: USER_HALF
        for x in pair.region.pointers
        if x.origin in pair.region.live_in and x.origin not in constants
    }
    return prove_region(
        pair.region,
        pair.layout.unit,
        base,
        pair.lines,
        constants=constants,
        bounds=bounds,
        seconds=seconds,
        tools=tools,
    )


def word_for(done: Examination) -> str:
    if done.standing is Standing.PASSED:
        return "proved" if done.evidence.get("bound") is None else "up to N"
    return str(done.standing.value)


def row(name: str, found: Sequence[tuple[bool, Examination]]) -> str:
    """One line of the table."""
    right = Counter(word_for(x) for ok, x in found if ok)
    wrong = Counter(word_for(x) for ok, x in found if not ok)
    bounds: list[int] = []
    for ok, x in found:
        bound = x.evidence.get("bound")
        if ok and x.standing is Standing.PASSED and isinstance(bound, int):
            bounds.append(bound)
    seconds = [x.seconds for _, x in found]
    words = ("proved", "up to N", "unknown", "refuted")
    cells = [name, *(str(right[x]) for x in words), str(min(bounds)) if bounds else ""]
    cells += [str(wrong["refuted"]), str(wrong["unknown"]), str(wrong["proved"] + wrong["up to N"])]
    return f"| {' | '.join(cells)} | {statistics.median(seconds):.1f} | {max(seconds):.1f} |"


def print_forms(states: int) -> None:
    """The table of instruction forms."""
    started = time.monotonic()
    checked = check_forms(forms(avx=widest_vectors() >= 32), states=states)
    bad = [x for x in checked if x.mismatch]
    out = Counter(x.unsupported for x in checked if x.unsupported)
    print("| forms | modelled | states each | disagree with the CPU | seconds |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    modelled = len(checked) - sum(out.values())
    spent = time.monotonic() - started
    print(f"| {len(checked)} | {modelled} | {states} | {len(bad)} | {spent:.1f} |\n")
    for x in bad:
        print(f"- {x.form!r}: {x.mismatch}")
    for reason, count in out.most_common():
        print(f"- not modelled: {reason} ({count})")


def main() -> None:
    """Print both tables in markdown, and why what is unknown is so."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("families", nargs="*")
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--forms", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--states", type=int, default=40)
    parser.add_argument("--level", default="x86-64-v3", help="of -march, for the forms")
    arguments = parser.parse_args()
    print_forms(arguments.states)
    tools = Toolchain()
    features = tools.isa("target", (f"-march={arguments.level}",)).features
    features &= tools.isa("native", ()).features
    chosen = [x for x in FAMILIES if not arguments.families or x.name in arguments.families]
    print(
        "\n| family | right: proved | up to N | unknown | refuted | jumps | wrong: refuted ", end=""
    )
    print("| unknown | passed | seconds: median | most |")
    print(f"|{' --- |' * 11}")
    every: list[tuple[bool, Examination]] = []
    with Harness(toolchain=tools) as harness, tempfile.TemporaryDirectory() as folder:
        for family in chosen:
            wirer = Wirer(harness, features, (family,), states=STATES_TRIED, slow=True)
            found: list[tuple[bool, Examination]] = []
            for seed in range(arguments.samples):
                for pair in pairs(tools, wirer, family, seed, arguments.forms, Path(folder)):
                    done = examined(tools, pair, arguments.seconds)
                    found.append((pair.right, done))
            if found:
                print(row(family.name, found), flush=True)
                every += found
    if every:
        print(row("all", every))
    reasons = Counter(
        (ok, x.detail.split(":")[0][:90]) for ok, x in every if x.standing is Standing.UNKNOWN
    )
    for (ok, reason), count in reasons.most_common():
        print(f"- {'right' if ok else 'wrong'}, unknown: {reason} ({count})")
    for ok, x in every:
        if x.evidence.get("not_replayed"):
            print(f"- {x.detail}; {x.evidence.get('state', '')}"[:400])
        if (ok and x.standing is Standing.REFUTED) or (not ok and x.standing is Standing.PASSED):
            print(f"- {'right' if ok else 'wrong'} yet {x.standing.value}: {x.detail[:300]}")


if __name__ == "__main__":
    main()
