"""Hostile programs: each is refused or harmless, and the session is as good as before.

A program in attacks/ prints "succeeded" when it got what it wanted.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from gccllm.sandbox.base import Ending, RunInput, RunLimits, RunResult
from gccllm.sandbox.landlock import LandlockSandbox
from tests.sandbox.conftest import LIMITS, Compile, RunnerSandbox

ATTACKS = Path(__file__).parent / "attacks"
SHORT = replace(LIMITS, wall_seconds=1.0)

FORBIDDEN = [
    "abstract_socket",
    "code_in_stdout",
    "code_later",
    "fork_bomb",
    "hidden_syscall",
    "kill_by_thread",
    "kill_everyone",
    "kill_runner",
    "posix_queue",
    "process_vm",
    "ptrace_runner",
    "run_own_file",
    "run_shell",
    "shared_memory",
    "socket",
    "user_namespace",
    "vfork_clone",
    "writable_code",
    "x32",
]
REFUSED = [
    "huge_file",
    "many_descriptors",
    "memory_bomb",
    "other_core",
    "other_inputs",
    "proc_snooping",
    "raise_limits",
    "stdin_tricks",
    "timer",
]
HARMLESS = ["closed_streams", "deep_folders", "forged_reply", "int80"]
TIMED_OUT = ["infinite_loop", "sleeper", "stopper", "thread_left"]
TOO_MUCH = ["output_bomb"]
ELSEWHERE = [
    "full_folder",
    "kernel_surface",
    "leave_file",
    "many_files",
    "read_host",
    "thread_bomb",
    "write_outside",
]

# from the kernel's table for x86-64
SURFACE = {
    "perf_event_open": 298,
    "bpf": 321,
    "io_uring_setup": 425,
    "io_setup": 206,
    "keyctl": 250,
    "add_key": 248,
    "userfaultfd": 323,
    "mount": 165,
    "setns": 308,
    "pidfd_open": 434,
    "pidfd_send_signal": 424,
    "open_by_handle_at": 304,
    "personality": 135,
    "modify_ldt": 154,
    "setuid": 105,
    "chroot": 161,
    "seccomp": 317,
    "inotify_init": 253,
    "epoll_create1": 291,
    "semget": 64,
    "msgget": 68,
}


def attack(
    sandbox: RunnerSandbox,
    program: Path,
    good: Path,
    tmp_path: Path,
    *,
    args: tuple[str, ...] = (),
    limits: RunLimits = SHORT,
    times: int = 1,
) -> list[RunResult]:
    """Run an attack, then a good program in the same session, which must not notice."""
    words = tmp_path / "words"
    words.write_bytes(b"abc")
    cases = [RunInput(args, stdin=words), RunInput(("x",), stdin=words)]
    with sandbox.open({"attack": program, "good": good}, cases, limits=limits) as session:
        results = [session.run("attack", 0) for _ in range(times)]
        after = session.run("good", 1)
    assert (after.ending, after.code) == (Ending.EXITED, 7)
    assert (after.stdout, after.stderr) == (b"[x]294\n", b"done\n")
    assert after.files == {"sum": b"294"}
    for result in results:
        assert b"succeeded" not in result.stdout
    return results


def test_every_attack_is_tested() -> None:
    listed = FORBIDDEN + REFUSED + HARMLESS + TIMED_OUT + TOO_MUCH + ELSEWHERE
    assert sorted(listed) == sorted(path.stem for path in ATTACKS.glob("*.c"))


@pytest.mark.parametrize("name", FORBIDDEN)
def test_forbidden(
    name: str, confined: RunnerSandbox, compile_c: Compile, good: Path, tmp_path: Path
) -> None:
    (result,) = attack(confined, compile_c(ATTACKS / f"{name}.c"), good, tmp_path)
    assert result.ending is Ending.FORBIDDEN


@pytest.mark.parametrize("name", REFUSED)
def test_refused(
    name: str, confined: RunnerSandbox, compile_c: Compile, good: Path, tmp_path: Path
) -> None:
    (result,) = attack(confined, compile_c(ATTACKS / f"{name}.c"), good, tmp_path, limits=LIMITS)
    assert (result.ending, result.stdout) == (Ending.EXITED, b"refused\n")


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless(
    name: str, confined: RunnerSandbox, compile_c: Compile, good: Path, tmp_path: Path
) -> None:
    (result,) = attack(confined, compile_c(ATTACKS / f"{name}.c"), good, tmp_path)
    assert result.ending is not Ending.TIMED_OUT


@pytest.mark.parametrize("name", TIMED_OUT)
def test_timed_out(
    name: str, confined: RunnerSandbox, compile_c: Compile, good: Path, tmp_path: Path
) -> None:
    limits = replace(LIMITS, wall_seconds=0.3)
    (result,) = attack(confined, compile_c(ATTACKS / f"{name}.c"), good, tmp_path, limits=limits)
    assert result.ending is Ending.TIMED_OUT


@pytest.mark.parametrize("name", TOO_MUCH)
def test_too_much(
    name: str, confined: RunnerSandbox, compile_c: Compile, good: Path, tmp_path: Path
) -> None:
    (result,) = attack(confined, compile_c(ATTACKS / f"{name}.c"), good, tmp_path, limits=LIMITS)
    assert result.ending is Ending.TOO_MUCH_OUTPUT
    assert len(result.stdout) <= LIMITS.output_bytes
    assert len(result.stderr) <= LIMITS.output_bytes


@pytest.mark.parametrize("call", SURFACE)
def test_kernel_surface(
    call: str, confined: RunnerSandbox, compile_c: Compile, good: Path, tmp_path: Path
) -> None:
    program = compile_c(ATTACKS / "kernel_surface.c")
    (result,) = attack(confined, program, good, tmp_path, args=(str(SURFACE[call]),))
    assert result.ending is Ending.FORBIDDEN


def test_full_folder(
    confined: RunnerSandbox, compile_c: Compile, good: Path, tmp_path: Path
) -> None:
    program = compile_c(ATTACKS / "full_folder.c")
    limits = replace(LIMITS, output_bytes=2 << 20)
    (result,) = attack(confined, program, good, tmp_path, limits=limits)
    # killed by the watch, or out of space, with too many files to collect
    assert result.ending is Ending.TOO_MUCH_OUTPUT
    assert result.files == {}


def test_many_files(
    confined: RunnerSandbox, compile_c: Compile, good: Path, tmp_path: Path
) -> None:
    (result,) = attack(confined, compile_c(ATTACKS / "many_files.c"), good, tmp_path, limits=LIMITS)
    # on a slow disk the deadline comes before the 20,000th file
    slow = [Ending.TIMED_OUT] if isinstance(confined, LandlockSandbox) else []
    assert result.ending in [Ending.TOO_MUCH_OUTPUT, *slow]


def test_thread_bomb(
    confined: RunnerSandbox, compile_c: Compile, good: Path, tmp_path: Path
) -> None:
    if isinstance(confined, LandlockSandbox) and os.geteuid() != 0:
        pytest.skip("without a uid of its own a program's threads can't be counted")
    (result,) = attack(confined, compile_c(ATTACKS / "thread_bomb.c"), good, tmp_path)
    assert result.stdout == b"refused\n"


def test_nothing_survives_a_run(
    confined: RunnerSandbox, compile_c: Compile, good: Path, tmp_path: Path
) -> None:
    results = attack(confined, compile_c(ATTACKS / "leave_file.c"), good, tmp_path, times=3)
    assert [result.stdout for result in results] == [b"refused\n"] * 3


def test_host_files_are_not_read(
    confined: RunnerSandbox, compile_c: Compile, good: Path, tmp_path: Path
) -> None:
    expected = tmp_path / "case.out"
    expected.write_text("42\n")
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)  # so that only the sandbox stands in the way
    args = (str(expected), str(tmp_path), "/etc/passwd", "/etc/hostname", "/root", "/tmp")
    (result,) = attack(confined, compile_c(ATTACKS / "read_host.c"), good, tmp_path, args=args)
    assert result.stdout == b"refused\n"


def test_host_files_are_not_changed(
    confined: RunnerSandbox, compile_c: Compile, good: Path, tmp_path: Path
) -> None:
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    target = tmp_path / "open"
    target.mkdir()
    target.chmod(0o777)
    victim = target / "victim"
    victim.write_text("as it was")
    victim.chmod(0o666)
    args = (str(victim), str(target / "new"), "/usr/lib/new", "/dev/shm/new", "../../new")
    (result,) = attack(confined, compile_c(ATTACKS / "write_outside.c"), good, tmp_path, args=args)
    assert result.stdout == b"refused\n"
    assert victim.read_text() == "as it was"
    assert victim.stat().st_mode & 0o777 == 0o666
    assert list(target.iterdir()) == [victim]
