"""bench.projects on a project of one file: what is kept, gone on with, and said."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench.projects import building, measuring
from bench.projects.building import BASELINE, CONTROL, Built, Effort, Unbuilt
from bench.projects.catalogue import PROJECTS, Project, Timed
from bench.projects.measuring import Plan, measure
from bench.projects.record import Record, load_all
from bench.projects.table import table

NATIVE = "gcc native"
SOURCE = """#include <stdio.h>
int main(void) {
    unsigned sum = 0;
    for (int c; (c = getchar()) != EOF;) sum = sum * 31 + (unsigned)c;
    printf("%u\\n", sum WRONG);
    return 0;
}
"""
BUILD = "mkdir -p out && $CC $CFLAGS $LDFLAGS -DWRONG= sum.c -o out/sum"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "sum.c").write_text(SOURCE)
    return folder


@pytest.fixture(autouse=True)
def few_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "text").write_text("some text\n")

    monkeypatch.setattr(measuring, "make_inputs", make)


def project(build: str = BUILD, suite: str = "true") -> Project:
    return Project(
        package="sum",
        build=build,
        program="out/sum",
        workload="out/sum < $IN/text",
        prepare="out/sum < $IN/text > $IN/prepared",
        timed=(Timed((), "text"), Timed((), "prepared")),
        check="true",
        suite=suite,
        suite_is="nothing",
    )


def plan(work: Path, *variants: str, rounds: int = 3, again: bool = False) -> Plan:
    work.mkdir(exist_ok=True)
    core = max(os.sched_getaffinity(0))
    return Plan(variants, Effort(10.0), rounds, core, work, again=again)


def builds_of(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The variants that are built from here on."""
    built: list[str] = []
    real: Callable[..., Built] = building.build_variant

    def note(*args: object) -> Built:
        built.append(str(args[1]))
        return real(*args)

    monkeypatch.setattr(measuring, "build_variant", note)
    return built


def lines(measured: dict[str, Record]) -> str:
    return "\n".join(table(measured))


def test_variants_are_built_and_timed_beside_a_copy(tmp_path: Path, source: Path) -> None:
    work = tmp_path / "work"
    done = measure("zlib", project(), source, "1.0", plan(work, BASELINE, NATIVE))
    assert {x: len(times) for x, times in done.times.items()} == {
        BASELINE: 3,
        NATIVE: 3,
        CONTROL: 3,
    }
    assert load_all(work) == {"zlib": done}


def test_a_run_goes_on_where_the_last_one_ended(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, built = tmp_path / "work", builds_of(monkeypatch)
    measure("zlib", project(), source, "1.0", plan(work, BASELINE))
    measure("zlib", project(), source, "1.0", plan(work, BASELINE, NATIVE))
    assert built == [BASELINE, NATIVE]
    again = measure("zlib", project(), source, "1.0", plan(work, NATIVE, rounds=4))
    assert built == [BASELINE, NATIVE]
    assert len(again.times[NATIVE]) == 4
    measure("zlib", project(), source, "1.0", plan(work, NATIVE, again=True))
    assert built == [BASELINE, NATIVE, NATIVE]
    measure("zlib", project(), source, "1.1", plan(work, NATIVE))
    assert built == [BASELINE, NATIVE, NATIVE, BASELINE, NATIVE]


def test_what_was_built_before_an_interrupt_is_kept(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"

    def interrupted(*args: object, seed: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(measuring, "interleaved", interrupted)
        with pytest.raises(KeyboardInterrupt):
            measure("zlib", project(), source, "1.0", plan(work, BASELINE))
    built = builds_of(monkeypatch)
    done = measure("zlib", project(), source, "1.0", plan(work, BASELINE))
    assert built == []
    assert len(done.times[BASELINE]) == 3


@pytest.mark.skipif(shutil.which("qemu-x86_64") is None, reason="qemu-user is missing")
@pytest.mark.parametrize("flags", ["-O3", "-O3 -mavx2 -DAVX"])
def test_a_program_for_all_processors_is_run_on_an_old_one(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch, flags: str
) -> None:
    work, variant = tmp_path / "work", "gcc-llm dispatch"
    new = '\n#ifdef AVX\n__asm__ volatile("vpxor %ymm0, %ymm0, %ymm0");\n#endif\n'
    (source / "sum.c").write_text(SOURCE.replace("unsigned sum = 0;", f"unsigned sum = 0;{new}"))
    plain = replace(building.VARIANTS[BASELINE], flags=flags, isa="dispatch")
    variants = {**building.VARIANTS, variant: plain}
    monkeypatch.setattr(building, "VARIANTS", variants)
    done = measure("zlib", project(), source, "1.0", plan(work, BASELINE, variant))
    if "AVX" in flags:
        assert done.unbuilt == {variant: "gives other outputs on Conroe"}
        assert variant not in done.times
    else:
        assert done.built[variant].elsewhere == "Conroe"
        assert "; the same on Conroe" in lines(load_all(work))


FAILS_NATIVE = f"case $CFLAGS in *native*) echo no such luck >&2; exit 1;; esac; {BUILD}"
OTHER_NATIVE = f"case $CFLAGS in *native*) more='+1';; esac; {BUILD}".replace(
    "-DWRONG=", '"-DWRONG=$more"'
)


@pytest.mark.parametrize(
    ("build", "said"),
    [(FAILS_NATIVE, "build: no such luck"), (OTHER_NATIVE, "gives other outputs")],
)
def test_a_variant_that_fails_is_said_and_ends_nothing(
    tmp_path: Path, source: Path, build: str, said: str
) -> None:
    work = tmp_path / "work"
    done = measure("zlib", project(build), source, "1.0", plan(work, BASELINE, NATIVE, CONTROL))
    assert done.unbuilt == {NATIVE: said}
    assert set(done.times) == {BASELINE, CONTROL}
    assert f"- zlib, {NATIVE}: {said}" in lines(load_all(work))


def test_a_project_that_fails_is_said(tmp_path: Path, source: Path) -> None:
    work = tmp_path / "work"
    with pytest.raises(Unbuilt, match="exit status 3"):
        measure("zlib", project("exit 3"), source, "1.0", plan(work, BASELINE))
    assert f"- zlib, {BASELINE}: build: exit status 3" in lines(load_all(work))


def test_a_suite_that_fails_is_said(tmp_path: Path, source: Path) -> None:
    work = tmp_path / "work"
    measure("zlib", project(suite="false"), source, "1.0", plan(work, BASELINE, NATIVE))
    text = lines(load_all(work))
    assert "tests fail" in text
    assert f"| zlib | {NATIVE} |" in text
    assert "FAIL: make test" in text


def test_what_a_search_found_is_in_the_table(tmp_path: Path) -> None:
    told: dict[str, object] = {
        "considered": 0.5,
        "functions": [
            {"function": "deflate", "assurance": "fuzzed"},
            {"function": "inflate", "assurance": ""},
        ],
        "assurance": "fuzzed",
        "reason": "",
    }
    made = Built(tmp_path / "x", 130.0, True, told, Effort(120.0, "compilers"))
    times = {BASELINE: [2.0] * 6, "gcc-llm target": [1.6] * 6}
    record = Record("1", {"gcc-llm target": made}, {"gcc BOLT": "no llvm-bolt"}, times)
    record.save(tmp_path / "zlib.json")
    text = lines(load_all(tmp_path))
    assert "1.25 (1.25–1.25)" in text
    row = "| zlib | gcc-llm target | 130 s | pass: make test | 120 s compilers | 50% | deflate |"
    assert f"{row} fuzzed |" in text
    assert "- zlib, gcc BOLT: no llvm-bolt" in text


def test_a_damaged_record_is_measured_anew(tmp_path: Path) -> None:
    (tmp_path / "zlib.json").write_text("{")
    assert load_all(tmp_path) == {"zlib": Record()}


@pytest.mark.parametrize("name", PROJECTS)
def test_every_project_of_the_catalogue_is_complete(name: str) -> None:
    one = PROJECTS[name]
    parts: Sequence[str] = (one.package, one.build, one.workload, one.check, one.suite_is)
    assert all(parts)
    assert one.timed
    assert one.budget >= 600
