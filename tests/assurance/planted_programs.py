"""Small programs with a wrong variant each, which their eight recordings do not tell apart.

``planted/NAME.c`` is right, with -DWRONG it is wrong; ``planted/NAME.inputs`` holds the recorded
inputs, ``---`` between them; one that begins with ``args`` is a command line.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from gccllm.program import Build
from gccllm.recordings import Case, Expected, Recording, save_case
from gccllm.recordings import load as load_recording

__all__ = ["FOLDER", "NAMES", "answers_alike", "build", "record"]

FOLDER = Path(__file__).parent / "planted"
NAMES = sorted(path.stem for path in FOLDER.glob("*.c"))


def build(source: Path, folder: Path, name: str, *options: str) -> Build:
    """The program and its object, in ``folder``."""
    made = folder / f"{name}.o"
    executable = folder / name
    command = ["gcc", "-w", "-c", "-o", str(made), *options, str(source)]
    subprocess.run(command, check=True, timeout=60)
    subprocess.run(["gcc", "-o", str(executable), str(made), "-lm"], check=True, timeout=60)
    return Build(executable, {source.name: made})


def record(name: str, executable: Path, folder: Path) -> Recording:
    """The recording of a planted program, with what ``executable`` answers."""
    for number, text in enumerate((FOLDER / f"{name}.inputs").read_text().split("---\n")):
        args = tuple(text.split()[1:]) if text.startswith("args") else ()
        stdin = b"" if args else text.encode()
        folder.mkdir(exist_ok=True)
        done = subprocess.run(
            [str(executable), *args], input=stdin, capture_output=True, timeout=10, cwd=folder
        )
        written = {"sum.txt": (folder / "sum.txt").read_bytes()} if _leaves_file(folder) else {}
        expected = Expected(done.stdout, done.returncode, None, written)
        save_case(folder, str(number), stdin, args, expected)
    return load_recording(folder)


def answers_alike(cases: tuple[Case, ...], one: Path, other: Path, folder: Path) -> bool:
    """Whether two programs do the same on every recorded input."""

    def answer(program: Path, case: Case) -> tuple[int, bytes, bytes]:
        stdin = case.given.stdin.read_bytes() if case.given.stdin else b""
        command = [str(program), *case.given.args]
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=10, cwd=folder)
        left = (folder / "sum.txt").read_bytes() if _leaves_file(folder) else b""
        return done.returncode, done.stdout, left

    return all(answer(one, case) == answer(other, case) for case in cases)


def _leaves_file(folder: Path) -> bool:
    return (folder / "sum.txt").is_file()
