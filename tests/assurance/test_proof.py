"""Right versions are proved, wrong ones refuted by a state that was run, the rest is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from gccllm.asm.code import functions_of
from gccllm.asm.region_text import render
from gccllm.asm.regions import Region, regions
from gccllm.asm.unit import Unit, parse
from gccllm.assurance.levels import Assurance, Examination, Standing
from gccllm.assurance.proof import solvers
from gccllm.assurance.proof.native import Concrete
from gccllm.assurance.proof.prove import prove, prove_region
from gccllm.process import run
from tests.asm.tools import assemble
from tests.harness.kernels import KERNELS, lines_of

SOURCE = Path(__file__).parent.parent / "harness" / "kernels.s"
SECONDS = 30.0

Found = tuple[Unit, Mapping[str, Region]]


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    pytest.importorskip("pyvex")
    if not solvers.installed():
        pytest.skip("no solver is installed")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    text = SOURCE.read_text()
    unit = parse(text)
    code = functions_of(assemble(text, tmp_path_factory.mktemp("kernels") / "kernels.o"))
    return unit, {name: regions(unit, name, code)[0] for name in KERNELS}


def examined(found: Found, name: str, text: str, seconds: float = SECONDS) -> Examination:
    unit, region = found[0], found[1][name]
    base = render(unit, region).splitlines()
    return prove_region(region, unit, base, lines_of(text), seconds=seconds)


@pytest.mark.parametrize(
    ("name", "variant"), [("popcount", "popcnt"), ("absolute", "shift"), ("saturate", "sbb")]
)
def test_right_versions_are_proved_for_all_states(found: Found, name: str, variant: str) -> None:
    done = examined(found, name, KERNELS[name].right[variant])
    assert done.level is Assurance.PROVED
    assert done.standing is Standing.PASSED
    assert done.evidence["bound"] is None
    assert done.evidence["paths"]


def test_a_loop_over_an_array_is_proved_up_to_a_bound(found: Found) -> None:
    done = examined(found, "sum", KERNELS["sum"].right["sse2"], 3.0)
    assert done.standing is Standing.PASSED
    bound = done.evidence["bound"]
    assert isinstance(bound, int)
    assert bound >= 8
    assert f"up to {bound} jumps back" in done.detail


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("popcount", "off by one"),
        ("popcount", "wrong register"),
        ("popcount", "clobbers rbx"),
        ("absolute", "unsigned shift"),
        ("absolute", "wide compare"),
        ("saturate", "signed"),
        ("saturate", "wraps"),
        ("sum", "aligned loads"),
        ("sum", "one byte over"),
        ("copy", "one less"),
    ],
)
def test_wrong_versions_are_refuted_by_a_state_that_was_run(
    found: Found, name: str, variant: str
) -> None:
    done = examined(found, name, KERNELS[name].wrong[variant], 3.0)
    assert done.standing is Standing.REFUTED
    assert done.evidence["difference"]
    assert "rdi=" in str(done.evidence["state"])


def compiled(folder: Path, name: str, text: str, *options: str) -> Path:
    source, target = folder / f"{name}.c", folder / f"{name}.o"
    source.write_text(text)
    done = run(["gcc", "-O2", *options, "-c", str(source), "-o", str(target)], timeout=30)
    assert done.ok, done.stderr
    return target


def functions(folder: Path, first: str, second: str, bits: int = 32) -> Examination:
    pair = (compiled(folder, "first", first), compiled(folder, "second", second))
    return prove(*pair, "f", result={"rax": bits}, seconds=SECONDS)


def test_division_by_a_constant_is_proved_against_the_division_itself(tmp_path: Path) -> None:
    magic = "int f(int x) { return x / 7 + x % 7; }"
    divide = 'int f(int x) { int d = 7; __asm__("" : "+r"(d)); return x / d + x % d; }'
    fixed = "int f(int x) { int q = x / 7; return x - 6 * q; }"
    assert functions(tmp_path, magic, fixed).standing is Standing.PASSED
    done = functions(tmp_path, magic, divide)
    assert done.standing is Standing.PASSED
    assert done.evidence["queries"] == 0
    wrong = functions(tmp_path, magic, "int f(int x) { return x / 7 + (x & 7); }")
    assert wrong.standing is Standing.REFUTED


def test_a_static_variable_and_a_table_are_followed(tmp_path: Path) -> None:
    table = "static const unsigned char t[4] = {3, 1, 4, 1};\nextern int n;\n"
    first = f"{table}int f(unsigned x) {{ n += x; return t[x & 3]; }}"
    second = f"{table}int f(unsigned x) {{ int r = t[x % 4]; n = (int)x + n; return r; }}"
    assert functions(tmp_path, first, second).standing is Standing.PASSED
    other = second.replace("4, 1}", "4, 2}")
    done = functions(tmp_path, first, other)
    assert done.standing is Standing.REFUTED
    assert "rax" in str(done.evidence["difference"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("double f(double x) { return x + 1; }", "not supported"),
        ("int g(int);\nint f(int x) { return g(x) + 1; }", "a call"),
        ("int f(int (*p)(int), int x) { return p(x) + 1; }", "a call"),
        ("long double f(long double x) { return x + 1; }", "not supported"),
    ],
)
def test_what_is_not_modelled_is_unknown(tmp_path: Path, text: str, reason: str) -> None:
    done = functions(tmp_path, text, text)
    assert done.standing is Standing.UNKNOWN
    assert reason in done.detail


def test_what_callers_never_pass_does_not_refute(tmp_path: Path) -> None:
    first = compiled(tmp_path, "first", "int f(unsigned x) { return x / 2; }")
    second = compiled(tmp_path, "second", "int f(int x) { return x >> 1; }")
    open_ended = prove(first, second, "f", result={"rax": 32})
    assert open_ended.standing is Standing.REFUTED
    asked: list[Concrete] = []

    def small(state: Concrete) -> bool:
        asked.append(state)
        return state.general["rdi"] & 0xFFFF_FFFF < 1 << 31

    outside = prove(first, second, "f", result={"rax": 32}, expected=small)
    assert outside.standing is Standing.UNKNOWN
    assert outside.detail == "differs outside observed inputs"
    assert asked
    within = prove(first, second, "f", result={"rax": 32}, bounds={"rdi": (0, 1000)})
    assert within.standing is Standing.PASSED
    assert within.evidence["within"] == {"rdi": "0x0..0x3e8"}


def test_without_solvers_nothing_is_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "int f(int x) { return x; }"
    monkeypatch.setattr("gccllm.assurance.proof.examine.installed", dict)
    done = functions(tmp_path, text, text)
    assert done.standing is Standing.UNKNOWN
    assert "pip install" in done.detail
