"""Forms that do part of a loop and leave the rest to gcc's own code."""

from __future__ import annotations

import ctypes
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from gccllm.asm.region_text import replace as replaced
from gccllm.asm.splice import Spliced, splice
from gccllm.asm.unit import Unit, parse
from gccllm.families import (
    argmax,
    bytescan,
    find,
    findlimit,
    fletcher,
    horner,
    mismatch,
    prefixsum,
    runningmax,
    sortedcheck,
)
from gccllm.families.base import Family, Form, Hints, SlowForm
from gccllm.families.layouts import layouts
from gccllm.families.loopstate import LoopState, loop_states
from gccllm.harness.compare import Harness
from gccllm.process import run
from gccllm.proposers.idioms import Wired, Wirer
from gccllm.toolchain import Toolchain

FAMILIES = tuple(
    module.FAMILY
    for module in (
        argmax,
        bytescan,
        find,
        findlimit,
        fletcher,
        horner,
        mismatch,
        prefixsum,
        runningmax,
        sortedcheck,
    )
)
FIND = """int f(const int *p, int n, int k) {
    for (int i = 0; i < n; i++) if (p[i] == k) return i;
    return -1;
}"""
# Every mnemonic that the families ask for, so that they give all their forms.
EVERYTHING = Hints(
    (
        "L0:",
        *(
            f"\tcmp{x}\t4(%rdi), %{y}"
            for x, y in zip("bwlq", ("al", "ax", "eax", "rax"), strict=True)
        ),
        "\timull\t(%rdi,%rcx,4), %eax",
        "\timulq\t(%rdi,%rcx,8), %rax",
        "\taddl\t(%rdi,%rcx), %eax",
        "\tsubl\t$1, %edx",
        "\tjne\tL0",
    )
)


@pytest.fixture(scope="module")
def tools() -> Toolchain:
    return Toolchain()


@pytest.fixture(scope="module")
def harness(tools: Toolchain) -> Iterator[Harness]:
    with Harness(toolchain=tools) as opened:
        yield opened


def compiled(tools: Toolchain, source: str) -> Unit:
    argv = [tools.cc, "-O3", "-S", "-x", "c", "-", "-o", "-"]
    done = run(argv, timeout=30, stdin=source.encode())
    assert done.ok, done.stderr.decode()
    return parse(done.stdout.decode())


def equal(
    tools: Toolchain, harness: Harness, family: Family, unit: Unit, folder: Path
) -> Iterator[tuple[Wired, str]]:
    """What is equal to a region of function f, and the unit's text with it in place."""
    features = tools.isa("native", ()).features
    for layout in layouts(tools, unit, "f", folder / "unit.o"):
        for region in layout.regions:
            for wired in Wirer(harness, features, (family,), slow=True).equal(layout, region):
                donor = parse(replaced(layout.unit, region, wired.instance.lines))
                done = splice(unit, donor, ["f"], tag="t")
                assert isinstance(done, Spliced)
                yield wired, done.text


def made(form: Form) -> Family:
    return Family("made", lambda rng: SlowForm("made", "f", ""), lambda hints: [form])


def test_gccs_own_loop_stands_behind_the_form(
    tools: Toolchain, harness: Harness, tmp_path: Path
) -> None:
    unit = compiled(tools, FIND)
    found = [w.instance for w, _ in equal(tools, harness, find.FAMILY, unit, tmp_path)]
    assert found
    for instance in found:
        assert any("cmpl" in x for x in instance.lines[-4:])
        assert instance.spoilt != instance.lines
        assert any("notq" in x for x in instance.spoilt)
        assert not any("notq" in x or "{" in x for x in instance.lines)


def test_a_form_that_hardly_ever_does_something_is_not_called_equal(
    tools: Toolchain, harness: Harness, tmp_path: Path
) -> None:
    """Its own way would be wrong, but no state takes it."""
    vain = Form(
        "vain",
        "movabsq $0x123456789abcdef, {t:q}\n cmpq {t:q}, {i:q}\n jne {B}\n addq $5, {i:q}\n {S}\n"
        "jmp {B}",
        changes="i",
        scratch="t",
    )
    assert list(equal(tools, harness, made(vain), compiled(tools, FIND), tmp_path)) == []


def test_a_form_that_skips_what_it_may_not_is_refused(
    tools: Toolchain, harness: Harness, tmp_path: Path
) -> None:
    bold = Form(
        "bold",
        "movq {n:q}, {t:q}\n subq {i:q}, {t:q}\n cmpq $3, {t:q}\n jle {B}\n addq $2, {i:q}\n {S}\n"
        "jmp {B}",
        inputs="n",
        changes="i",
        scratch="t",
    )
    assert list(equal(tools, harness, made(bold), compiled(tools, FIND), tmp_path)) == []


@pytest.mark.parametrize("family", FAMILIES, ids=lambda x: x.name)
def test_no_name_stands_for_two_registers(family: Family) -> None:
    forms = list(family.forms(EVERYTHING))
    assert forms
    for form in forms:
        names = [*form.general, *form.vectors.split(), *form.masks.split()]
        assert len(names) == len(set(names)), form.label
        assert form.lines[-1] == "jmp {B}"
        assert "{S}" in form.lines


def test_an_index_and_a_pointer_are_brought_on_together() -> None:
    state = LoopState("s", 4, "%A({p:q})", "n", "p i", ("x",), True, ("p",), ("i:l",), ("n:q",))
    assert state.on(32) == ["addq $32, {p:q}", "addl $8, {i:l}", "subq $8, {n:q}"]
    assert state.on_by("t") == [
        "addq {t:q}, {p:q}",
        "subq {t:q}, {r:q}",
        "sarq $2, {t:q}",
        "addl {t:l}, {i:l}",
        "subq {t:q}, {n:q}",
    ]
    assert state.on_by("m", elements=True)[-3] == "salq $2, {m:q}"
    assert (state.at(0), state.at(8, "o")) == ("({p:q})", "8({o:q})")
    assert (state.block(64), state.pointers) == (64, "p")


def test_states_follow_from_the_operands() -> None:
    indexed = Hints(("L0:", "\tcmpl\t%eax, (%rdi,%rdx,4)", "\tjne\tL0"))
    assert [x.name for x in loop_states(4, indexed)] == ["index", "offset"]
    moving = Hints(("L0:", "\tcmpb\t$0, (%rdi)", "\tjne\tL0"))
    assert [x.name for x in loop_states(1, moving, endless=True)] == [
        "pointer",
        "pointer and i:l",
        "pointer and i:q",
    ]


class Memory:
    """Four pages with an inaccessible one behind them."""

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [
            ctypes.c_void_p,
            ctypes.c_size_t,
            *([ctypes.c_int] * 3),
            ctypes.c_long,
        ]
        found = libc.mmap(None, 5 * 4096, 3, 0x22, -1, 0)
        assert found not in (None, ctypes.c_void_p(-1).value)
        self.start: int = found
        assert libc.mprotect(ctypes.c_void_p(self.start + 4 * 4096), 4096, 0) == 0

    def ints(self, end: int, values: list[int]) -> int:
        """Address of the values, which end ``end`` bytes before the inaccessible page."""
        at = self.start + 4 * 4096 - end - 4 * len(values)
        ctypes.memmove(at, (ctypes.c_int * len(values))(*values), 4 * len(values))
        return at


@pytest.mark.parametrize("where", ["mismatch", "find", "sortedcheck"])
def test_searches_over_pages_agree_with_the_source(
    where: str, tools: Toolchain, harness: Harness, tmp_path: Path
) -> None:
    """Arrays of some pages, at all phases to each other, up to the last byte that is there."""
    hit = {"mismatch": "p[i] != q[i]", "find": "p[i] == k", "sortedcheck": "p[i] > p[i + 1]"}[where]
    source = (
        "int f(const int *p, const int *q, int n, int k) {"
        f"int i; for (i = 0; i < n; i++) if ({hit}) break; return i; }}"
    )
    family = {"mismatch": mismatch, "find": find, "sortedcheck": sortedcheck}[where].FAMILY
    rng = random.Random(7)
    one, other = Memory(), Memory()
    tried = 0
    for number, (_, text) in enumerate(
        equal(tools, harness, family, compiled(tools, source), tmp_path)
    ):
        path, library = tmp_path / f"{number}.s", tmp_path / f"{number}.so"
        path.write_text(text)
        assert run([tools.cc, "-shared", str(path), "-o", str(library)], timeout=30).ok
        function = ctypes.CDLL(str(library)).f
        function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
        for turn in range(60):
            n = rng.choice([rng.randrange(100), rng.randrange(3900)])
            values = list(range(10, n + 11))
            at = rng.randrange(n + 1)
            second = list(values)
            if at < n:
                second[at] = -1
            p = one.ints(4 * rng.randrange(20), second if where == "sortedcheck" else values)
            q = other.ints(4 * (turn % 20), second)
            expected = at
            if where == "sortedcheck" and at < n:
                expected = at - 1 if at else n
            assert function(p, q, n, at + 10 if at < n else -5) == expected
        tried += 1
    assert tried
