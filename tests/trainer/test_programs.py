"""Programs around functions of families: what they are given, and what they print."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from gccllm.asm.normalise import function_text
from gccllm.asm.unit import Unit, parse
from gccllm.errors import UsageError
from gccllm.families.base import SlowForm
from gccllm.families.registry import FAMILIES
from gccllm.process import run
from gccllm.recordings import load
from gccllm.toolchain import Toolchain
from trainer.corpus.program_cases import CaseSpec, Runner, cases_of
from trainer.corpus.program_text import Draw, Fill, Parameter, Signature, program_of
from trainer.corpus.programs import (
    Dropped,
    JudgedProgram,
    example_programs,
    load_program,
    make_program,
)
from trainer.corpus.samples import Sample, draw_sample

EXAMPLES = Path(__file__).parents[2] / "examples"
COUNT = "int count(const int *p, int n, int k)\n{\n int c = 0;\n"
COUNT += " for (int i = 0; i < n; i++) c += p[i] == k;\n return c;\n}\n"
SUM = "void sums(long *out, const long *in, int n)\n{\n long s = 0;\n"
SUM += " for (int i = 0; i < n; i++) out[i] = s += in[i];\n}\n"
SCAN = "const char *scan(const char *s)\n{\n while (*s && *s != 'x') s++;\n return s;\n}\n"
SCALE = "double scale(const double *p, int n, float f)\n{\n double s = 0;\n"
SCALE += " for (int i = 0; i < n; i++) s += p[i] * f;\n return s;\n}\n"
HALVE = "int halve(unsigned x)\n{\n int n = 0;\n while (x != 1) { x /= 2; n++; }\n return n;\n}\n"


def slow(source: str) -> SlowForm:
    return SlowForm("test", source.split("(", 1)[0].split()[-1].lstrip("*"), source)


def sample(source: str) -> Sample:
    return Sample("test", 3, 1, slow(source), ("-O2",))


def compiled(source: str, options: tuple[str, ...]) -> Unit:
    argv = ["gcc", "-S", "-w", *options, "-x", "c", "-", "-o", "-"]
    return parse(run(argv, timeout=60, stdin=source.encode()).stdout.decode())


def runner(source: str, folder: Path, *options: str) -> Runner:
    path = folder / "program.c"
    path.write_text(program_of(slow(source)))
    out = folder / f"program{''.join(options)}"
    made = run(["gcc", *options, "-Wall", "-Werror", str(path), "-o", str(out)], timeout=60)
    assert made.ok, made.stderr.decode()
    return Runner(out, 5)


def test_a_signature_is_read() -> None:
    found = Signature.of(slow("unsigned char *find(const unsigned char *p, unsigned long n)\n{}\n"))
    assert found.result == "unsigned char *"
    assert found.parameters == (
        Parameter("unsigned char", array=True),
        Parameter("unsigned long"),
    )
    written = Signature.of(slow("static inline void f(int *restrict a, double x, short k[8])\n{}"))
    assert written.result == "void"
    assert [x.kind for x in written.parameters] == ["int", "double", "short"]
    assert [x.written for x in written.parameters] == [True, False, True]
    assert [x.number for x in written.parameters] == [False, False, False]


@pytest.mark.parametrize(
    "source",
    [
        "int f(struct point *p)\n{}\n",
        "int f(char **p)\n{}\n",
        "int f(void *p)\n{}\n",
        "struct point f(int x)\n{}\n",
    ],
)
def test_what_has_no_values_is_dropped(source: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"values|no use"):
        Signature.of(slow(source))
    made = make_program(Toolchain(), sample(source), tmp_path)
    assert isinstance(made, Dropped)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("source", [COUNT, SUM, SCAN, SCALE, HALVE])
def test_every_level_of_optimisation_prints_the_same(source: str, tmp_path: Path) -> None:
    draws = (Draw.UP_TO_LENGTH,) * len(Signature.of(slow(source)).numbers)
    if source == HALVE:
        draws = (Draw.ANY_LENGTH,)
    plain, fast = (runner(source, tmp_path, x) for x in ("-O0", "-O3"))
    seen = set()
    for fill in Fill:
        if source == SCAN and fill in (Fill.ALL_ONES, Fill.ASCENDING):
            continue  # no zero ends them
        case = CaseSpec("any", 100, 70, fill, draws)
        assert plain.output(case) == fast.output(case) is not None, fill
        seen.add(fast.output(case))
    assert len(seen) > 3 or source == HALVE


def test_what_a_function_writes_counts(tmp_path: Path) -> None:
    right = runner(SUM, tmp_path, "-O1")
    case = CaseSpec("any", 10, 33, Fill.RANDOM, (Draw.LENGTH,))
    before = right.output(case)
    wrong = runner(SUM.replace("s += in[i]", "s += in[i] + (i == 16)"), tmp_path, "-O1")
    assert wrong.output(case) != before


def test_lengths_stay_inside_and_keys_go_anywhere(tmp_path: Path) -> None:
    cases = cases_of(runner(COUNT, tmp_path, "-O1"), Signature.of(slow(COUNT)))
    assert not isinstance(cases, str)
    inside = {Draw.LENGTH, Draw.UP_TO_LENGTH}
    assert {x.draws[0] for x in cases} <= inside
    assert {x.draws[1] for x in cases} & {Draw.ELEMENT, Draw.EXTREME} == {
        Draw.ELEMENT,
        Draw.EXTREME,
    }
    assert {0, 1} <= {x.length for x in cases}
    assert cases[-1].name == "timed"


def test_what_hangs_is_no_case_and_hanging_always_is_no_program(tmp_path: Path) -> None:
    tools = Toolchain()
    made = make_program(tools, sample(HALVE), tmp_path)
    assert isinstance(made, JudgedProgram)
    names = {x.name for x in load(made.tests).cases}
    assert "zero" not in names  # 0 is never halved down to 1
    assert {"one", "byte", "timed"} <= names
    endless = make_program(
        tools, sample("int f(int x)\n{\n for (volatile int i = 0;; i++) ;\n}\n"), tmp_path / "x"
    )
    assert isinstance(endless, Dropped)
    assert "hangs" in endless.reason


def test_a_program_is_made_once_and_found_again(tmp_path: Path) -> None:
    tools, found = Toolchain(), sample(SUM)
    made = make_program(tools, found, tmp_path)
    assert isinstance(made, JudgedProgram)
    assert make_program(tools, found, tmp_path) == made
    assert load_program(tmp_path / f"{made.name}.json") == made
    recorded = load(made.tests)
    assert len(recorded.cases) >= 8
    made.source.with_suffix(".json").write_text('{"name": "x"}')
    with pytest.raises(UsageError, match="describes no program"):
        make_program(tools, found, tmp_path)


def test_the_function_is_compiled_as_it_is_alone() -> None:
    for number, family in enumerate(FAMILIES[:8]):
        drawn = draw_sample(family, number, 3)
        name = drawn.slow.function
        alone = function_text(compiled(drawn.slow.source, drawn.options), name)
        whole = function_text(compiled(program_of(drawn.slow), drawn.options), name)
        assert alone == whole, family.name


def test_every_family_has_a_signature() -> None:
    for family in FAMILIES:
        for seed in range(12):
            Signature.of(family.slow(random.Random(seed)))


def test_the_examples_are_programs() -> None:
    found = list(example_programs(EXAMPLES))
    assert len(found) == len(list(EXAMPLES.glob("*.c")))
    assert all(load(x.tests).cases for x in found)
    with pytest.raises(UsageError, match="no NAME"):
        list(example_programs(EXAMPLES / "binsearch.tests"))
