"""Right variants pass, wrong ones do not: the whole way from a program to an examination."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gccllm.assurance.levels import Standing
from tests.assurance.differential_program import SOURCE, Bench, alone, opened

# what is wrong: (function, what stands in the source, what the wrong version has in its place)
WRONG = {
    "off by one": ("sum", "i < n;", "i < n - 1;"),
    "one too many": ("sum", "i < n;", "i <= n;"),
    "lost tail": ("sum", "i < n;", "i < (n & ~3);"),
    "n = 0": ("sum", "i = 0; i < n; i++", "i = 0; i == 0 || i < n; i++"),
    "not the first": ("find", "return i;", "key = v[i], counter = i;"),
    "overflow": ("average", "(a & b) + ((a ^ b) >> 1)", "(a + b) / 2"),
    "signedness": ("average", "((a ^ b) >> 1)", "(unsigned)((int)(a ^ b) >> 1)"),
    "dropped branch": ("grade", "if (x == 37)", "if (0)"),
    "boundary": ("grade", "x > 90", "x >= 90"),
    "precision": ("scale", "from[i] * by", "(float)((int)(from[i] * by))"),
    "wrong element": ("scale", "from[i]", "from[n - 1 - i]"),
    "n = 0 of a mean": ("mean", "n ? s / (double)n : 0.0", "s / (double)n"),
    "reassociated": ("mean", "s += v[i];", "s += (v[i] + 1e13) - 1e13;"),
    "wrong field": ("turned", "{-p.y, p.x}", "{-p.y, p.y}"),
    "negative modulo": ("turned", "(times & 3)", "(times % 4)"),
    "last node left out": ("total", "for (; at;", "for (; at && at->next;"),
    "global not written": ("count_up", "counter += by;", "by += counter;"),
    "wrong table": ("checksum", "(c ^ s[i]) & 255", "(c ^ s[i]) & 127"),
    "width": ("product", "(long)a * b", "(long)(int)((unsigned)a * (unsigned)b)"),
    "sign extension": ("weight", "c < 0 ? -c : 2 * c", "2 * (unsigned char)c"),
    "stack argument": ("many", "(int)(13 * h)", "(int)(13 * g)"),
    "one field more": ("deposit", "a->moves++;", "a->moves++, a->flags = 1;"),
    "bit test": ("deposit", "!(a->flags & 1)", "!a->flags"),
    "rows for columns": ("transpose", "to[j * rows + i]", "to[i * columns + j]"),
    "a run of eight": ("runs", "length < 9", "length != 8"),
    "a sum at the edge": ("louder", "sum < -32768", "sum < -32769"),
    "terminator": ("copied", "made[n] = 0;", "made[n] = 'x';"),
}

MULTIPLY = "movslq %edi, %rax; movslq %esi, %rsi; imulq %rsi, %rax"
WRONG_ASSEMBLY = {
    "callee-saved register": ("average", "xorl %ebx, %ebx; leaq (%rdi,%rsi), %rax; ret"),
    "upper half of an argument": ("average", "leaq (%rdi,%rsi), %rax; shrq %rax; ret"),
    "uninitialised read": ("product", f"{MULTIPLY}; addq %rcx, %rax; ret"),
    "the caller's frame": ("product", f"{MULTIPLY}; movq %rax, 8(%rsp); ret"),
    "direction flag": ("product", f"{MULTIPLY}; std; ret"),
    "no end": ("product", ".L1:; jmp .L1"),
    "hard-coded": ("grade", "movl $2, %eax; ret"),
    "write beyond the end": (
        "length",
        "xorl %eax, %eax; .L1:; cmpb $0, (%rdi,%rax); je .L2; incq %rax; jmp .L1;"
        " .L2:; movb $0, 1(%rdi,%rax); ret",
    ),
}

RIGHT = [
    *(("-O2", x) for x in ("sum", "find", "scale", "total", "checksum", "transpose", "copied")),
    *(("-O1", x) for x in ("mean", "turned", "deposit", "many", "length", "grade")),
    *(("-Os", x) for x in ("average", "count_up", "weight", "product", "find")),
    *(("-O3 -mavx2", x) for x in ("sum", "scale", "transpose")),
]


def assembly(function: str, body: str) -> str:
    """One function as a unit; statements stand between semicolons."""
    lines = [x if x.endswith(":") else "\t" + x.replace(" ", "\t", 1) for x in body.split("; ")]
    head = ["\t.text", f"\t.globl\t{function}", f"\t.type\t{function}, @function", f"{function}:"]
    return "\n".join([*head, *lines, f"\t.size\t{function}, .-{function}", ""])


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with opened(tmp_path_factory.mktemp("differential")) as made:
        yield made


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_variant_is_caught(bench: Bench, name: str) -> None:
    function, right, wrong = WRONG[name]
    head, definition = alone(function)
    assert right in definition
    text = bench.compiled(head + definition.replace(right, wrong, 1), ["-O2"])
    found = bench.examined(function, text, pairs=30_000)
    assert found.standing is not Standing.PASSED, found.detail
    assert f"{function}(" in found.detail, found.detail


@pytest.mark.parametrize("name", WRONG_ASSEMBLY)
def test_a_broken_rule_is_caught(bench: Bench, name: str) -> None:
    function, body = WRONG_ASSEMBLY[name]
    found = bench.examined(function, assembly(function, body), foreign=False)
    assert found.standing is Standing.REFUTED, found.detail


@pytest.mark.parametrize(("options", "function"), RIGHT)
def test_a_right_variant_passes(bench: Bench, options: str, function: str) -> None:
    found = bench.examined(function, bench.compiled(SOURCE, options.split()))
    assert found.standing is Standing.PASSED, f"{found.detail} {found.evidence}"
    assert found.evidence["pairs"] == 3000


def test_a_counterexample_names_arguments_and_results(bench: Bench) -> None:
    head, definition = alone("grade")
    text = bench.compiled(head + definition.replace("x == 37", "x == 38"), ["-O2"])
    found = bench.examined("grade", text)
    assert found.standing is Standing.REFUTED
    assert found.detail in (
        "grade(x=37): gcc's returns 7, the candidate 1",
        "grade(x=38): gcc's returns 1, the candidate 7",
    )
    assert found.evidence["types"] == "int grade(int x)"


def test_what_only_differs_outside_of_observed_inputs_is_unknown(bench: Bench) -> None:
    head, definition = alone("grade")
    text = bench.compiled(head + definition.replace("x == 37", "x == 37 || x == 9999"), ["-O2"])
    found = bench.examined("grade", text, pairs=30_000)
    assert found.standing is Standing.UNKNOWN
    assert found.detail.startswith("differs outside observed inputs: grade(x=9999)")


def test_what_c_leaves_undefined_does_not_count(bench: Bench) -> None:
    head, definition = alone("sum")
    # Signed overflow: with -fwrapv the sum in 64 bits differs from the one in 32, in C it may.
    wide = definition.replace("int s = 0;", "long s = 0;").replace(
        "return s;", "return s > 0 ? s > 0x7fffffff ? -7 : (int)s : (int)s;"
    )
    found = bench.examined("sum", bench.compiled(head + wide, ["-O2"]), pairs=20_000)
    assert found.standing is Standing.PASSED, found.detail
    assert found.evidence["undefined"] != 0


@pytest.mark.parametrize(
    ("function", "why"),
    [("main", "call what the harness does not"), ("nowhere", "it is not there")],
)
def test_what_can_not_be_called_is_unknown(bench: Bench, function: str, why: str) -> None:
    found = bench.examined(function, bench.compiled(SOURCE, ["-O2"]))
    assert found.standing is Standing.UNKNOWN
    assert why in found.detail
    assert found.evidence["applicable"] is False


def test_which_blocks_the_calls_enter(bench: Bench) -> None:
    text = bench.compiled(SOURCE, ["-O1"])
    assert bench.examined("grade", text, foreign=False).standing is Standing.PASSED
    entered = bench.entered("grade", text)
    assert entered is not None
    assert len(entered.baseline) > 3
    assert all(entered.baseline)
    assert list(entered.candidate) == ["grade"]
    assert all(entered.candidate["grade"])


def test_a_block_that_no_call_reaches_is_seen(bench: Bench) -> None:
    more = "if (n >> 60) c = table[n & 255] * 3;\n    return ~c;"
    text = bench.compiled(SOURCE.replace("return ~c;", more), ["-O1"])
    assert bench.examined("checksum", text, foreign=False).standing is Standing.PASSED
    entered = bench.entered("checksum", text)
    assert entered is not None
    assert entered.candidate["checksum"].count(False) == 1


@pytest.mark.parametrize("options", ["-O1", "-Os"])
def test_calls_that_end_the_program_are_compared(bench: Bench, options: str) -> None:
    text = bench.compiled(SOURCE, [options])
    found = bench.examined("digit", text, pairs=20_000)
    assert found.standing is Standing.PASSED, found.detail
    ended = found.evidence["ended"]
    assert isinstance(ended, int)
    assert ended > 20
    entered = bench.entered("digit", text)
    assert entered is not None
    assert all(entered.baseline)
    assert all(all(x) for x in entered.candidate.values())


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("exit(3)", "exit(4)", "how it ends the program"),
        ("exit(3)", "abort()", "how it ends the program"),
        ("c < 5000", "c < 5001", "how it ends the program"),
        ("assert(c < 5000)", "(void)c", "it does not end the program"),
        ("c < -50", "c < -51", "it does not end the program"),
        ("counter +=", "if (c == 77) abort(); counter +=", "it ends the program"),
    ],
)
def test_another_end_of_the_program_is_a_difference(
    bench: Bench, right: str, wrong: str, said: str
) -> None:
    head, definition = alone("digit")
    assert right in definition
    source = head + definition.replace(right, wrong, 1)
    found = bench.examined("digit", bench.compiled(source, ["-O2"]), pairs=60_000)
    assert found.standing is not Standing.PASSED
    assert said in found.detail


def test_code_for_objects_that_overlap_is_entered(bench: Bench) -> None:
    """gcc and the candidate check for it, each in its own way; no caller has such objects."""
    text = bench.compiled(SOURCE, ["-O3", "-mavx2"])
    assert bench.examined("add_to", text, pairs=60_000).standing is Standing.PASSED
    entered = bench.entered("add_to", text)
    assert entered is not None
    assert all(entered.baseline)
    assert all(entered.candidate["add_to"])


def test_what_differs_for_objects_that_overlap_says_nothing(bench: Bench) -> None:
    """Its code for them is wrong, or it has none; then no such call enters a block."""
    head, definition = alone("add_to")
    body = "if (to < from + n && from < to + n) { if (n > 2) to[0] = 1; else to[0] = 2; }"
    source = head + definition.replace("for (", f"{body}\n    for (", 1)
    text = bench.compiled(source, ["-O1"])
    assert bench.examined("add_to", text, pairs=60_000).standing is Standing.PASSED
    entered = bench.entered("add_to", text)
    assert entered is not None
    assert entered.candidate["add_to"].count(False) >= 2
    free = definition.replace(
        "int *to, const int *from", "int *restrict to, const int *restrict from"
    )
    text = bench.compiled(head + free, ["-O3"])
    assert bench.examined("add_to", text, pairs=60_000).standing is Standing.PASSED


def test_what_saturates_only_where_both_operands_are_at_their_ends_is_entered(
    bench: Bench,
) -> None:
    text = bench.compiled(SOURCE, ["-O2", "-funroll-all-loops", "-fno-tree-vectorize"])
    assert bench.examined("blend", text, pairs=60_000).standing is Standing.PASSED
    entered = bench.entered("blend", text)
    assert entered is not None
    assert all(entered.baseline)
    assert all(entered.candidate["blend"])


def test_pointers_that_lead_nowhere_enter_what_looks_for_them(bench: Bench) -> None:
    text = bench.compiled(SOURCE, ["-O1"])
    assert bench.examined("first", text, pairs=60_000).standing is Standing.PASSED
    entered = bench.entered("first", text)
    assert entered is not None
    assert all(entered.baseline)
    assert all(entered.candidate["first"])


@pytest.mark.parametrize(
    ("right", "wrong"), [("return -1;", "return -2;"), ("if (at == NULL)", "if (0)")]
)
def test_what_differs_for_pointers_that_lead_nowhere_says_nothing(
    bench: Bench, right: str, wrong: str
) -> None:
    """Whether callers may pass them is not known; the block that looks for them stays open."""
    head, definition = alone("first")
    text = bench.compiled(head + definition.replace(right, wrong, 1), ["-O1"])
    assert bench.examined("first", text, pairs=60_000).standing is Standing.PASSED
    entered = bench.entered("first", text)
    assert entered is not None
    assert not all(entered.baseline)


def test_what_calls_that_are_not_compared_enter_is_not_told(bench: Bench) -> None:
    """gcc's version calls puts there, so the candidate's is not called at all."""
    head, definition = alone("told")
    text = bench.compiled(head + definition.replace('puts("large");', "c++;"), ["-O1"])
    assert bench.examined("told", text).standing is Standing.PASSED
    entered = bench.entered("told", text)
    assert entered is not None
    assert entered.baseline.count(False) == 1


def test_nothing_is_told_of_what_did_not_pass(bench: Bench) -> None:
    head, definition = alone("grade")
    text = bench.compiled(head + definition.replace("x > 90", "x >= 90"), ["-O1"])
    assert bench.examined("grade", text, foreign=False).standing is Standing.REFUTED
    assert bench.entered("grade", text) is None
