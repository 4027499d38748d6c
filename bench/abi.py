"""The ABI check on honest code: functions of real C beside themselves under other settings.

    python -m bench.abi [--pairs 2000] [--seconds 600] [--seed 0] [--package zlib ...] [--show 20]

Sources are the corpus of tests/asm and C files of the Debian packages that ``gccllm-train data``
has fetched and configured; nothing is fetched here. The baseline is gcc -O3; the variants are
gcc's and clang's own code for the same function, so a refusal is a false one. Whole objects are
compared, so that what callers in a unit assume of their callees (-fipa-ra, -fipa-stack-alignment)
holds in both: those two rules have a say only where functions are mixed. clang's local functions
are left out, since it changes their conventions, and functions that name symbols which the
baseline's object does not have, since no splice may bring them. Of one file and variant at most
20 functions count. Printed are refusals, doubts (no pass, no refusal), and CPU time a pair.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gccllm.asm.bind import HELPFUL_EXTERNALS
from gccllm.asm.code import FunctionCode, ObjectCode, functions_of
from gccllm.asm.elf import ElfError
from gccllm.assurance.abi import AbiReport, Checker
from gccllm.assurance.levels import Standing
from gccllm.process import run
from gccllm.toolchain import Toolchain
from trainer.corpus.debian import (
    PACKAGES,
    Source,
    c_files,
    include_options,
    preprocess,
    sources_folder,
)

__all__ = ["main"]

CORPUS = Path(__file__).resolve().parent.parent / "tests" / "asm" / "corpus"
BASELINE = ("gcc", "-O3")
VARIANTS: Mapping[str, tuple[str, ...]] = {
    "O1": ("gcc", "-O1"),
    "O2": ("gcc", "-O2"),
    "Os": ("gcc", "-Os"),
    "frame": ("gcc", "-O2", "-fno-omit-frame-pointer", "-fno-ipa-ra"),
    "novec": ("gcc", "-O3", "-fno-tree-vectorize", "-fno-shrink-wrap"),
    "unrolled": ("gcc", "-O3", "-funroll-loops", "-fno-if-conversion"),
    "noinline": ("gcc", "-O2", "-fno-inline", "-fno-ipa-sra"),
    "native": ("gcc", "-O3", "-march=native"),
    "haswell": ("gcc", "-O3", "-march=haswell"),
    "skx": ("gcc", "-O3", "-march=skylake-avx512", "-mprefer-vector-width=512"),
    "probed": ("gcc", "-O2", "-fstack-clash-protection"),
    "clang": ("clang-19", "-O3"),
    "clang native": ("clang-19", "-O2", "-march=haswell"),
}
COMPILE_SECONDS = 60.0
MOST_FUNCTIONS = 20


# glibc's headers give gcc's attribute arguments that clang has no use for.
_ATTRIBUTE = re.compile(rb"__malloc__ \([^()]*\)")


def _objects(text: bytes, folder: Path, argv: Sequence[str]) -> ObjectCode | None:
    if argv[0] != "gcc":
        text = _ATTRIBUTE.sub(b"__malloc__", text)
    target = folder / "x.o"
    target.unlink(missing_ok=True)
    command = [*argv, "-w", "-c", "-x", "cpp-output", "-o", str(target), "-"]
    if not run(command, stdin=text, timeout=COMPILE_SECONDS).ok:
        return None
    try:
        return functions_of(target)
    except ElfError:
        return None


def _texts(packages: Sequence[str], rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """(name, preprocessed C) of the sources at hand, shuffled."""
    tools = Toolchain()
    files: list[tuple[Source | None, Path]] = [(None, path) for path in sorted(CORPUS.glob("*.c"))]
    for package in packages:
        for mark in sources_folder().glob(f"{package}.*/*/.gccllm-configured"):
            source = Source(package, "", mark.parent)
            files += [(source, path) for path in c_files(source)]
    rng.shuffle(files)
    options: dict[str, tuple[str, ...]] = {}
    for origin, path in files:
        if origin is None:
            yield path.name, run(["gcc", "-E", str(path)], timeout=COMPILE_SECONDS).stdout
            continue
        if origin.package not in options:
            options[origin.package] = include_options(origin)
        text = preprocess(tools, origin, path, options[origin.package])
        if text:
            yield f"{origin.package}/{path.name}", text.encode("utf-8", "surrogateescape")


class _Tally:
    def __init__(self, show: int) -> None:
        self.show = show
        self.pairs: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.doubtful: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.doubts: Counter[str] = Counter()
        self.seconds: list[float] = []
        self.instructions = 0

    def add(self, variant: str, where: str, report: AbiReport, seconds: float) -> None:
        self.pairs[variant] += 1
        self.seconds.append(seconds)
        self.instructions += report.instructions
        for finding in report.findings:
            self.kinds[finding.kind.value] += 1
        for doubt in report.doubts:
            self.doubts[doubt.split(" at ")[0][:60]] += 1
        if report.standing is Standing.PASSED:
            return
        (self.refused if report.findings else self.doubtful)[variant] += 1
        if self.show > 0:
            self.show -= 1
            said = [str(x) for x in report.findings] or list(report.doubts)
            print(f"  {report.standing.value} {where} {variant}: {'; '.join(said)[:300]}")

    def table(self) -> str:
        rows = ["| variant | pairs | refused | in doubt |", "|---|---|---|---|"]
        for name in (*VARIANTS, "all"):
            counters = (self.pairs, self.refused, self.doubtful)
            shown = [c.total() if name == "all" else c[name] for c in counters]
            rows.append(f"| {name} | {shown[0]} | {shown[1]} | {shown[2]} |")
        return "\n".join(rows)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--pairs", type=int, default=2000, help="stop after that many")
    parser.add_argument("--seconds", type=float, default=600.0, help="stop after that long")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--package", action="append", help="only these Debian packages")
    parser.add_argument("--show", type=int, default=20, help="refusals and doubts to print")
    options = parser.parse_args(argv)
    rng = random.Random(options.seed)
    tally = _Tally(options.show)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        for file, text in _texts(options.package or PACKAGES, rng):
            base = _objects(text, Path(name), BASELINE)
            if base is None or not base.functions:
                continue
            variants = rng.sample(sorted(VARIANTS), 4)
            for variant in variants:
                other = _objects(text, Path(name), VARIANTS[variant])
                if other is not None:
                    _compare(base, other, variant, file, tally, rng)
            late = time.monotonic() - began > options.seconds
            if late or tally.pairs.total() >= options.pairs:
                break
    if not tally.seconds:
        print("no function was compared")
        return 1
    print(tally.table())
    print("kinds refused:", dict(tally.kinds))
    print("doubts:", dict(tally.doubts.most_common(12)))
    milliseconds = sorted(1e3 * x for x in tally.seconds)
    print(
        f"CPU ms a pair: median {statistics.median(milliseconds):.1f}, "
        f"mean {statistics.mean(milliseconds):.1f}, "
        f"p95 {milliseconds[int(0.95 * len(milliseconds))]:.1f}; "
        f"{tally.instructions / len(milliseconds):.0f} instructions on average"
    )
    return 0


def _symbols(function: FunctionCode) -> frozenset[str]:
    """Symbols of other objects that a function names."""
    named = (op.relocation.symbol for op in function.ops.values() if op.relocation is not None)
    return frozenset(symbol.name for symbol in named if not symbol.defined)


def _compare(
    base: ObjectCode,
    other: ObjectCode,
    variant: str,
    file: str,
    tally: _Tally,
    rng: random.Random,
) -> None:
    names = [name for name in base.starts.values() if name in other.functions]
    checker = Checker(base, other, replaced=names)
    base_imports = frozenset().union(*(_symbols(f) for f in base.functions.values()))
    for name in rng.sample(names, min(len(names), MOST_FUNCTIONS)):
        if VARIANTS[variant][0] != "gcc" and base.functions[name].is_local:
            continue
        if _symbols(other.functions[name]) - base_imports - HELPFUL_EXTERNALS:
            continue
        began = time.process_time()
        report = checker.check(name)
        tally.add(variant, f"{file} {name}", report, time.process_time() - began)


if __name__ == "__main__":
    sys.exit(main())
