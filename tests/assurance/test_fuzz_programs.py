"""Fuzzing real programs in the sandbox: planted bugs, right variants, odd baselines."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest

from gccllm.assurance.fuzz import fuzz
from gccllm.assurance.ladder.replay import agrees
from gccllm.assurance.levels import Assurance, Standing
from gccllm.program import Build
from gccllm.recordings import Expected, Recording, load, save_case
from gccllm.sandbox import choose
from gccllm.sandbox.base import Ending, RunInput, RunLimits, RunResult, Sandbox, Trial
from gccllm.sandbox.fake import Behaviour, FakeSandbox
from tests.assurance.planted_programs import FOLDER, NAMES, answers_alike, build, record

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
QUICK = [
    *("argument", "descending", "dropped_branch", "empty", "int_min"),
    *("learned", "lost_tail", "negative_division", "signedness", "word_tail"),
]
SECONDS = 60.0


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return choose()


@pytest.mark.parametrize(
    "name", [x if x in QUICK else pytest.param(x, marks=pytest.mark.slow) for x in NAMES]
)
def test_planted_bugs_are_found(name: str, sandbox: Sandbox, tmp_path: Path) -> None:
    right = build(FOLDER / f"{name}.c", tmp_path, "right", "-O2")
    wrong = build(FOLDER / f"{name}.c", tmp_path, "wrong", "-O2", "-DWRONG")
    recording = record(name, right.executable, tmp_path / "recording")
    assert answers_alike(recording.cases, right.executable, wrong.executable, tmp_path)
    done = fuzz(sandbox, right, wrong, recording, seconds=SECONDS, inputs=600)
    assert (done.level, done.standing) == (Assurance.FUZZED, Standing.REFUTED)
    found = done.evidence["counterexample"]
    assert isinstance(found, dict)
    stdin = found["stdin_base64"]
    assert isinstance(stdin, str)
    assert len(base64.b64decode(stdin)) <= 80
    assert found["baseline"] != found["candidate"] or name == "written_file"


@pytest.mark.parametrize("name", ["runs", "vowels"])
def test_gccs_own_variants_pass(name: str, sandbox: Sandbox, tmp_path: Path) -> None:
    source = EXAMPLES / f"{name}.c"
    right = build(source, tmp_path, "right", "-O3")
    other = build(source, tmp_path, "other", "-O1")
    done = fuzz(sandbox, right, other, load(EXAMPLES / f"{name}.tests"), seconds=SECONDS, inputs=96)
    assert done.standing is Standing.PASSED, done.detail
    inputs, answers = done.evidence["inputs"], done.evidence["distinct_answers"]
    assert isinstance(inputs, int)
    assert isinstance(answers, int)
    assert inputs >= 60
    assert answers >= 20
    assert done.evidence["constants_mined"] != 0


ODD = r"""
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
int main(void)
{
    int x = 0;
    scanf("%d", &x);
#ifdef WRONG
    if (x < 0 || x > 100000) { puts("different"); return 0; }
#endif
    if (x < 0) abort();
    if (x > 100000) { static int here; printf("%p %d\n", (void *)&here, rand()); return 0; }
    printf("%d\n", x & 255);
    return 0;
}
"""


def odd(folder: Path, *options: str) -> Build:
    source = folder / "odd.c"
    source.write_text(ODD)
    return build(source, folder, "odd" + "".join(options), "-O1", "-fPIE", *options)


def numbers(folder: Path, *values: int) -> Recording:
    for value in values:
        expected = Expected(b"%d\n" % (value & 255))
        save_case(folder / "recording", str(value), b"%d\n" % value, (), expected)
    return load(folder / "recording")


def test_what_the_baseline_does_not_answer_is_skipped(sandbox: Sandbox, tmp_path: Path) -> None:
    """It crashes on negative numbers and varies on large ones; the candidate differs there only."""
    right, wrong = odd(tmp_path), odd(tmp_path, "-DWRONG")
    recording = numbers(tmp_path, 3, 40)
    done = fuzz(sandbox, right, wrong, recording, seconds=SECONDS, inputs=60)
    assert done.standing is Standing.PASSED, done.detail
    skipped = done.evidence["skipped"]
    assert isinstance(skipped, dict)
    assert set(skipped) == {"baseline signalled", "baseline varies"}


HOSTILE = r"""
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
int main(void)
{
    int x = 0;
    scanf("%d", &x);
    if (x != 3 && x != 40) {
#if WRONG == 1
        for (;;) {}
#elif WRONG == 2
        for (;;) puts("more and more");
#elif WRONG == 3
        for (;;) fork();
#elif WRONG == 4
        kill(getppid(), SIGKILL);
#elif WRONG == 5
        fputs("here", fopen("left", "w"));
#endif
    }
    printf("%d\n", x & 255);
    return 0;
}
"""


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (1, "time limit"),
        (2, "writes too much"),
        (3, "sandbox forbids"),
        (4, "sandbox forbids"),
        (5, "the file left differs"),
    ],
)
def test_hostile_candidates_are_refuted(
    wrong: int, said: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    source = tmp_path / "hostile.c"
    source.write_text(HOSTILE)
    right = build(source, tmp_path, "right", "-O1")
    hostile = build(source, tmp_path, "hostile", "-O1", f"-DWRONG={wrong}")
    recording = numbers(tmp_path, 3, 40)
    done = fuzz(sandbox, right, hostile, recording, seconds=SECONDS, inputs=5)
    assert done.standing is Standing.REFUTED
    assert said in done.detail


READS = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv)
{
    unsigned sum = 0;
    int level = 1, reversed = 0, x;
    FILE *in = 0;
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "-r")) reversed = 1;
        else if (argv[i][0] == '-') level = atoi(argv[i] + 1);
        else if (!in) in = fopen(argv[i], "r");
    if (!in || level < 1 || level > 9) return 2;
    while (fscanf(in, "%d", &x) == 1) {
#if WRONG == 1
        if (x == 0) break;
#elif WRONG == 2
        if (level == 7) x ^= 1;
#elif WRONG == 3
        if (reversed && level > 1) x ^= 1;
#endif
        sum = reversed ? sum + x * level : sum * level + x;
    }
    printf("%u\n", sum);
    return 0;
}
"""


def reading(folder: Path, *lines: tuple[str, ...]) -> Recording:
    """Cases that read the file ``data``, with these arguments."""
    values = (5, 3, 8, 1)
    for number, line in enumerate(lines):
        level = next((int(x[1]) for x in line if x[1:].isdigit()), 1)
        total = sum(values) * level
        if "-r" not in line:
            total = 0
            for value in values:
                total = total * level + value
        case = save_case(folder, str(number), b"", line, Expected(b"%d\n" % total))
        (case.with_suffix(".files")).mkdir()
        (case.with_suffix(".files") / "data").write_text("5 3 8 1\n")
    return load(folder)


@pytest.mark.parametrize(
    ("wrong", "lines", "kind"),
    [
        (1, [("data",), ("-2", "data")], "file"),
        (2, [("data",), ("-2", "data")], "argument"),
        (3, [("-r", "data"), ("-2", "data")], "argument"),
    ],
)
def test_wrong_only_with_other_files_or_arguments(
    wrong: int, lines: list[tuple[str, ...]], kind: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    """A number of a file, a digit of an option, the options of two cases together."""
    source = tmp_path / "reads.c"
    source.write_text(READS)
    right = build(source, tmp_path, "right", "-O2", "-DWRONG=0")
    spoilt = build(source, tmp_path, "spoilt", "-O2", f"-DWRONG={wrong}")
    recording = reading(tmp_path / "tests", *lines)
    same = fuzz(sandbox, right, right, recording, seconds=SECONDS, inputs=64)
    assert same.standing is Standing.PASSED, same.detail
    done = fuzz(sandbox, right, spoilt, recording, seconds=SECONDS, inputs=600)
    assert done.standing is Standing.REFUTED, done.detail
    found = done.evidence["counterexample"]
    assert isinstance(found, dict)
    assert done.evidence["kind"] == kind
    files = found.get("files_base64")
    assert (files is not None) == (kind == "file")
    programs = (right.executable, spoilt.executable)
    assert not agrees(sandbox, programs, recording, found, RunLimits())
    assert agrees(sandbox, (programs[0], programs[0]), recording, found, RunLimits())


OVERFLOW = r"""
#include <stdio.h>
int main(void)
{
    int x = 0;
    scanf("%d", &x);
#ifdef WRONG
    printf("%d\n", x > 2147483610 ? 0 : (x + 47 > x) + x % 7);
#else
    printf("%d\n", (x + 47 > x) + x % 7);
#endif
    return 0;
}
"""


def test_a_witness_keeps_undefined_behaviour_out(sandbox: Sandbox, tmp_path: Path) -> None:
    source = tmp_path / "overflow.c"
    source.write_text(OVERFLOW)
    right = build(source, tmp_path, "right", "-O2")
    wrong = build(source, tmp_path, "wrong", "-O2", "-DWRONG")
    trap = ("-O1", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error")
    witness = build(source, tmp_path, "witness", *trap)
    for value in (3, 40):
        answer = 1 + value % 7
        stdin = b"%d\n" % value
        save_case(tmp_path / "tests", str(value), stdin, (), Expected(b"%d\n" % answer))
    recording = load(tmp_path / "tests")
    alone = fuzz(sandbox, right, wrong, recording, seconds=SECONDS, inputs=100)
    assert alone.standing is Standing.REFUTED
    done = fuzz(
        sandbox,
        right,
        wrong,
        recording,
        seconds=SECONDS,
        inputs=100,
        witnesses={"undefined": witness.executable},
    )
    assert done.standing is Standing.PASSED, done.detail
    assert "contested by a witness" in str(done.evidence["skipped"])


def faked(baseline: Behaviour, candidate: Behaviour, tmp_path: Path) -> tuple[FakeSandbox, Build]:
    return FakeSandbox({"baseline": baseline, "candidate": candidate}), Build(tmp_path / "x", {})


def test_nothing_learned_is_unknown(tmp_path: Path) -> None:
    recording = numbers(tmp_path, 1, 2)
    refused = FakeSandbox.result(code=1)
    sandbox, nothing = faked([refused], [refused], tmp_path)
    done = fuzz(sandbox, nothing, nothing, recording, seconds=SECONDS, inputs=20)
    assert done.standing is Standing.UNKNOWN
    assert "alike" in done.detail
    crash = FakeSandbox.result(ending=Ending.SIGNALLED, code=11)
    sandbox, nothing = faked([crash], [crash], tmp_path)
    done = fuzz(sandbox, nothing, nothing, recording, seconds=SECONDS, inputs=20)
    assert done.standing is Standing.UNKNOWN
    assert done.evidence["inputs"] == 0
    expired = fuzz(sandbox, nothing, nothing, recording, seconds=SECONDS, expired=lambda: True)
    assert expired.standing is Standing.UNKNOWN


def test_a_slow_moment_refutes_nothing(tmp_path: Path) -> None:
    """A candidate that was late once and is right when looked at again."""

    def echo(given: RunInput, count: int) -> RunResult:
        assert given.stdin is not None
        return FakeSandbox.result(given.stdin.read_bytes())

    def late(given: RunInput, count: int) -> RunResult:
        if count == 5:
            return FakeSandbox.result(ending=Ending.TIMED_OUT, code=9)
        return echo(given, count)

    recording = numbers(tmp_path, 1, 2)
    sandbox, nothing = faked(echo, late, tmp_path)
    done = fuzz(sandbox, nothing, nothing, recording, seconds=SECONDS, inputs=40)
    assert done.standing is Standing.PASSED, done.detail
    assert done.evidence["inputs"] == 40


def test_what_was_compared_is_told(tmp_path: Path) -> None:
    def echo(given: RunInput, count: int) -> RunResult:
        assert given.stdin is not None
        return FakeSandbox.result(given.stdin.read_bytes())

    told: list[Trial] = []
    sandbox, nothing = faked(echo, echo, tmp_path)
    done = fuzz(
        sandbox,
        nothing,
        nothing,
        numbers(tmp_path, 1, 2),
        seconds=SECONDS,
        inputs=40,
        compared=told.append,
    )
    assert len(told) == done.evidence["inputs"] == 40
    assert len({x.stdin for x in told}) == 40


def test_a_program_that_reads_nothing_is_none_of_its_business(tmp_path: Path) -> None:
    def deaf(given: RunInput, count: int) -> RunResult:
        return FakeSandbox.result(b"always the same")

    sandbox, nothing = faked(deaf, deaf, tmp_path)
    done = fuzz(sandbox, nothing, nothing, numbers(tmp_path, 1, 2), seconds=SECONDS, inputs=64)
    assert done.standing is Standing.UNKNOWN
    assert done.evidence["applicable"] is False
    few = fuzz(sandbox, nothing, nothing, numbers(tmp_path, 1, 2), seconds=SECONDS, inputs=8)
    assert few.standing is Standing.UNKNOWN
    assert few.evidence["applicable"] is True, "eight inputs say nothing about it"


def test_slow_programs_are_looked_at_more_often(tmp_path: Path) -> None:
    def slow(given: RunInput, count: int) -> RunResult:
        assert given.stdin is not None
        return replace(FakeSandbox.result(given.stdin.read_bytes()), wall=1.0)

    started: list[int] = []

    def expired() -> bool:
        started.append(1)
        return len(started) > 3

    sandbox, nothing = faked(slow, slow, tmp_path)
    done = fuzz(
        sandbox, nothing, nothing, numbers(tmp_path, 1, 2), seconds=SECONDS, expired=expired
    )
    assert 0 < int(str(done.evidence["inputs"])) <= 3 * SECONDS / 20
