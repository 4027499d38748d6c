"""Coverage of basic blocks: where they start, and what runs enter, however a program ends."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from gccllm.asm.dialect import canonical
from gccllm.asm.unit import parse
from gccllm.assurance.coverage import Coverage, Unmeasured, count_calls, cover, instrument
from gccllm.assurance.coverage.blocks import COUNTERS, instrument_calls
from gccllm.recordings import Expected, Recording, load, save_case
from gccllm.sandbox import choose
from gccllm.sandbox.base import RunLimits, Trial
from gccllm.toolchain import Toolchain
from tests.asm.tools import compile_unit, needs_clang, sources, tries_to_assemble
from trainer.corpus.programs import JudgedProgram
from trainer.linked import link_program

SMALL = """\
	.text
	.globl	f
	.type	f, @function
f:
	.cfi_startproc
	endbr64
	testl	%edi, %edi
	je	.L3
	movl	$1, %eax
.Lnobody:
	ret
	.p2align 4
.L3:
	movl	$2, %eax
	ret
	.cfi_endproc
	.size	f, .-f
"""


def test_blocks_start_at_entry_labels_and_behind_branches() -> None:
    done = instrument(SMALL, ["f", "g"], 10)
    assert [(x.line, x.text) for x in done.blocks] == [
        (7, "testl\t%edi, %edi"),
        (9, "movl\t$1, %eax"),
        (14, "movl\t$2, %eax"),
    ]
    assert done.left_out == {"g": "it is not in the unit"}
    lines = done.text.split("\n")
    assert lines[lines.index("\tendbr64") + 1] == f"\tmovb\t$1, {COUNTERS}+10(%rip)"
    assert [x for x in lines if COUNTERS not in x] == SMALL.split("\n")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("movl\t$2, %eax", "leaq\t.L3+5(%rip), %rax\n\tjmp\t.L3+7", "lengths"),
        ("movl\t$2, %eax", "movl\t$.L3-.Lnobody, %eax", "lengths"),
        ("movl\t$2, %eax", "jmp\t.+4", "lengths"),
        ("movl\t$2, %eax", ".byte\t0x90", "data"),
        ("movl\t$2, %eax", "rep\n\tstosb", "prefix"),
        ("movl\t$2, %eax", "#APP\n\trdtsc\n#NO_APP", "inline assembly"),
    ],
)
def test_what_does_not_bear_counters_is_left_out(old: str, new: str, why: str) -> None:
    done = instrument(SMALL.replace(old, new), ["f"])
    assert why in done.left_out["f"]
    assert done.blocks == ()


@pytest.mark.parametrize("source", sources()[::6], ids=lambda x: x.stem)
def test_instrumented_code_assembles(source: Path, tmp_path: Path) -> None:
    text = compile_unit(source, "-O3")
    done = instrument(text, list(parse(text).functions))
    assert done.blocks
    assembled = tries_to_assemble(done.text, tmp_path / "x.o")
    assert assembled.ok, assembled.error_line()


PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
__attribute__((noinline, noipa)) int classify(int x)
{
    switch (x) {
    case 0: return 4;
    case 1: return 9;
    case 2: return 1;
    case 3: return 7;
    case 4: return 2;
    case 5: return 6;
    }
    return x < 0 ? -x * 3 : x / 7;
}
static volatile int sink;
__attribute__((noinline, noipa)) int steps(int x)
{
    static void *const places[] = {&&first, &&second, &&third};
    switch (x) {
    case 0: sink += 3; break;
    case 1: sink *= 5; break;
    case 2: sink ^= 9; break;
    case 3: sink -= 4; break;
    case 4: sink |= 8; break;
    case 5: sink = 7; break;
    default: sink = -1;
    }
    goto *places[(unsigned)x % 3];
first:
    return sink + 1;
second:
    return sink * 3;
third:
    return sink - 7;
}
__attribute__((noinline, noipa)) void leave(int how)
{
    if (how == 1) exit(3);
    if (how == 2) _exit(4);
    if (how == 3) abort();
    if (how == 4) for (;;) {}
}
__attribute__((noinline, noipa)) int lowest(const int *v, int n)
{
    int best = v[0];
    for (int i = 1; i < n; i++)
        if (v[i] < best)
            best = v[i];
    return best;
}
int main(void)
{
    int how, x, v[2];
    if (scanf("%d %d", &how, &x) != 2)
        return 1;
    v[0] = x;
    v[1] = how;
    printf("%d %d\n", classify(x), lowest(v, 2));
    sink = steps(x);
    fflush(stdout);
    FILE *file = fopen("/dev/null", "r");
    if (!file || fileno(file) != 3)
        return 9;
    leave(how);
    return 0;
}
"""
NAMES = ["classify", "leave", "lowest", "main", "steps"]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> JudgedProgram:
    folder = tmp_path_factory.mktemp("sources")
    source = folder / "program.c"
    source.write_text(PROGRAM)
    answers = {b"0 0\n": (b"4 0\n", 0), b"1 5\n": (b"6 1\n", 3)}
    for number, (stdin, (stdout, status)) in enumerate(answers.items()):
        save_case(folder / "tests", str(number), stdin, (), Expected(stdout, status))
    return JudgedProgram("program", source, folder / "tests", (), ("-O2",))


@pytest.fixture(scope="module")
def recording(judged: JudgedProgram) -> Recording:
    return load(judged.tests)


def measured(
    judged: JudgedProgram,
    recording: Recording,
    folder: Path,
    *inputs: bytes,
    texts: Mapping[str, str] | None = None,
    options: tuple[str, ...] = (),
    limits: RunLimits | None = None,
) -> dict[str, Coverage] | Unmeasured:
    linked = JudgedProgram(
        judged.name, judged.source, judged.tests, (), (*judged.options, *options)
    )
    program = link_program(Toolchain(), linked, folder)
    done = cover(
        program,
        {judged.name: NAMES},
        choose(),
        recording,
        scratch=folder,
        texts=texts,
        trials=[Trial(x) for x in inputs],
        limits=limits,
    )
    return done if isinstance(done, Unmeasured) else {x.function: x for x in done}


@pytest.mark.parametrize("options", [(), ("-static",), ("-no-pie", "-fno-pie")], ids=str)
def test_recorded_inputs(
    judged: JudgedProgram, recording: Recording, tmp_path: Path, options: tuple[str, ...]
) -> None:
    done = measured(judged, recording, tmp_path, options=options)
    assert isinstance(done, dict)
    classify, leave = done["classify"], done["leave"]
    assert 2 <= classify.reached < classify.blocks
    assert not classify.complete
    assert len(classify.unreached) == classify.blocks - classify.reached
    # of exit, _exit and abort the first was seen, though it never returned
    assert 2 <= leave.reached < leave.blocks
    assert done["main"].reached >= 3
    assert classify.evidence()["blocks"] == classify.blocks


def test_more_inputs_reach_more_however_they_end(
    judged: JudgedProgram, recording: Recording, tmp_path: Path
) -> None:
    inputs = [b"%d %d\n" % (how, x) for how in range(5) for x in (-3, 1, 2, 3, 4, 5, 99)]
    limits = RunLimits(wall_seconds=0.2)
    before = measured(judged, recording, tmp_path)
    after = measured(judged, recording, tmp_path, *inputs, b"x", limits=limits)
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert before["leave"].reached < after["leave"].reached
    assert before["steps"].reached < after["steps"].reached
    # a jump table and a computed goto
    assert after["steps"].complete, after["steps"].unreached
    for name in ("classify", "leave", "main"):
        # fopen that fails is all that is left
        assert after[name].blocks - after[name].reached <= (name == "main"), after[name].unreached


def test_of_another_version_its_own_blocks_are_counted(
    judged: JudgedProgram, recording: Recording, tmp_path: Path
) -> None:
    text = compile_unit(judged.source, "-O1")
    extra = "\tcmpl\t$774411, %edi\n\tje\t.Lextra\n"
    entry = text.index("classify:")
    at = text.index("\t.cfi_startproc\n", entry) + len("\t.cfi_startproc\n")
    text = text[:at] + extra + text[at:]
    end = text.index("\t.cfi_endproc\n", at)
    text = text[:end] + ".Lextra:\n\tmovl\t$5, %eax\n\tret\n" + text[end:]
    done = measured(judged, recording, tmp_path, b"0 -5\n", b"0 9\n", texts={judged.name: text})
    assert isinstance(done, dict)
    assert "movl\t$5, %eax" in [x.text for x in done["classify"].unreached]


def test_a_version_that_does_otherwise_is_not_measured(
    judged: JudgedProgram, recording: Recording, tmp_path: Path
) -> None:
    text = compile_unit(judged.source, "-O2")
    wrong = text.replace('"%d %d\\n"', '"%d:%d\\n"')
    assert wrong != text
    done = measured(judged, recording, tmp_path, texts={judged.name: wrong})
    assert isinstance(done, Unmeasured)
    assert "case 0" in done.reason
    broken = measured(judged, recording, tmp_path, texts={judged.name: text + "\tno such thing\n"})
    assert isinstance(broken, Unmeasured)
    assert "built" in broken.reason


@needs_clang
def test_clangs_code_bears_counters(
    judged: JudgedProgram, recording: Recording, tmp_path: Path
) -> None:
    text = canonical(compile_unit(judged.source, "-O2", "-Wno-everything", cc="clang-19"))
    done = measured(judged, recording, tmp_path, texts={judged.name: text})
    assert isinstance(done, dict)
    assert all(x.reached and not x.unknown for x in done.values())


def test_calls_are_counted_at_the_entry() -> None:
    lines = instrument_calls(SMALL, ["f", "g"], 2).text.split("\n")
    assert lines[lines.index("\tendbr64") + 1] == f"\tincq\t{COUNTERS}+16(%rip)"
    # a loop that begins at the first instruction is entered once
    loop = SMALL.replace("\tendbr64\n", ".Lagain:\n")
    lines = instrument_calls(loop, ["f"]).text.split("\n")
    assert lines.index(f"\tincq\t{COUNTERS}+0(%rip)") < lines.index(".Lagain:")
    assert instrument_calls(SMALL, ["g"]).left_out == {"g": "it is not in the unit"}


CALLER = """
#include <stdio.h>
#include <stdlib.h>
__attribute__((noinline)) unsigned step(unsigned x) { return x * 2654435761u ^ x >> 7; }
__attribute__((noinline)) unsigned never(unsigned x) { return x + 1; }
__attribute__((noinline, optimize("no-optimize-sibling-calls"))) unsigned depth(unsigned n)
{
    return n ? depth(n - 1) + 1 : 0;
}
int main(int argc, char **argv)
{
    unsigned x = 1, n = 0;
    if (scanf("%u", &n) != 1)
        return 1;
    for (unsigned i = 0; i < n; i++)
        x = step(x);
    printf("%u %u\\n", x & 1, depth(n));
    if (argc > 9)
        printf("%u %s\\n", never(x), argv[1]);
    exit(0);
}
"""


@pytest.mark.parametrize("options", [(), ("-static",), ("-fcf-protection",)], ids=str)
def test_calls_of_recorded_runs(tmp_path: Path, options: tuple[str, ...]) -> None:
    source = tmp_path / "calls.c"
    source.write_text(CALLER)
    plain = tmp_path / "plain"
    subprocess.run(["gcc", "-O2", str(source), "-o", str(plain)], check=True)
    for n in (3, 300):
        given = b"%d\n" % n
        answer = subprocess.run([str(plain)], input=given, capture_output=True, check=True)
        save_case(tmp_path / "tests", str(n), given, (), Expected(answer.stdout, 0))
    judged = JudgedProgram("calls", source, tmp_path / "tests", (), ("-O2", *options))
    folder = tmp_path / "linked"
    folder.mkdir()
    done = count_calls(
        link_program(Toolchain(), judged, folder),
        {"calls": ["main", "step", "never", "depth", "missing"]},
        choose(),
        load(judged.tests),
        scratch=folder,
    )
    assert isinstance(done, dict)
    assert {name: calls for (_, name), calls in done.items()} == {
        "main": 2,
        "step": 303,
        "never": 0,
        "depth": 305,
    }
