"""Other compilations of real C: they assemble, differ, agree with the baseline, end in time."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from gccllm.proposers.base import CompileSpec, Instrument, Task
from gccllm.proposers.clang import (
    clang_features,
    clang_keeps,
    clang_language,
    clang_source,
    find_clang,
)
from gccllm.proposers.compilers import CompilersProposer, predefined_macros
from gccllm.proposers.settings import SETTINGS, Setting, gcc_common
from gccllm.types import Isa

SUM = """
#include <stdio.h>
#include <stdlib.h>
#include <math.h>
static int a[4096];
int sum(const int *p, int n) { int s = 0; for (int i = 0; i < n; i++) s += p[i]; return s; }
int bits(unsigned long x) { int r = 0; while (x) { r += x & 1; x >>= 1; } return r; }
static double scale(double x, double y) { return x * y + 1.5; }
int main(void) {
    double d = 0;
    for (int i = 0; i < 4096; i++) { a[i] = i * 2654435761u; d = scale(d, 0.99) + bits(a[i]); }
    printf("%d %.17g\\n", sum(a, 4096), d);
    return 0;
}
"""
BRANCHY = """
#include <stdio.h>
int weigh(int x) { if (x % 97 == 0) return x * 3; if (x % 2) return x ^ 5; return x - 1; }
int main(void) {
    int c, n = 0, t = 0;
    while (scanf("%d", &c) == 1) { t += weigh(c); n++; }
    printf("%d %d\\n", n, t);
    return 0;
}
"""
TARGET = Isa("target", "x86-64", frozenset({"SSE2"}))
V3 = Isa(
    "native",
    "x86-64-v3",
    frozenset({"SSE2", "SSE4_2", "POPCNT", "AVX", "AVX2", "BMI", "BMI2", "LZCNT", "FMA"}),
    ("-march=x86-64-v3",),
)


def gcc(*words: str | Path, cwd: Path) -> None:
    subprocess.run(["gcc", *map(str, words)], cwd=cwd, check=True, timeout=60)


def unit(
    tmp_path: Path,
    source: str,
    *,
    isa: Isa = TARGET,
    options: tuple[str, ...] = ("-O3",),
    instrument: Instrument | None = None,
    seconds: float = 60.0,
) -> Task:
    """A task for one C source, as the driver would make it."""
    (tmp_path / "u.c").write_text(source)
    gcc("-E", *options, "u.c", "-o", "u.i", cwd=tmp_path)
    gcc("-S", "-x", "cpp-output", *options, "u.i", "-o", "base.s", cwd=tmp_path)
    return Task(
        unit="u",
        baseline=(tmp_path / "base.s").read_text(),
        functions=(),
        isa=isa,
        scratch=tmp_path / "scratch",
        deadline=time.monotonic() + seconds,
        compile=CompileSpec("gcc", tmp_path / "u.i", options),
        instrument=instrument,
    )


def output(tmp_path: Path, text: str, stdin: str = "") -> str:
    (tmp_path / "x.s").write_text(text)
    gcc("x.s", "-o", "x", "-lm", cwd=tmp_path)
    done = subprocess.run(
        [tmp_path / "x"], input=stdin, capture_output=True, text=True, timeout=20, check=True
    )
    return done.stdout


def can_run(isa: Isa) -> bool:
    flags = set(re.findall(r"\w+", Path("/proc/cpuinfo").read_text()))
    return isa.mode == "target" or {"avx2", "bmi2", "fma", "abm"} <= flags


def test_every_candidate_is_new_code_that_computes_the_same(tmp_path: Path) -> None:
    task = unit(tmp_path, SUM)
    expected = output(tmp_path, task.baseline)
    candidates = list(CompilersProposer().propose(task))
    labels = [c.label for c in candidates]
    assert len(labels) >= 3
    assert len(set(labels)) == len(labels)
    assert len({c.text for c in candidates} | {task.baseline}) == len(labels) + 1
    assert "gcc -O2" in labels
    for candidate in candidates:
        assert (candidate.proposer, candidate.unit, candidate.functions) == ("compilers", "u", ())
        assert output(tmp_path, candidate.text) == expected, candidate.label


@pytest.mark.skipif(not can_run(V3), reason="this CPU lacks x86-64-v3")
def test_a_wider_isa_is_used_and_keeps_floating_point_exact(tmp_path: Path) -> None:
    task = unit(tmp_path, SUM, isa=V3)
    expected = output(tmp_path, task.baseline)
    found = {c.label: c.text for c in CompilersProposer().propose(task)}
    wide = {label: text for label, text in found.items() if "-march=x86-64-v3" in label}
    assert wide
    assert any("%ymm" in text for text in wide.values())
    assert not any("%zmm" in text for text in found.values())
    for label, text in found.items():
        assert output(tmp_path, text) == expected, label


def test_the_target_isa_is_not_widened(tmp_path: Path) -> None:
    for candidate in CompilersProposer().propose(unit(tmp_path, SUM)):
        assert "%ymm" not in candidate.text, candidate.label
        assert "popcnt" not in candidate.text, candidate.label
        assert "-march" not in candidate.label


@pytest.mark.skipif(find_clang() is None, reason="no clang")
def test_clang_reads_what_gcc_preprocessed(tmp_path: Path) -> None:
    clang = Path(find_clang() or "").name
    task = unit(tmp_path, SUM, options=("-O3", "-std=gnu11", "-fno-tree-vectorize", "-fwrapv"))
    found = {c.label: c.text for c in CompilersProposer().propose(task)}
    assert f"{clang} -O3" in found
    assert output(tmp_path, found[f"{clang} -O3"]) == output(tmp_path, task.baseline)


def profiler(tmp_path: Path, stdins: Sequence[str]) -> Instrument:
    """Links and really runs the program, each run in a folder of its own."""

    def instrument(assembly: str, options: Sequence[str]) -> Mapping[str, bytes]:
        (tmp_path / "i.s").write_text(assembly)
        gcc("i.s", "-o", "i", *options, cwd=tmp_path)
        left = {}
        for number, stdin in enumerate(stdins):
            folder = tmp_path / f"run{number}"
            folder.mkdir()
            run = [tmp_path / "i"]
            subprocess.run(run, input=stdin.encode(), cwd=folder, check=True, env={}, timeout=20)
            left.update({f"{number}/{p.name}": p.read_bytes() for p in folder.iterdir()})
        return left

    return instrument


PGO = Setting("gcc", ("-O3",), profile=True)


def test_a_profile_of_several_runs_changes_the_code_and_not_the_result(tmp_path: Path) -> None:
    stdin = " ".join(str(97 * i) for i in range(300))
    task = unit(tmp_path, BRANCHY, instrument=profiler(tmp_path, [stdin, "1 2 3"]))
    (candidate,) = CompilersProposer([PGO]).propose(task)
    assert candidate.label == "gcc -O3 PGO"
    assert "gcov" not in candidate.text
    assert output(tmp_path, candidate.text, stdin) == output(tmp_path, task.baseline, stdin)
    assert [p.name for p in (tmp_path / "run0").iterdir()] == ["pgo.gcda"]
    profile = tmp_path / "scratch" / "compilers" / "profile" / "pgo.gcda"
    assert profile.read_bytes() not in [
        (tmp_path / f"run{k}/pgo.gcda").read_bytes() for k in (0, 1)
    ]


@pytest.mark.parametrize("files", [{}, {"core": b"x"}, {"u.gcda": b"garbage"}])
def test_a_run_without_a_usable_profile_is_no_candidate_from_it(
    tmp_path: Path, files: Mapping[str, bytes]
) -> None:
    calls: list[Sequence[str]] = []

    def instrument(_: str, options: Sequence[str]) -> Mapping[str, bytes]:
        calls.append(options)
        return files

    task = unit(tmp_path, BRANCHY, instrument=instrument)
    expected = output(tmp_path, task.baseline, "1 2 3")
    for candidate in CompilersProposer([PGO]).propose(task):
        assert output(tmp_path, candidate.text, "1 2 3") == expected
    assert calls == [["-lgcov"]]


def test_a_unit_that_cannot_be_compiled_again_gives_nothing(tmp_path: Path) -> None:
    task = Task("u", "f:\n\tret\n", (), TARGET, tmp_path, time.monotonic() + 60)
    assert list(CompilersProposer().propose(task)) == []
    assert list(tmp_path.iterdir()) == []


def test_a_broken_compiler_gives_nothing(tmp_path: Path) -> None:
    task = unit(tmp_path, BRANCHY)
    assert task.compile is not None
    broken = CompileSpec("false", task.compile.preprocessed, ("-O3", "-fplugin=none"))
    moved = Task("u", task.baseline, (), TARGET, tmp_path / "s", task.deadline, compile=broken)
    assert list(CompilersProposer().propose(moved)) == []


def test_nothing_is_compiled_after_the_deadline(tmp_path: Path) -> None:
    assert list(CompilersProposer().propose(unit(tmp_path, SUM, seconds=0.0))) == []


def test_a_compiler_that_hangs_is_ended_at_the_deadline(tmp_path: Path) -> None:
    slow = tmp_path / "slow-gcc"
    slow.write_text('#!/bin/sh\ncase "$*" in *-S*) sleep 600;; esac\nexec gcc "$@"\n')
    slow.chmod(0o755)
    task = unit(tmp_path, BRANCHY)
    assert task.compile is not None
    spec = CompileSpec(str(slow), task.compile.preprocessed, ("-O3",))
    deadline = time.monotonic() + 0.5
    hung = Task("u", task.baseline, (), TARGET, tmp_path / "s", deadline, compile=spec)
    assert list(CompilersProposer([Setting("gcc", ("-O2",))]).propose(hung)) == []


def test_everything_is_written_below_scratch(tmp_path: Path) -> None:
    task = unit(tmp_path, BRANCHY, instrument=profiler(tmp_path, ["1 2 3"]))
    before = {p.name for p in tmp_path.iterdir()} | {"scratch", "i", "i.s", "run0"}
    list(CompilersProposer().propose(task))
    assert {p.name for p in tmp_path.iterdir()} == before


def test_one_same_setting_twice_is_one_candidate(tmp_path: Path) -> None:
    twice = [Setting("gcc", ("-O2",)), Setting("gcc", ("-O2",)), Setting("gcc", ("-O3",))]
    candidates = CompilersProposer(twice).propose(unit(tmp_path, SUM))
    assert [c.label for c in candidates] == ["gcc -O2"]


def test_settings_are_distinct_and_gcc_accepts_them(tmp_path: Path) -> None:
    assert len(set(SETTINGS)) == len(SETTINGS)
    (tmp_path / "e.c").write_text("int x;\n")
    common = gcc_common({})
    for setting in SETTINGS:
        if setting.compiler == "gcc":
            line = ["gcc", *common, *setting.options, "-S", "e.c", "-o", "e.s"]
            done = subprocess.run(line, cwd=tmp_path, capture_output=True, timeout=30)
            assert (done.returncode, done.stderr) == (0, b"")


def test_fusing_is_forbidden_only_where_the_baseline_cannot_fuse() -> None:
    assert "-ffp-contract=off" in gcc_common({})
    assert "-ffp-contract=off" not in gcc_common({"__FMA__": "1"})
    assert "-ffp-contract=fast" in (clang_keeps((), {"__FMA__": "1"}) or ())
    assert "-ffp-contract=on" in (clang_keeps(("-ffp-contract=on",), {}) or ())


def test_clang_gets_what_a_program_means_and_not_how_gcc_is_tuned() -> None:
    user = ("-O3", "-fwrapv", "-fno-strict-aliasing", "-std=gnu99", "-fno-ivopts", "-mtune=znver3")
    kept = clang_keeps(user, {"__pie__": "2", "__SSP_STRONG__": "3", "__CET__": "3"}) or ()
    assert kept[:3] == ("-fwrapv", "-fno-strict-aliasing", "-std=gnu99")
    assert {"-fPIE", "-fstack-protector-strong", "-fcf-protection=full"} <= set(kept)
    assert not {"-O3", "-fno-ivopts", "-mtune=znver3"} & set(kept)
    assert {"-fno-pic", "-fno-stack-protector"} <= set(clang_keeps((), {}) or ())
    assert clang_keeps(("-fexec-charset=latin1",), {}) is None
    assert clang_keeps(("-mabi=ms",), {}) is None


def test_features_are_named_one_by_one() -> None:
    assert clang_features(["AVX2", "SSE4_1", "RTM", "x86_64"]) == ("-msse4.1", "-mavx2")


def test_headers_that_only_gcc_reads_are_mended() -> None:
    text = "char *f (void) __attribute__ ((__malloc__ (g, 1))) __attribute__ ((__malloc__));"
    assert "g" not in clang_source(text)
    assert clang_source(text).count("__malloc__") == 2
    assert "typedef" not in clang_source(text)
    assert clang_source("_Float64 x;").startswith("typedef float _Float32;")


@pytest.mark.skipif(find_clang() is None, reason="clang is missing")
def test_clang_reads_units_with_intrinsics_by_its_own_headers(tmp_path: Path) -> None:
    source = """#include <emmintrin.h>
#include <stdlib.h>
#include <x86intrin.h>
#include <string.h>
size_t f(const char *a, __m128i *out, int n) {
    _mm_prefetch(a + 64, _MM_HINT_T0);
    __m128i x = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)a), 0x1b);
    _mm_storeu_si128(out, _mm_slli_si128(x, 3));
    return strlen(a) + (size_t)abs(n) + (size_t)__rdtsc();
}
"""
    (tmp_path / "x.c").write_text(source)
    cpp = ["gcc", "-O3", "-E", "x.c"]
    done = subprocess.run(cpp, cwd=tmp_path, capture_output=True, check=True, timeout=30)
    text = clang_source(done.stdout.decode())
    assert "__builtin_ia32" not in text
    assert text.count("#include <emmintrin.h>") == 1
    assert "struct random_data" in text
    (tmp_path / "clang.i").write_text(text)
    line = [str(find_clang()), "-O3", *clang_language(text), "-S", "clang.i", "-o", "x.s"]
    compiled = subprocess.run(line, cwd=tmp_path, capture_output=True, timeout=60)
    assert compiled.returncode == 0, compiled.stderr.decode()
    assert "pshufd" in (tmp_path / "x.s").read_text()


def test_a_unit_without_intrinsics_is_not_preprocessed_again() -> None:
    assert clang_language(clang_source("int x;")) == ("-x", "cpp-output")


def test_macros_of_the_users_options_are_read_and_a_missing_compiler_has_none() -> None:
    assert predefined_macros("gcc", ("-O2", "-mavx2"))["__AVX2__"] == "1"
    assert predefined_macros("no-such-gcc", ()) == {}


def test_a_newest_clang_is_found_where_there_is_one() -> None:
    found = find_clang()
    assert (found is None) == (
        not any(shutil.which(n) for n in ["clang", *(f"clang-{k}" for k in range(11, 31))])
    )
