"""Whole builds with gcc-llm and an empty store: bit for bit what gcc builds."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.driver.installed import ROOT, Installed, clean_environment, write_index

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gccllm-tests"
FETCH_SECONDS = 280
BUILD_SECONDS = 280


@dataclass(frozen=True)
class Project:
    """A Debian source package: how it is built with $CC and checked, in sh."""

    build: str
    check: str
    least_files: int


PROJECTS = {
    "zlib": Project(
        'CFLAGS="-O3" ./configure >/dev/null && make -j4 >/dev/null',
        "make test | grep 'zlib test OK'",
        10,
    ),
    "bzip2": Project(
        'make -j4 CC="$CC" CFLAGS=-O3 >/dev/null', 'make test CC="$CC" CFLAGS=-O3', 10
    ),
    "lua5.4": Project(
        # Debian's own makefile needs libtool, and makes this header.
        r"""echo '#define DEB_HOST_MULTIARCH "any"' >src/lua5.4-deb-multiarch.h && """
        r"""printf 'lua: $(patsubst %%.c,%%.o,$(filter-out luac.c,$(wildcard *.c)))\n"""
        r"""\t$(CC) -Wl,-E -o $@ $^ -lm -ldl\n' >src/plain.mk && """
        'make -C src -f plain.mk -j4 CC="$CC" CFLAGS="-O3 -std=gnu99 -DLUA_USE_LINUX" lua',
        """src/lua -e 'local s = 0; for i = 1, 10 do s = s + i end; assert(s == 55)'""",
        20,
    ),
}


def sh(script: str, folder: Path, compiler: str, **more: str) -> None:
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=folder,
        env=clean_environment({"CC": compiler, **more}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=BUILD_SECONDS,
    )
    assert done.returncode == 0, done.stdout[-3000:].decode(errors="replace")


def elf_hashes(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            text = path.read_bytes()
            if text[:4] == b"\x7fELF" or text[:8] == b"!<arch>\n":
                found[str(path.relative_to(folder))] = hashlib.sha256(text).hexdigest()
    return found


def fetch(package: str) -> Path:
    done = subprocess.run(
        [str(ROOT / "scripts" / "fetch-debian-source"), package, str(CACHE)],
        capture_output=True,
        text=True,
        timeout=FETCH_SECONDS,
    )
    if done.returncode != 0:
        pytest.skip(done.stderr.strip() or "the Debian archive can't be reached")
    return Path(done.stdout.strip())


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize("package", PROJECTS)
def test_a_real_project_is_bit_identical(
    package: str, installed: Installed, tmp_path: Path
) -> None:
    project, source = PROJECTS[package], fetch(package)
    tree, built = tmp_path / "tree", []
    for compiler in ("gcc", str(installed.front)):
        shutil.rmtree(tree, ignore_errors=True)
        shutil.copytree(source, tree, symlinks=True)
        sh(project.build, tree, compiler, GCCLLM_STORE=str(tmp_path / "store"), ZERO_AR_DATE="1")
        built.append(elf_hashes(tree))
        sh(project.check, tree, compiler, GCCLLM_STORE=str(tmp_path / "store"))
    assert len(built[0]) >= project.least_files
    assert built[0] == built[1]


MAKEFILE = """OBJECTS := $(addsuffix .o,$(addprefix f,1 2 3 4 5 6 7 8))
prog: main.o $(OBJECTS)
\t+$(CC) -O2 -flto=jobserver main.o $(OBJECTS) -o $@
%.o: %.c
\t$(CC) -O2 $(LTO) -frandom-seed=1 -c $< -o $@
"""


def write_parts(folder: Path) -> None:
    for i in range(1, 9):
        (folder / f"f{i}.c").write_text(f"int f{i}(int x) {{ return x * {i} + {i}; }}\n")
    calls = " + ".join(f"f{i}(argc)" for i in range(1, 9))
    declarations = "".join(f"int f{i}(int);\n" for i in range(1, 9))
    (folder / "main.c").write_text(
        f"{declarations}int main(int argc, char **argv) {{ return ({calls}) & 127; }}\n"
    )
    (folder / "Makefile").write_text(MAKEFILE)


@pytest.mark.parametrize("lto", ["", "-flto"])
def test_the_jobserver_stays_open(installed: Installed, tmp_path: Path, lto: str) -> None:
    results = []
    for compiler in ("gcc", str(installed.front)):
        tree = tmp_path / "tree"
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir()
        write_parts(tree)
        write_index(tmp_path / "store", [1])
        done = subprocess.run(
            ["make", "-j3", f"CC={compiler}", f"LTO={lto}"],
            cwd=tree,
            env=clean_environment({"GCCLLM_STORE": str(tmp_path / "store")}),
            capture_output=True,
            timeout=BUILD_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        results.append((elf_hashes(tree), done.stderr))
    assert results[0] == results[1]
    assert b"jobserver" not in results[1][1]


def test_python_inherits_the_jobserver(installed: Installed, tmp_path: Path) -> None:
    write_parts(tmp_path)
    python = tmp_path / "python"
    python.write_text(
        f"#!/bin/sh\necho $MAKEFLAGS >>'{tmp_path}/log'\nls -l /proc/$$/fd >>'{tmp_path}/log'\n"
    )
    python.chmod(0o755)
    env = {
        "GCCLLM_STORE": str(tmp_path / "store"),
        "GCCLLM_PYTHON": str(python),
        "GCCLLM_TESTS": "tests",
    }
    subprocess.run(
        ["make", "-j2", f"CC={installed.front}", "LTO="],
        cwd=tmp_path,
        env=clean_environment(env),
        check=True,
        capture_output=True,
        timeout=BUILD_SECONDS,
    )
    log = (tmp_path / "log").read_text()
    assert "-j2" in log
    assert "pipe:" in log or "GMfifo" in log


def test_cmake_accepts_it_as_gnu(installed: Installed, tmp_path: Path) -> None:
    if shutil.which("cmake") is None:
        pytest.skip("no cmake")
    (tmp_path / "main.c").write_text("int main(void) { return 0; }\n")
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.10)\nproject(p C)\n"
        'message(STATUS "id=${CMAKE_C_COMPILER_ID}")\n'
        "add_executable(p main.c)\n"
    )
    env = clean_environment({"GCCLLM_STORE": str(tmp_path / "store"), "CC": str(installed.front)})
    options = ["-DCMAKE_BUILD_TYPE=Release", "-G", "Unix Makefiles"]
    configured = subprocess.run(
        ["cmake", "-S", ".", "-B", "build", *options],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
    )
    assert configured.returncode == 0, configured.stderr
    assert "id=GNU" in configured.stdout
    subprocess.run(
        ["cmake", "--build", "build"],
        cwd=tmp_path,
        env=env,
        check=True,
        capture_output=True,
        timeout=BUILD_SECONDS,
    )
    assert subprocess.run([tmp_path / "build" / "p"]).returncode == 0


def test_an_autoconf_configure_finds_the_same(installed: Installed, tmp_path: Path) -> None:
    if shutil.which("autoconf") is None:
        pytest.skip("no autoconf")
    (tmp_path / "configure.ac").write_text(
        "AC_INIT([p],[1])\nAC_PROG_CC\nAC_C_INLINE\nAC_CHECK_HEADERS([math.h no.h])\n"
        "AC_CHECK_SIZEOF([long])\nAC_CHECK_FUNCS([memmem nosuch])\n"
        "AC_CONFIG_HEADERS([config.h])\nAC_OUTPUT\n"
    )
    (tmp_path / "config.h.in").write_text(
        "#undef HAVE_MATH_H\n#undef HAVE_NO_H\n#undef SIZEOF_LONG\n"
        "#undef HAVE_MEMMEM\n#undef HAVE_NOSUCH\n"
    )
    sh("autoconf", tmp_path, "gcc")
    headers = []
    for compiler in ("gcc", str(installed.front)):
        sh("./configure -q", tmp_path, compiler, GCCLLM_STORE=str(tmp_path / "store"))
        headers.append((tmp_path / "config.h").read_bytes())
    assert headers[0] == headers[1]
