"""The ladder's parts on real assembly: accounts of blocks, regions found again, replays."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from gccllm.asm.code import functions_of
from gccllm.asm.region_text import render, replace
from gccllm.asm.unit import Unit, parse
from gccllm.assurance.coverage import Block, Coverage
from gccllm.assurance.differential.layout import Kind, Layout, Leaf, Parameter, signature
from gccllm.assurance.ladder.accounts import Account, account, blocks_of
from gccllm.assurance.ladder.helpers import Helpers
from gccllm.assurance.ladder.region import examine_region
from gccllm.assurance.ladder.replay import agrees
from gccllm.assurance.ladder.rewritten import Rewritten, rewritten
from gccllm.assurance.ladder.same_flow import same_flow
from gccllm.assurance.ladder.stops import Stops
from gccllm.assurance.ladder.unchanged import unchanged
from gccllm.assurance.levels import Standing
from gccllm.assurance.unreachable import Unreachable
from gccllm.families.layouts import layouts
from gccllm.harness.compare import Harness
from gccllm.recordings import Expected, load, save_case
from gccllm.sandbox import choose
from gccllm.sandbox.base import RunLimits
from gccllm.toolchain import Toolchain
from gccllm.types import Json

COUNT = """int count(unsigned long x) {
    int bits = 0;
    while (x) { bits += x & 1; x >>= 1; }
    return bits;
}
"""


def compiled(source: str, *options: str) -> str:
    argv = ["gcc", "-O2", "-S", *options, "-x", "c", "-", "-o", "-"]
    done = subprocess.run(argv, input=source.encode(), capture_output=True, check=True)
    return done.stdout.decode()


TWO = """\
\t.text
\t.globl\tf
\t.type\tf, @function
f:
\ttestl\t%edi, %edi
\tje\t.L3
\tmovl\t$1, %eax
\tret
.L3:
\tmovl\t$2, %eax
\tret
\t.size\tf, .-f
"""


def coverage(text: str, *missed: int) -> Coverage:
    """Of f, with the blocks of these numbers never entered."""
    blocks = list(blocks_of(text, "f"))
    unreached = tuple(Block("f", blocks[i].line, "") for i in missed)
    return Coverage("u", "f", len(blocks), len(blocks) - len(missed), unreached)


def made(candidate: str, ours: Sequence[int], theirs: Sequence[int]) -> Account:
    return account((TWO, candidate), coverage(TWO, *ours), [coverage(candidate, *theirs)])


def test_blocks_that_were_run_leave_nothing_open() -> None:
    found = made(TWO, [], [])
    assert found.complete
    assert found.entered
    assert (found.candidate.blocks, found.candidate.reached) == (3, 3)


def test_a_block_that_is_in_both_versions_and_never_run_is_gccs_own() -> None:
    renamed = TWO.replace(".L3", ".Lother")
    found = made(renamed, [2], [2])
    assert found.complete
    assert (found.baseline.same, found.candidate.same) == (1, 1)


def test_a_new_block_that_was_never_run_stays_open() -> None:
    found = made(TWO.replace("$2", "$3"), [2], [2])
    assert not found.complete
    assert [x.body for x in found.candidate.gaps] == [("movl $3, %eax", "ret")]
    assert [x.body for x in found.baseline.gaps] == [("movl $2, %eax", "ret")]
    assert "1 never" in str(found)


def test_a_dropped_branch_stays_open_where_gccs_was_never_run() -> None:
    dropped = TWO.replace("\ttestl\t%edi, %edi\n\tje\t.L3\n", "").replace(
        ".L3:\n\tmovl\t$2, %eax\n\tret\n", ""
    )
    found = made(dropped, [2], [])
    assert [x.body for x in found.baseline.gaps] == [("movl $2, %eax", "ret")]
    assert not found.complete
    assert made(dropped, [], []).complete


def test_one_block_of_gccs_stands_for_one_of_the_candidates() -> None:
    twice = TWO.replace("\tmovl\t$1, %eax\n", "\tmovl\t$2, %eax\n")
    found = made(twice, [2], [1, 2])
    assert len(found.candidate.gaps) == 1


FAILS = """\
\t.section\t.rodata.str1.1,"aMS",@progbits,1
.LC0:
\t.string\t"x.c"
.LC1:
\t.string\t"n > 0"
\t.text
\t.globl\tf
\t.type\tf, @function
f:
\ttestl\t%edi, %edi
\tjle\t.L3
\tmovl\t$1, %eax
\tret
.L3:
\tsubq\t$8, %rsp
\tleaq\tname(%rip), %rcx
\tmovl\t$17, %edx
\tleaq\t.LC0(%rip), %rsi
\tleaq\t.LC1(%rip), %rdi
\tcall\t__assert_fail@PLT
\t.size\tf, .-f
"""
# The same failure as clang writes it: other labels, another order, the other name of the function.
FAILS_TOO = """\
\t.section\t.rodata.str1.1,"aMS",@progbits,1
.Lstr:
\t.asciz\t"n > 0"
.Lstr.1:
\t.asciz\t"x.c"
\t.text
\t.globl\tf
\t.type\tf, @function
f:
\ttestl\t%edi, %edi
\tjle\t.LBB0
\tmovl\t$1, %eax
\tretq
.LBB0:
\tpushq\t%rax
\tleaq\t.Lstr(%rip), %rdi
\tleaq\t.Lstr.1(%rip), %rsi
\tleaq\t.Lname(%rip), %rcx
\tmovl\t$17, %edx
\tcallq\t__assert_fail@PLT
\t.size\tf, .-f
"""


def failing(candidate: str, ours: Sequence[int] = (2,), theirs: Sequence[int] = (2,)) -> Account:
    texts = (FAILS, candidate)
    return account(texts, coverage(FAILS, *ours), [coverage(candidate, *theirs)])


def test_a_block_that_ends_the_program_as_gccs_does_is_gccs() -> None:
    found = failing(FAILS_TOO)
    assert found.complete
    assert (found.baseline.ends, found.candidate.ends) == (1, 1)
    assert "1 never, but they end the program as gcc's do" in str(found)
    gcc = found.evidence()["gcc"]
    assert isinstance(gcc, dict)
    assert gcc["ends"] == 1
    twice = FAILS_TOO.replace("\tmovl\t$1, %eax\n\tretq\n", "\tjmp\t.LBB0\n")
    assert failing(twice, theirs=(1,)).complete, (
        "it says where in the source it stands, so once stands for all"
    )


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('"n > 0"', '"n > 1"'),
        ('"x.c"', '"y.c"'),
        ("$17, %edx", "$18, %edx"),
        ("__assert_fail", "__warn_fail"),
        ("\tpushq\t%rax\n", "\tmovl\t$3, counter(%rip)\n"),
        ("\tpushq\t%rax\n", "\tcallq\tother\n"),
        (".Lstr(%rip), %rdi", ".Lelsewhere(%rip), %rdi"),
        ("\tleaq\t.Lstr(%rip), %rdi\n", ""),
        ("\tleaq\t.Lstr(%rip), %rdi\n", "\tmovq\t%rbx, %rdi\n"),
        ("\tleaq\t.Lstr(%rip), %rdi\n", "\tmovq\t.Lstr(%rip), %rdi\n"),
        ("\tleaq\t.Lstr(%rip), %rdi\n", "\tleaq\t.Lstr(%rip), %rdi\n\taddq\t$1, %rdi\n"),
    ],
)
def test_another_end_of_the_program_stays_open(right: str, wrong: str) -> None:
    assert right in FAILS_TOO
    found = failing(FAILS_TOO.replace(right, wrong))
    assert len(found.candidate.gaps) == 1
    assert len(found.baseline.gaps) == 1


@pytest.mark.parametrize(
    ("ours", "theirs", "complete"),
    [
        (
            "movl $1, %edi; call exit@PLT",
            "pushq %rax; movl $1, %edi; callq *exit@GOTPCREL(%rip)",
            1,
        ),
        ("call abort@PLT", "jmp abort@PLT", 1),
        ("movl $1, %edi; call exit@PLT", "movl $1, %edi; vzeroupper; call exit@PLT", 1),
        ("call abort@PLT", "call *abort(%rip)", 0),
        ("xorl %edi, %edi; call exit", "movl $0, %edi; jmp exit", 1),
        ("movl $1, %edi; call exit@PLT", "pushq %rax; movl $2, %edi; callq exit@PLT", 0),
        ("movl $1, %edi; call exit@PLT", "movl $1, %edi; nop; jmp _exit", 0),
        ("movl %eax, %edi; call exit@PLT", "movl %ecx, %edi; call exit@PLT", 0),
        ("movl $1, %edi; call exit@PLT", "movl $1, %edi; mov $2, %dil; call exit@PLT", 0),
    ],
)
def test_ends_without_a_place_stand_one_for_one(ours: str, theirs: str, complete: int) -> None:
    def ending(body: str) -> str:
        lines = "".join("\t" + x.strip().replace(" ", "\t", 1) + "\n" for x in body.split(";"))
        return TWO.replace("\tmovl\t$2, %eax\n\tret\n", lines)

    texts = ending(ours), ending(theirs)
    found = account(texts, coverage(texts[0], 2), [coverage(texts[1], 2)])
    assert found.complete == bool(complete)
    run = account(texts, coverage(texts[0]), [coverage(texts[1], 2)])
    assert not run.complete, "runs ended so with gcc's version, and not with the candidate's"
    own = "\t.type\tNAME, @function\nNAME:\n\tret\n\t.size\tNAME, .-NAME\n"
    local = (
        own.replace("NAME", "abort") + own.replace("NAME", "exit") + own.replace("NAME", "_exit")
    )
    mine = texts[0] + local, texts[1] + local
    assert not account(mine, coverage(mine[0], 2), [coverage(mine[1], 2)]).complete, "they return"
    more = texts[1].replace(
        "\tmovl\t$1, %eax\n\tret\n", texts[1].split(".L3:\n")[1].split("\t.size")[0]
    )
    assert not account((texts[0], more), coverage(texts[0], 2), [coverage(more, 1, 2)]).complete


FAIL = """#include <stdio.h>
#include <stdlib.h>
void give_up(int why) {
    fprintf(stderr, "error %d\\n", why);
    if (why == 7)
        fputs("seven\\n", stderr);
    exit(3);
}
"""
NUMBERED = "void f(int n) __attribute__((noipa)); void give_up(int); void g(int);\n"
CHECKS = "if (n == 1) give_up(11); if (n == 2) give_up(12);"
INT = Parameter("why", "int", Layout("int", 4, 4, (Leaf("", 0, Kind.SIGNED, 4),)))


def stops(fail: str, ours: str, parameter: Parameter = INT) -> Stops:
    """Of a program of two units: the one that fails, and gcc's own."""
    units = {"fail": parse(fail), "own": parse(ours)}
    return Stops(lambda: units, lambda unit, name: signature(name, [parameter], None, []))


def test_functions_of_the_programs_own_that_never_return() -> None:
    ours = compiled(f"{NUMBERED} void f(int n) {{ {CHECKS} g(n); }}")
    fail = compiled(FAIL)
    known = stops(fail, ours)
    assert known.arguments("own", "give_up") == ("rdi",)
    assert known.arguments("fail", "give_up") == ("rdi",)
    assert known.arguments("own", "give_up", [("fail", "give_up")]) is None, "it is not gcc's"
    assert known.arguments("own", "g") is None
    assert known.arguments("own", "f") is None
    wide = Parameter("why", "long", Layout("long", 8, 8, (Leaf("", 0, Kind.SIGNED, 8),)))
    assert stops(fail, ours, wide).arguments("own", "give_up") is None
    hidden = fail.replace("\t.globl\tgive_up\n", "")
    assert stops(hidden, ours).arguments("own", "give_up") is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("exit(3);", ""),
        ("exit(3);", "if (why != 9) exit(3);"),
        ("exit(3);", "extern void leave(void); leave();"),
        ("if (why == 7)", "extern long b[]; if (why == 8) __builtin_longjmp(b, 1); if (why == 7)"),
        ("if (why == 7)", "extern void (*hook)(void); hook(); if (why == 7)"),
        ("fputs(", "say("),
        ("exit(3);", 'for (;;) __asm__ ("ret");'),
    ],
)
def test_what_may_return_or_leave_is_no_stop(before: str, after: str) -> None:
    assert before in FAIL
    ours = compiled(f"{NUMBERED} void f(int n) {{ {CHECKS} g(n); }}")
    known = stops(compiled(FAIL.replace(before, after)), ours)
    assert known.arguments("own", "give_up") is None


@pytest.mark.parametrize(
    ("theirs", "complete"),
    [
        (CHECKS, True),
        ("g(n * 3); if (n == 1) give_up(11); if (n == 2) give_up(12);", True),
        (f"if (n == 5) give_up(11); {CHECKS}", True),
        (CHECKS.replace("12", "13"), False),
        (CHECKS.replace("give_up(12)", "give_up(n)"), False),
        (CHECKS.replace("give_up(12)", "{ g(7); give_up(12); }"), False),
    ],
)
def test_ends_by_a_function_of_the_programs_own(theirs: str, complete: bool) -> None:
    ours = compiled(f"{NUMBERED} void f(int n) {{ {CHECKS} g(n); }}")
    text = compiled(f"{NUMBERED} void f(int n) {{ {theirs} g(n); }}", "-O1")

    def never(unit: str) -> Coverage:
        calls = [i for i, x in enumerate(blocks_of(unit, "f")) if "give_up" in str(x.body)]
        return coverage(unit, *calls)

    stop = partial(stops(compiled(FAIL), ours).arguments, "own")
    texts = ours, text
    found = account(texts, never(ours), [never(text)], stop=stop)
    assert found.complete == complete, found.candidate.gaps
    assert not account(texts, never(ours), [never(text)]).complete
    own = helper("give_up", "ret")
    shadowed = account((ours, text + own), never(ours), [never(text)], stop=stop)
    assert not shadowed.complete, "the candidate's is another one"


LEFT_OUT = """#include <assert.h>
void g(int);
void f(int n) {
    if (n < 0) return;
    assert(n >= 0);
    g(n);
}
"""


@pytest.mark.parametrize(
    ("changed", "complete"),
    [
        (LEFT_OUT.replace("    if (n < 0) return;\n", "\n"), True),
        (LEFT_OUT.replace("    if (n < 0) return;\n", ""), False),
        (LEFT_OUT.replace("if (n < 0) return;", "").replace("n >= 0", "n >= 1"), False),
    ],
)
def test_assertions_that_gcc_knows_to_hold_stand_in_the_source(
    changed: str, complete: bool
) -> None:
    """At the same place with the same text; gcc's version has no such block, the candidate has."""
    ours, theirs = compiled(LEFT_OUT), compiled(changed)
    assert "__assert_fail" not in ours
    failing = [i for i, x in enumerate(blocks_of(theirs, "f")) if "__assert" in str(x.body)]
    counts = coverage(ours), [coverage(theirs, *failing)]
    plain = compiled(LEFT_OUT, "-O0")
    found = account((ours, theirs), *counts, source=lambda: plain)
    assert found.complete == complete, found.candidate.gaps
    assert not account((ours, theirs), *counts).complete


CHECKED = """\
\t.text
\t.globl\tf
\t.type\tf, @function
f:
\tandl\t$7, %edi
\tcmpl\t$9, %edi
\tja\t.L3
\tmovl\t$1, %eax
\tret
.L3:
\tmovl\t$2, %eax
\tjne\t.L4
\tmovl\t$3, %eax
.L4:
\tret
\t.size\tf, .-f
"""


def ways(text: str, folder: Path, *, trusted: bool) -> Unreachable:
    made = folder / "unit.o"
    subprocess.run(["as", "-o", str(made), "-"], input=text.encode(), check=True)
    return Unreachable(parse(text), functions_of(made), trusted=trusted)


def test_blocks_that_nothing_can_enter_are_not_held_against_either(tmp_path: Path) -> None:
    texts = TWO.replace("testl\t%edi, %edi", "testl\t%eax, %eax"), CHECKED
    both = (ways(texts[0], tmp_path, trusted=True), ways(texts[1], tmp_path, trusted=False))
    counts = coverage(texts[0]), coverage(texts[1], 2, 3, 4)
    found = account(texts, counts[0], counts[1:], both)
    assert found.complete
    assert found.candidate.unreachable == 3
    assert "3 that nothing can enter" in str(found)
    assert not account(texts, counts[0], counts[1:]).complete
    swapped = account(texts[::-1], counts[1], counts[:1], both[::-1])
    assert swapped.complete
    assert swapped.baseline.unreachable == 3
    gcc = swapped.evidence()["gcc"]
    assert isinstance(gcc, dict)
    assert (gcc["unreachable"], gcc["never"]) == (3, 0)


def helper(name: str, *body: str) -> str:
    lines = "".join(f"\t{x}\n" for x in body)
    return f"\t.type\t{name}, @function\n{name}:\n{lines}\t.size\t{name}, .-{name}\n"


def test_helpers_count_with_the_functions_that_can_come_to_them() -> None:
    calling = TWO.replace("\tmovl\t$1, %eax\n", "\tcall\tone\n")
    other = helper("g", "jmp\ttwo")
    chain = helper("one", "call\tthree", "ret") + helper("two", "ret") + helper("three", "ret")
    own = frozenset("fg")

    def of(text: str, name: str) -> tuple[str, ...]:
        return Helpers(parse(text), own).of(name)

    text = calling + other + chain
    assert Helpers(parse(text), own).names == ("one", "two", "three")
    assert of(text, "f") == ("one", "three")
    assert of(text, "g") == ("two",)
    falling = text.replace("call\tthree\n\tret", "call\tthree")
    assert of(falling, "f") == ("one", "two", "three"), "it goes on into the next one"
    inner = text.replace("two:\n", "two:\n.Linner:\n").replace("call\tone", "call\t.Linner")
    assert of(inner, "f") == ("two",)
    table = text + "\t.section\t.rodata\ntable:\n\t.quad\ttwo\n"
    assert of(table, "f") == ("one", "two", "three"), "data names it, and anyone may look there"
    alias = text.replace("call\tone", "call\tanother") + "\t.set\tanother, two\n"
    assert "two" in of(alias, "f")
    assert of(text.replace("call\tone", "call\tg+4"), "f") == ("one", "two", "three")


def test_a_jump_alone_is_no_block() -> None:
    jumping = TWO.replace("\tmovl\t$1, %eax\n\tret\n", "\tjmp\t.L5\n.L5:\n\tjmp\tother\n")
    assert [x.body for x in blocks_of(jumping, "f")][1:] == [
        ("jmp other",),
        ("movl $2, %eax", "ret"),
    ]


def test_gaps_are_closed_by_what_entered_them() -> None:
    found = made(TWO.replace("$2", "$3"), [2], [2])
    closed = found.without("region", found.baseline.gaps, found.candidate.gaps)
    assert closed.complete
    assert closed.candidate.entered_by == {"region": 1}
    assert "1 more by region" in str(closed.candidate)
    assert found.without("region") == found


def test_what_can_not_be_counted_has_no_account() -> None:
    unknown = Coverage("u", "f", 0, 0, unknown="inline assembly hides blocks")
    found = account((TWO, TWO), coverage(TWO), [unknown])
    assert not found.complete
    assert "inline assembly" in str(found)
    assert account((TWO, TWO), coverage(TWO), []).unknown


def test_a_function_that_was_never_called_is_told_apart() -> None:
    found = made(TWO, [0, 1, 2], [0, 1, 2])
    assert found.complete
    assert not found.entered


def laid_out(unit: Unit, scratch: Path) -> Rewritten | None:
    """The first loop of ``count`` with an instruction more."""
    for layout in layouts(Toolchain(), unit, "count", scratch / "x.o"):
        for region in layout.regions:
            lines = render(layout.unit, region).splitlines()
            at = next(i for i, x in enumerate(lines) if not x.endswith(":"))
            text = replace(layout.unit, region, [*lines[:at], "\tnop", *lines[at:]])
            found = rewritten(Toolchain(), unit, text, "count", scratch / "y.o")
            if found is not None:
                return found
    return None


def test_a_rewritten_region_is_found_again(tmp_path: Path) -> None:
    unit = parse(compiled(COUNT))
    found = laid_out(unit, tmp_path)
    assert found is not None
    assert "\tnop" in found.candidate
    assert [x for x in found.candidate if x != "\tnop"] == list(found.gcc)
    assert found.rest_is_gccs


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("xorl\t%eax", "subl\t%eax", 1),
        lambda text: text + "\t.text\nother:\n\tret\n",
        lambda text: compiled(COUNT.replace(">>= 1", ">>= 2")),
    ],
)
def test_other_changes_are_no_rewrite_of_a_region(change: object, tmp_path: Path) -> None:
    assert callable(change)
    source = COUNT + "int twice(int x) { return x ^ x / 3; }\n"
    text = compiled(source)
    altered = change(text)
    assert isinstance(altered, str)
    unit = parse(text)
    found = rewritten(Toolchain(), unit, altered, "twice", tmp_path / "x.o")
    assert found is None


def test_gccs_own_blocks_in_another_order_are_the_same_flow(tmp_path: Path) -> None:
    unit = parse(compiled(COUNT))
    for layout in layouts(Toolchain(), unit, "count", tmp_path / "x.o"):
        assert same_flow(unit, layout.unit, "count")
    moved = TWO.replace(
        "\tmovl\t$1, %eax\n\tret\n.L3:\n\tmovl\t$2, %eax\n\tret\n",
        "\tjmp\t.L4\n.L3:\n\tmovl\t$2, %eax\n\tret\n.L4:\n\tmovl\t$1, %eax\n\tret\n",
    )
    assert moved != TWO
    assert same_flow(parse(TWO), parse(moved), "f")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("$1", "$7"),
        ("je\t.L3", "jne\t.L3"),
        ("je\t.L3", "je\tf"),
        ("\ttestl\t%edi, %edi\n", ""),
        ("\tmovl\t$2, %eax\n\tret\n", "\tmovl\t$2, %eax\n"),
        ("\tmovl\t$1, %eax\n\tret\n", "\tmovl\t$1, %eax\n\tjmp\t.L3\n"),
        ("\tmovl\t$1, %eax\n\tret\n", ".L9:\n\tjmp\t.L9\n"),
        ("\tmovl\t$1, %eax\n\tret\n", "\tmovl\t$1, %eax\n\tjmp\t*%rax\n"),
    ],
)
def test_another_flow_is_seen(old: str, new: str) -> None:
    assert old in TWO
    assert not same_flow(parse(TWO), parse(TWO.replace(old, new, 1)), "f")
    assert not same_flow(parse(TWO.replace(old, new, 1)), parse(TWO), "f")


def test_a_computed_jump_is_not_followed() -> None:
    computed = parse(TWO.replace("\tret\n", "\tjmp\t*%rax\n"))
    assert not same_flow(computed, computed, "f")


SAYS = 'int puts(const char *); int f(int x) { puts("%s"); return x + 1; }\n'


def test_the_same_code_with_other_constants_is_a_change() -> None:
    base, same, other = (parse(compiled(SAYS % x)) for x in ("one", "one", "two"))
    assert unchanged(base, same, "f")
    assert not unchanged(base, other, "f")
    assert not unchanged(base, parse(compiled(SAYS.replace("+ 1", "+ 2") % "one")), "f")
    assert not unchanged(base, parse(TWO), "g")


def test_a_region_runs_alone_and_tells_what_it_entered(tmp_path: Path) -> None:
    base = compiled(COUNT)
    found = laid_out(parse(base), tmp_path)
    assert found is not None
    text = replace(found.layout.unit, found.region, found.candidate)
    everything = [blocks_of(x, "count") for x in (base, text)]
    none_run = [
        Coverage("u", "count", len(x), 1, tuple(Block("count", y.line, "") for y in x[1:]))
        for x in map(list, everything)
    ]
    before = account((base, text), none_run[0], [none_run[1]])
    assert not before.complete
    with Harness(choose(), Toolchain()) as harness:
        done, after = examine_region(harness, found, "count", text, before)
    assert done.standing is Standing.PASSED, done.detail
    assert done.evidence["rest_is_gccs"] is True
    assert len(after.candidate.gaps) < len(before.candidate.gaps)
    assert after.candidate.entered_by["region"] > 0


def test_a_region_that_differs_is_unknown_and_enters_nothing(tmp_path: Path) -> None:
    found = laid_out(parse(compiled(COUNT)), tmp_path)
    assert found is not None
    wrong = tuple(x.replace("\tnop", "\taddl\t$1, %eax") for x in found.candidate)
    spoilt = Rewritten(found.layout, found.region, found.gcc, wrong, True, found.places)
    with Harness(choose(), Toolchain()) as harness:
        done, after = examine_region(harness, spoilt, "count", "", Account(entered=True))
    assert done.standing is Standing.UNKNOWN
    assert done.detail.startswith("outside observed inputs: differs")
    assert after == Account(entered=True)


def test_a_counterexample_is_put_to_another_build(tmp_path: Path) -> None:
    programs = []
    for name, answer in (("right", "x"), ("same", "x + 0"), ("wrong", "x + (x == 9)")):
        body = f'int x; scanf("%d", &x); printf("%d", {answer});'
        source = f"#include <stdio.h>\nint main(void) {{ {body} return 0; }}"
        argv = ["gcc", "-O1", "-w", "-x", "c", "-", "-o", str(tmp_path / name)]
        subprocess.run(argv, input=source.encode(), check=True)
        programs.append(tmp_path / name)
    save_case(tmp_path / "tests", "one", b"1\n", (), Expected(b"1"))
    recording = load(tmp_path / "tests")

    def asked(build: Path, stdin: bytes, case: str = "one") -> bool:
        encoded = base64.b64encode(stdin).decode()
        found: dict[str, Json] = {"case": case, "args": [], "stdin_base64": encoded}
        return agrees(choose(), (programs[0], build), recording, found, RunLimits())

    assert asked(programs[1], b"9\n")
    assert not asked(programs[2], b"9\n")
    assert asked(programs[2], b"8\n")
    assert not asked(programs[1], b"9\n", "no such case")
