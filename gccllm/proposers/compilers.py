"""Other command lines and another compiler as a proposer.

The unit is compiled again from its preprocessed source, by gcc with other settings and by clang.
No single command line beats ``gcc -O3`` everywhere, but for a single function one often does; the
candidates offer all their functions and the driver above picks and mixes.
Everything is written below the task's scratch folder. Compilations run one at a time and only
when the next candidate is asked for, so none runs while the judge takes times.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from gccllm.asm.dialect import as_donor, canonical
from gccllm.asm.normalise import unit_key
from gccllm.process import run
from gccllm.proposers.base import CompileSpec, Task
from gccllm.proposers.clang import (
    clang_features,
    clang_keeps,
    clang_language,
    clang_source,
    find_clang,
)
from gccllm.proposers.pgo import Profile
from gccllm.proposers.settings import SETTINGS, Setting, gcc_common
from gccllm.types import Candidate

__all__ = ["CompilersProposer", "predefined_macros"]

COMPILE_SECONDS = 30.0
COMPILE_SHARE = 0.3
"""of the time that is left: a unit of megabytes may take longer"""


class CompilersProposer:
    """Whole units by the user's gcc with other settings, with a profile, and by clang.

    Yields nothing where the task can't be compiled again. A setting that fails, or whose code is
    the baseline's or an earlier setting's, is left out.
    """

    name = "compilers"
    refines = False

    def __init__(self, settings: Sequence[Setting] = SETTINGS) -> None:
        self._settings = settings

    def propose(self, task: Task) -> Iterator[Candidate]:
        if task.compile is None:
            return
        build = _Build(task, task.compile)
        seen = {unit_key(canonical(task.baseline))}
        for setting in self._settings:
            if time.monotonic() >= task.deadline:
                return
            start = time.monotonic()
            text = build.compile(setting)
            if text is None or (key := unit_key(text)) in seen:
                continue
            seen.add(key)
            yield Candidate(
                proposer=self.name,
                unit=task.unit,
                functions=(),
                text=text,
                label=build.label(setting),
                seconds=time.monotonic() - start,
                foreign=True,
            )


class _Build:
    """The command lines of one task: what all its settings share is found once."""

    def __init__(self, task: Task, spec: CompileSpec) -> None:
        self._task = task
        self._spec = spec
        self._folder = (task.scratch / "compilers").resolve()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._source = spec.preprocessed.resolve()
        self._clang_source = self._folder / "clang.i"
        self._clang_language: tuple[str, ...] = ()
        self._macros = predefined_macros(spec.cc, spec.options)
        self._gcc = (*spec.options, *gcc_common(self._macros))
        self._wider = task.isa.options
        self._profile: Profile | None = None

    def label(self, setting: Setting) -> str:
        """The command line, less what is the same for all."""
        name = "gcc" if setting.compiler == "gcc" else Path(find_clang() or "clang").name
        words = [name, *setting.options[:1]]
        words += self._wider if setting.native else ()
        words += setting.options[1:]
        words += ["PGO"] if setting.profile else []
        return " ".join(words)

    def compile(self, setting: Setting) -> str | None:
        """The unit's canonical assembly under a setting; None where it does not apply or fails."""
        if (setting.native and not self._wider) or not self._allows(setting.needs):
            return None
        output, source = self._folder / "unit.s", self._source
        if setting.compiler == "clang":
            argv, source = self._clang_line(setting), self._clang_source
        else:
            argv = [*self._gcc_line(setting), "-x", "cpp-output"]
        if not argv:
            return None
        if setting.profile:
            if self._profile is None:
                self._profile = Profile(self._task, (self._spec.cc, *self._gcc, *setting.options))
            if not self._profile.collect(self._seconds()):
                return None
            argv, output = [*argv, *self._profile.use], self._profile.output
        argv += ["-S", "-o", str(output), str(source)]
        output.unlink(missing_ok=True)
        if not run(argv, timeout=self._seconds(), cwd=self._folder).ok:
            return None
        try:
            text = canonical(output.read_text(encoding="utf-8", errors="surrogateescape"))
        except OSError:
            return None
        return as_donor(text, self._task.baseline)

    def _allows(self, feature: str) -> bool:
        return not feature or feature in self._task.isa.features

    def _seconds(self) -> float:
        left = self._task.deadline - time.monotonic()
        return max(0.05, min(left, max(COMPILE_SECONDS, COMPILE_SHARE * left)))

    def _gcc_line(self, setting: Setting) -> list[str]:
        wider = self._wider if setting.native else ()
        return [self._spec.cc, *self._gcc, *wider, *setting.options]

    def _clang_line(self, setting: Setting) -> list[str]:
        """Empty where there is no clang, or it can't do what the user's options say."""
        clang = find_clang()
        kept = clang_keeps(self._spec.options, self._macros)
        if clang is None or kept is None:
            return []
        if not self._clang_source.exists():
            try:
                text = self._source.read_text(encoding="utf-8", errors="surrogateescape")
                readable = clang_source(text)
                self._clang_language = clang_language(readable)
                self._clang_source.write_bytes(readable.encode("utf-8", "surrogateescape"))
            except OSError:
                return []
        # Feature by feature: clang's idea of `native` may hold more than gcc's, which is all that
        # the object gate lets through.
        if setting.native:
            isa = [*clang_features(self._task.isa.features), "-mtune=native"]
        else:
            isa = list(clang_features(name.strip("_") for name in self._macros))
        return [clang, *kept, *isa, *setting.options, *self._clang_language]


@lru_cache(maxsize=64)
def predefined_macros(cc: str, options: tuple[str, ...]) -> Mapping[str, str]:
    """The macros that ``cc options`` predefines (``-dM -E``); empty when it can't be run."""
    done = run([cc, *options, "-w", "-dM", "-E", "-x", "c", "/dev/null"], timeout=COMPILE_SECONDS)
    lines = done.stdout.decode("utf-8", "replace").splitlines() if done.ok else []
    return dict(re.findall(r"#define (\w+) (.*)", "\n".join(lines)))
