"""Many runs in one command: the same answers as one by one, and the same walls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gccllm.errors import SandboxError, SandboxUnavailable
from gccllm.sandbox.base import Ending, RunInput, RunResult, Trial
from gccllm.sandbox.bwrap import BwrapSandbox
from gccllm.sandbox.fake import FakeSandbox
from gccllm.sandbox.landlock import LandlockSandbox, UnconfinedSandbox
from tests.sandbox.conftest import LIMITS, Compile, RunnerSandbox
from tests.sandbox.test_attacks import (
    ATTACKS,
    FORBIDDEN,
    HARMLESS,
    REFUSED,
    SURFACE,
    TIMED_OUT,
    TOO_MUCH,
)

KINDS: dict[str, Callable[[Path], RunnerSandbox]] = {
    "bwrap": BwrapSandbox,
    "bwrap-alone": lambda cache_folder: BwrapSandbox(cache_folder, landlock=False),
    "landlock": LandlockSandbox,
    "none": UnconfinedSandbox,
}
MIXED = r"""
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    char word[64] = "";
    struct stat folder;
    scanf("%63s", word);
    stat(".", &folder);
    printf("%s %d %d %d", word, argc, folder.st_mtime == folder.st_ctime, access("left", F_OK));
    if (!strcmp(word, "leave")) {
        FILE *file = fopen("left", "w");
        fputs("secret", file);
        fclose(file);
    }
    if (!strcmp(word, "trace")) {
        fclose(fopen("gone", "w"));
        remove("gone");
    }
    if (!strcmp(word, "crash")) raise(SIGSEGV);
    if (!strcmp(word, "hang")) for (;;) {}
    if (!strcmp(word, "flood")) for (;;) puts("more and more and more");
    if (!strcmp(word, "close")) { close(0); close(1); close(2); }
    if (!strcmp(word, "append")) { fclose(fopen("given", "a")); printf("%s", argv[1]); }
    if (!strcmp(word, "note")) dprintf(3, "noted");
    return 5;
}
"""

# vfork, execve, execveat, wait4, kill, tgkill, prctl, prlimit64, setrlimit, memfd_create, setsid,
# sched_setaffinity, fchmodat; clone, fork, seccomp, clone3
FOR_THE_WORKER = [58, 59, 322, 61, 62, 234, 157, 302, 160, 319, 112, 203, 268, 56, 57, 317, 435]


@pytest.fixture(scope="module")
def mixed(compile_c: Compile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("sources") / "mixed.c"
    source.write_text(MIXED)
    return compile_c(source)


@pytest.fixture(scope="module", params=list(KINDS))
def sandbox(request: pytest.FixtureRequest, cache_folder: Path, mixed: Path) -> RunnerSandbox:
    made = KINDS[request.param](cache_folder)
    try:
        with made.open({"mixed": mixed}, [], limits=LIMITS):
            return made
    except SandboxUnavailable as error:
        pytest.skip(str(error))


def test_as_one_by_one(sandbox: RunnerSandbox, mixed: Path) -> None:
    limits = replace(LIMITS, wall_seconds=0.4)
    words = ["a", "leave", "b", "trace", "c", "crash", "d", "hang", "e", "flood", "f", "close", "g"]
    trials = [Trial(word.encode(), ("x",) * (len(word) % 3)) for word in words]
    with sandbox.open({"mixed": mixed}, [], limits=limits) as session:
        results = session.run_many("mixed", trials)
        assert session.run_many("mixed", []) == []
    by_word = dict(zip(words, results, strict=True))
    assert by_word["crash"].ending is Ending.SIGNALLED
    assert by_word["hang"].ending is Ending.TIMED_OUT
    assert by_word["flood"].ending is Ending.TOO_MUCH_OUTPUT
    assert by_word["leave"].files == {"left": b"secret"}
    for word in "abcdefg":
        result = by_word[word]
        assert (result.ending, result.code, result.files) == (Ending.EXITED, 5, {})
        # each finds its folder as the first one did: no file, nobody's traces
        assert result.stdout == b"%s %d 1 -1" % (word.encode(), 1 + len(word) % 3)
    assert by_word["trace"].files == {}


def test_more_than_one_command_holds(sandbox: RunnerSandbox, mixed: Path) -> None:
    trials = [Trial(b"%d" % number) for number in range(150)]
    with sandbox.open({"mixed": mixed}, [], limits=LIMITS) as session:
        results = session.run_many("mixed", trials)
    assert [x.stdout.split()[0] for x in results] == [x.stdin for x in trials]
    assert all(x.user + x.system > 0 for x in results)


def test_files_of_a_case_and_notes(sandbox: RunnerSandbox, mixed: Path, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "given").write_text("as it was")
    cases = [RunInput(), RunInput(files=files)]
    with sandbox.open({"mixed": mixed}, cases, limits=LIMITS) as session:
        trials = [Trial(b"append", ("y",), 1), Trial(b"append", ("z",), 0), Trial(b"note")]
        with_files, without, silent = session.run_many("mixed", trials)
        (noted,) = session.run_many("mixed", trials[2:], notes=True)
        with pytest.raises(SandboxError, match="no such case"):
            session.run_many("mixed", [Trial(case=2)])
        with pytest.raises(SandboxError, match="no such program"):
            session.run_many("other", [Trial()])
        assert session.run_many("mixed", [Trial(b"still")])[0].code == 5
    assert with_files.files == {}
    assert without.files == {"given": b""}
    assert (silent.notes, noted.notes) == (b"", b"noted")


READS = r"""
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
    char text[64] = "none";
    const char *names[] = {"given", "sub/other"};
    for (int i = 0; i < 2; i++) {
        FILE *file = fopen(names[i], "r");
        if (file) {
            fgets(text, sizeof text, file);
            fclose(file);
        }
        printf("%s ", file ? text : "missing");
    }
    printf("%s", getenv("WORD"));
    fclose(fopen("given", "a"));
}
"""


def test_made_up_files(sandbox: RunnerSandbox, compile_c: Compile, tmp_path: Path) -> None:
    source, files = tmp_path / "reads.c", tmp_path / "files"
    source.write_text(READS)
    (files / "sub").mkdir(parents=True)
    (files / "given").write_text("one")
    (files / "sub" / "other").write_text("two")
    program = compile_c(source)
    cases = [RunInput(files=files, environment=(("WORD", "w"),)), RunInput()]
    trials = [
        Trial(case=0),
        Trial(case=0, files={"given": b"new"}),
        Trial(case=0, files={"sub/other": None}),
        Trial(case=0, files={"given": None, "sub/other": b""}),
        Trial(case=0),
    ]
    said = [b"one two w", b"new two w", b"one missing w", b"missing missing w", b"one two w"]
    said[3] = b"missing none w"
    with sandbox.open({"reads": program}, cases, limits=LIMITS) as session:
        for _ in range(2):
            results = session.run_many("reads", trials)
            assert [x.stdout for x in results] == said
            assert [x.files for x in results] == [{}, {}, {}, {"given": b""}, {}]
        assert session.run("reads", 0).stdout == said[0], "the case is as it was"
        with pytest.raises(SandboxError, match="no such file"):
            session.run_many("reads", [Trial(case=0, files={"../0.in": b""})])
        with pytest.raises(SandboxError, match="no such file"):
            session.run_many("reads", [Trial(case=1, files={"given": b""})])
        with pytest.raises(SandboxError, match="without a case"):
            session.run_many("reads", [Trial(files={"given": b""})])


def test_arguments_of_any_size(sandbox: RunnerSandbox, mixed: Path) -> None:
    long = "x" * 100_000
    trials = [Trial(b"append", (long,)) for _ in range(30)]
    with sandbox.open({"mixed": mixed}, [], limits=LIMITS) as session:
        results = session.run_many("mixed", trials)
        with pytest.raises(SandboxError, match="NUL"):
            session.run_many("mixed", [Trial(args=("a\0b",))])
    assert all(x.stdout.endswith(long.encode()) for x in results)


@pytest.fixture(scope="module", params=["bwrap", "landlock"])
def walled(request: pytest.FixtureRequest, cache_folder: Path, mixed: Path) -> RunnerSandbox:
    """The sandboxes in which a worker prepares the confinement."""
    made = KINDS[request.param](cache_folder)
    try:
        with made.open({"mixed": mixed}, [], limits=LIMITS) as session:
            if not session.landlock_abi:
                pytest.skip("no Landlock here")
            return made
    except SandboxUnavailable as error:
        pytest.skip(str(error))


def attack(
    sandbox: RunnerSandbox,
    names: Sequence[str],
    compile_c: Compile,
    good: Path,
    wall: float = 1.0,
) -> Iterator[tuple[str, RunResult]]:
    """Each attack twice in one command, and an honest program after it, which must not notice."""
    programs = {name: compile_c(ATTACKS / f"{name}.c") for name in names} | {"good": good}
    with sandbox.open(programs, [], limits=replace(LIMITS, wall_seconds=wall)) as session:
        for name in names:
            results = session.run_many(name, [Trial(b"abc")] * 2)
            after = session.run_many("good", [Trial(b"abc", ("x",))] * 2)
            seen = [(x.code, x.stdout, x.files) for x in after]
            assert seen == [(7, b"[x]294\n", {"sum": b"294"})] * 2, name
            for result in results:
                assert b"succeeded" not in result.stdout, name
                yield name, result


def test_forbidden(walled: RunnerSandbox, compile_c: Compile, good: Path) -> None:
    for name, result in attack(walled, FORBIDDEN, compile_c, good):
        assert result.ending is Ending.FORBIDDEN, name


def test_refused(walled: RunnerSandbox, compile_c: Compile, good: Path) -> None:
    for name, result in attack(walled, [*REFUSED, "leave_file"], compile_c, good, wall=5.0):
        assert (result.ending, result.stdout) == (Ending.EXITED, b"refused\n"), name


def test_harmless(walled: RunnerSandbox, compile_c: Compile, good: Path) -> None:
    for name, result in attack(walled, HARMLESS + TOO_MUCH, compile_c, good, wall=5.0):
        assert result.ending is not Ending.TIMED_OUT, name


def test_timed_out(walled: RunnerSandbox, compile_c: Compile, good: Path) -> None:
    for name, result in attack(walled, TIMED_OUT, compile_c, good, wall=0.3):
        assert result.ending is Ending.TIMED_OUT, name


def test_what_a_worker_may_do_its_programs_may_not(
    walled: RunnerSandbox, compile_c: Compile
) -> None:
    calls = [*SURFACE.values(), *FOR_THE_WORKER]
    program = compile_c(ATTACKS / "kernel_surface.c")
    cases = [RunInput((str(call),)) for call in calls]
    limits = replace(LIMITS, wall_seconds=1.0)
    with walled.open({"attack": program}, cases, limits=limits) as session:
        many = session.run_many("attack", [Trial(args=(str(call),)) for call in calls])
        alone = [session.run("attack", number) for number in range(len(calls))]
    for call, one, other in zip(calls, many, alone, strict=True):
        assert (one.ending, one.stdout) == (other.ending, other.stdout), call


def test_the_fake_has_it_too(tmp_path: Path) -> None:
    def echo(given: RunInput, count: int) -> RunResult:
        assert given.stdin is not None
        return FakeSandbox.result(given.stdin.read_bytes() + b"%d" % count)

    with FakeSandbox({"p": echo}).open({"p": Path("p")}, [], limits=LIMITS) as session:
        results = session.run_many("p", [Trial(b"a"), Trial(b"b")])
        assert session.runs == [("p", -1)] * 2
    assert [x.stdout for x in results] == [b"a0", b"b1"]
