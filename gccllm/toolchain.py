"""The real gcc and its binutils: find them, ask them, assemble with them under limits.

The driver's own options never get here; what the user's gcc was told is known from
COLLECT_GCC_OPTIONS, which gcc exports to cc1 and collect2 (gcc internals manual, 'Driver').
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gccllm import process
from gccllm.errors import ToolchainError
from gccllm.types import Isa

__all__ = [
    "AS_LIMITS",
    "CC_TIMEOUT",
    "OPTIONS_WITH_VALUE",
    "CompilerIdentity",
    "SplitOptions",
    "Toolchain",
    "assembler_options",
    "collect_options",
    "features_of_macros",
    "split_options",
]

# A nested .rept kept as busy for 14.7 s and .fill makes files of any size, hence the limits.
AS_LIMITS = process.Limits(cpu_seconds=5, address_space=1 << 30, file_size=16 << 20)
AS_TIMEOUT, AS_TIMEOUT_A_BYTE = 10.0, 1e-5
CC_TIMEOUT = 60.0

OPTIONS_WITH_VALUE = frozenset(
    "-o -dumpdir -dumpbase -dumpbase-ext -MF -MT -MQ -I -D -U -A -include -imacros -isystem -iquote"
    " -idirafter -iprefix -iwithprefix -iwithprefixbefore -isysroot -imultilib -L -l -x -u -T -e -z"
    " -Xlinker -Xassembler -Xpreprocessor -B -specs -wrapper -aux-info --param -G".split()
)
_PREPROCESSOR = re.compile(
    r"-(?:[IDUA]|include$|imacros$|isystem|iquote|idirafter|iprefix|iwithprefix|isysroot|nostdinc"
    r"|undef$|trigraphs$|Wp,|Xpreprocessor)"
)
# What names outputs, inputs, the link, or only makes noise. The rest may change the code.
_IRRELEVANT = re.compile(
    r"-(?:o$|c$|S$|E$|M|dump|save-temps|v$|pipe$|L|l|z$|u$|T|e$|Wl,|Wa,|Xlinker|Xassembler|static"
    r"|shared|pie$|no-pie$|nostdlib|nodefaultlibs|nostartfiles|rdynamic|s$|r$|W|w$|pedantic|time"
    r"|fdiagnostics|fdump|fstack-usage|fmessage|aux-info|wrapper|specs|x$|B|pass-exit-codes|H$|P$)"
)


@dataclass(frozen=True)
class CompilerIdentity:
    """Which compiler made a baseline: resolved path, its version line, and a short digest of both.

    The digest goes into the store's keys: other compiler, other baseline, other rewrites.
    """

    path: str
    version: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.version.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class SplitOptions:
    """The user's options apart: those of the preprocessor and those that shape code."""

    preprocessor: tuple[str, ...]
    compiler: tuple[str, ...]


def collect_options(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The options that the gcc driver was given, from COLLECT_GCC_OPTIONS (shell-quoted)."""
    try:
        return tuple(shlex.split(environment.get("COLLECT_GCC_OPTIONS", "")))
    except ValueError:
        return ()


def assembler_options(environment: Mapping[str, str]) -> tuple[str, ...]:
    """What -Wa, and -Xassembler asked of as, from COLLECT_AS_OPTIONS."""
    try:
        return tuple(shlex.split(environment.get("COLLECT_AS_OPTIONS", "")))
    except ValueError:
        return ()


def split_options(options: Sequence[str]) -> SplitOptions:
    """Sort the driver's options; those that only name files, the link or warnings are dropped."""
    preprocessor: list[str] = []
    compiler: list[str] = []
    position = 0
    while position < len(options):
        option = options[position]
        width = 2 if option in OPTIONS_WITH_VALUE and position + 1 < len(options) else 1
        group = options[position : position + width]
        position += width
        if not option.startswith("-"):
            continue
        if _PREPROCESSOR.match(option):
            preprocessor += group
        elif not _IRRELEVANT.match(option):
            compiler += group
    return SplitOptions(tuple(preprocessor), tuple(compiler))


def features_of_macros(text: str) -> frozenset[str]:
    """gcc's ``-dM -E`` output → feature names: every ``#define __NAME__ 1``, stripped."""
    return frozenset(re.findall(r"^#define __([A-Z0-9_]+?)__ 1$", text, re.MULTILINE))


class Toolchain:
    """One gcc driver and what it would call. Cheap to make; answers are asked for once."""

    def __init__(self, cc: str | None = None) -> None:
        """``cc`` defaults to $GCCLLM_CC, then gcc. Raises ToolchainError when it isn't there."""
        name = cc or os.environ.get("GCCLLM_CC") or "gcc"
        found = shutil.which(name)
        if found is None:
            raise ToolchainError(f"the compiler '{name}' is not on PATH; set GCCLLM_CC")
        self.cc = found
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("COLLECT_", "GCCLLM_")) and name != "COMPILER_PATH"
        }

    @functools.cached_property
    def identity(self) -> CompilerIdentity:
        done = self._ask("--version")
        machine = self._ask("-dumpmachine")
        return CompilerIdentity(self.cc, f"{done.splitlines()[0]} [{machine.strip()}]")

    @functools.cached_property
    def assembler(self) -> str:
        return self._program("as")

    @functools.cached_property
    def linker(self) -> str:
        return self._program("ld")

    @functools.cached_property
    def collect2(self) -> str:
        return self._program("collect2")

    def isa(self, mode: str, options: Sequence[str]) -> Isa:
        """What a rewrite may use: ``mode`` target (the user's own -m options), native, or dispatch
        (native, and what the target does not promise only behind a check).

        Raises ToolchainError when gcc can't say.
        """
        machine = [x for x in options if x.startswith("-m")]
        added = () if mode == "target" else ("-march=native",)
        features = self._features([*machine, *added])
        everywhere = self._features(machine) if mode == "dispatch" else features
        told = " ".join(sorted(features))
        if mode == "dispatch":
            told += " | " + " ".join(sorted(everywhere))
        digest = hashlib.sha256(told.encode()).hexdigest()[:8]
        return Isa(mode, f"{mode}-{digest}", features | everywhere, added, features - everywhere)

    def _features(self, machine: Sequence[str]) -> frozenset[str]:
        found = features_of_macros(self._ask("-dM", "-E", "-x", "c", "/dev/null", *machine))
        if not found:
            raise ToolchainError(f"{self.cc} does not tell its instruction set ({machine})")
        return found

    def preprocess(self, source: Path, options: Sequence[str], directory: Path, out: Path) -> bool:
        """``gcc -E`` in the folder where the unit was compiled; False when it fails now."""
        argv = [self.cc, "-E", *options, str(source), "-o", str(out)]
        return self._run(argv, cwd=directory, timeout=CC_TIMEOUT).ok

    def emit(
        self,
        preprocessed: Path,
        options: Sequence[str],
        out: Path,
        *,
        seconds: float = CC_TIMEOUT,
    ) -> process.Completed:
        """``gcc -S`` of preprocessed C, for ``seconds`` at most."""
        argv = [self.cc, "-S", "-w", *options, "-x", "cpp-output", str(preprocessed)]
        return self._run([*argv, "-o", str(out)], timeout=seconds)

    def assemble(self, text: str, out: Path, options: Sequence[str] = ()) -> process.Completed:
        """Assembly → object, under limits; ``text`` must have passed the text gate if foreign."""
        debug = ["--gdwarf-5"] if "\n\t.loc " in text else []
        return process.run(
            [self.assembler, "--64", *debug, *options, "-o", str(out), "-"],
            stdin=text.encode("utf-8", "surrogateescape"),
            timeout=AS_TIMEOUT + AS_TIMEOUT_A_BYTE * len(text),
            limits=AS_LIMITS,
            env=self._environment,
        )

    def _program(self, name: str) -> str:
        found = self._ask(f"-print-prog-name={name}").strip()
        resolved = shutil.which(found)
        if resolved is None:
            raise ToolchainError(f"{self.cc} names no usable '{name}' (it says '{found}')")
        return resolved

    def _ask(self, *options: str) -> str:
        done = self._run([self.cc, *options], timeout=CC_TIMEOUT)
        if not done.ok:
            raise ToolchainError(f"{self.cc} {' '.join(options)}: {done.error_line()}")
        return done.stdout.decode("utf-8", "replace")

    def _run(
        self, argv: Sequence[str], *, timeout: float, cwd: Path | None = None
    ) -> process.Completed:
        return process.run(argv, timeout=timeout, cwd=cwd, env=self._environment)
