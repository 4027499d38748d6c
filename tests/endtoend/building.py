"""A small program in every kind of build, for ``gccllm optimize`` over it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.driver.installed import Installed, clean_environment
from tests.endtoend.project import FAST, SLOW

__all__ = ["MARK", "SYSTEMS", "System", "Tree"]

MARK = b"5555555555555555"
"""in the disassembly of the fast function, and of nothing else here"""
HEADER = "int count(unsigned long x);\nlong other(long x);\n"
MAIN = """#include <stdio.h>
#include "count.h"
int main(void) {
    unsigned long n = 0, x = 88172645463325252ul;
    long total = 0;
    if (scanf("%lu", &n) != 1) return 2;
    for (unsigned long i = 0; i < n; i++) {
        x ^= x << 13; x ^= x >> 7; x ^= x << 17;
        total += count(x);
    }
    printf("%ld\\n", other(total));
    return 0;
}
"""
OTHER = '#include "count.h"\nlong other(long x) { return x * 3 + 1; }\n'
MAKEFILE = """CFLAGS = -O3 {flags}
all: prog second
prog: main.o libcount.a
\t$(CC) $(CFLAGS) -o $@ main.o -L. -lcount
second: main.o count.o other.o
\t$(CC) $(CFLAGS) -o $@ main.o count.o other.o
libcount.a: count.o other.o
\tar rcs $@ $^
%.o: %.c
\t$(CC) $(CFLAGS) -c -o $@ $<
clean:
\trm -f *.o *.a prog second
"""
SHARED = """CFLAGS = -O3 -fPIC -g
prog: main.o libcount.so
\t$(CC) $(CFLAGS) -o $@ main.o -L. -lcount -Wl,-rpath,'$$ORIGIN'
libcount.so: count.o other.o
\t$(CC) -shared -Wl,-soname,libcount.so -o $@ $^
%.o: %.c
\t$(CC) $(CFLAGS) -c -o $@ $<
clean:
\trm -f *.o *.so prog
"""
NINJA = """cflags = -O3
rule cc
  command = $cc $cflags -c -o $out $in
rule ar
  command = rm -f $out && ar rcs $out $in
rule link
  command = $cc $cflags -o $out main.o -L. -lcount
build main.o: cc main.c
build count.o: cc count.c
build other.o: cc other.c
build libcount.a: ar count.o other.o
build prog: link main.o libcount.a
"""
CMAKE = """cmake_minimum_required(VERSION 3.13)
project(count C)
set(CMAKE_BUILD_TYPE Release)
add_library(count STATIC count.c other.c)
add_executable(prog main.c)
target_link_libraries(prog count)
"""
CONFIGURE = """AC_INIT([count], [1])
AM_INIT_AUTOMAKE([foreign subdir-objects])
AC_PROG_CC
AC_PROG_RANLIB
m4_ifdef([AM_PROG_AR], [AM_PROG_AR])
AC_CONFIG_FILES([Makefile])
AC_OUTPUT
"""
AUTOMAKE = """noinst_LIBRARIES = libcount.a
libcount_a_SOURCES = count.c other.c count.h
noinst_PROGRAMS = prog
prog_SOURCES = main.c
prog_LDADD = libcount.a
"""


@dataclass(frozen=True)
class System:
    """``build`` (sh, with $CC) makes ``program`` anew from nothing; ``holds`` is the file that the
    function ends up in. ``needs``: programs without which there is nothing to be tested."""

    files: Mapping[str, str]
    build: str
    program: str = "prog"
    holds: str = "prog"
    needs: tuple[str, ...] = ()


def _made(flags: str = "") -> System:
    return System(
        {"Makefile": MAKEFILE.format(flags=flags)}, 'make -s clean && make -s -j3 CC="$CC"'
    )


SYSTEMS: Mapping[str, System] = {
    "make -j": _made(),
    "-g": _made("-g"),
    "-fPIC": _made("-fPIC -pie"),
    "--gc-sections": _made("-ffunction-sections -fdata-sections -Wl,--gc-sections"),
    "-static -s": _made("-static -s"),
    "shared library": System(
        {"Makefile": SHARED}, 'make -s clean && make -s CC="$CC"', holds="libcount.so"
    ),
    "ninja": System(
        {"rules.ninja": NINJA},
        'echo "cc = $CC" | cat - rules.ninja > build.ninja && ninja -t clean >/dev/null;'
        " ninja >/dev/null",
        needs=("ninja",),
    ),
    "cmake, out of the tree": System(
        {"CMakeLists.txt": CMAKE},
        'rm -rf out && cmake -S . -B out -DCMAKE_C_COMPILER="$CC" >/dev/null'
        " && make -s -C out >/dev/null",
        program="out/prog",
        holds="out/prog",
        needs=("cmake",),
    ),
    "autotools, out of the tree": System(
        {"configure.ac": CONFIGURE, "Makefile.am": AUTOMAKE},
        "{ test -f configure || autoreconf -i >/dev/null 2>&1; } && rm -rf out && mkdir out"
        ' && cd out && CFLAGS=-O3 ../configure -q CC="$CC" && make -s >/dev/null',
        program="out/prog",
        holds="out/prog",
        needs=("autoreconf", "automake"),
    ),
    "ccache in front": System(
        {"Makefile": MAKEFILE.format(flags="")},
        'make -s clean && make -s CC="ccache $CC"',
        needs=("ccache",),
    ),
    "one command": System({}, "$CC -O3 main.c count.c other.c -o prog", needs=()),
}


class Tree:
    """The program's sources in a build system, a store of its own, and the fast function as what
    the scripted proposer offers."""

    def __init__(self, root: Path, gcc_llm: Installed, system: System) -> None:
        self.system = system
        self.folder = root / "tree"
        self.report = root / "report.json"
        self.store = root / "store"
        scripts = root / "scripts"
        for folder in (self.folder, scripts, root / "tmp"):
            folder.mkdir()
        for name, text in {
            "count.h": HEADER,
            "main.c": MAIN,
            "count.c": f'#include "count.h"\n{SLOW}\n',
            "other.c": OTHER,
            **system.files,
        }.items():
            (self.folder / name).write_text(text)
        self._script = scripts / "count.count.s"
        self.propose(FAST)
        self.environment = clean_environment(
            {
                "CC": str(gcc_llm.front),
                "GCCLLM_PYTHON": sys.executable,
                "GCCLLM_STORE": str(self.store),
                "GCCLLM_PROPOSERS": f"scripted:{scripts}",
                "CCACHE_DIR": str(root / "ccache"),
                "CCACHE_EXTRAFILES": str(self.store / "index"),
                "TMPDIR": str(root / "tmp"),
            }
        )

    def propose(self, function: str, *options: str) -> None:
        """Have this version of the function offered."""
        command = ["gcc", "-O3", "-fPIC", *options, "-S", "-x", "c", "-", "-o", str(self._script)]
        subprocess.run(command, input=function.encode(), check=True)

    def sh(self, script: str, **more: str) -> None:
        """Run a script where the sources are; it must succeed, in silence."""
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=self.folder,
            env={**self.environment, **more},
            capture_output=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr.decode()

    def command(self, *arguments: str) -> list[str]:
        """``gccllm optimize`` with what all tests share."""
        return [
            *(sys.executable, "-m", "gccllm.cli", "optimize", "--budget", "40"),
            *("--report", str(self.report), *arguments),
        ]

    def optimize(self, *arguments: str, program: str = "") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self.command(*arguments, program or self.system.program),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            timeout=240,
        )

    def record(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.report.read_text())
        return loaded

    def is_fast(self, name: str = "") -> bool:
        """Whether the file holds the fast function."""
        path = self.folder / (name or self.system.holds)
        shown = subprocess.run(["objdump", "-d", str(path)], capture_output=True, check=True)
        return MARK in shown.stdout

    def runs(self, number: str, program: str = "") -> bytes:
        path = self.folder / (program or self.system.program)
        done = subprocess.run(
            [str(path)], input=f"{number}\n".encode(), capture_output=True, check=True, timeout=30
        )
        return done.stdout

    workload: Callable[..., str] = staticmethod(
        lambda program="prog": "".join(
            f"echo {n} | ./{program} >/dev/null\n" for n in (0, 3, 300000)
        )
    )
