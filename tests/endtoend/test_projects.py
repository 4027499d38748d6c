"""Programs of several units, built by make as their authors would."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.endtoend.project import FAST, SLOW, Project

MAKEFILE = """CFLAGS = -O3 %s
prog: main.o libcount.a
\t$(CC) $(CFLAGS) $(LDFLAGS) -o $@ main.o -L. -lcount
libcount.a: count.o other.o
\tar rcs $@ $^
%%.o: %%.c
\t$(CC) $(CFLAGS) -c -o $@ $<
"""
MAIN = """#include <stdio.h>
int count(unsigned long x);
long other(long x);
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


def lay_out(project: Project, flags: str) -> Path:
    """main.c, and count.c and other.c in a static library; recordings from gcc's build."""
    tree = project.tree
    (tree / "Makefile").write_text(MAKEFILE % flags)
    (tree / "main.c").write_text(MAIN)
    (tree / "count.c").write_text(SLOW + "\n")
    (tree / "other.c").write_text("long other(long x) { return x * 3 + 1; }\n")
    make(project, "gcc")
    (tree / "prog").rename(tree / "gcc-prog")
    for name in ("none", "few", "many"):
        given = (project.tests / f"{name}.in").read_text()
        out = project.run_program(tree / "gcc-prog", given)
        (project.tests / f"{name}.out").write_bytes(out)
    return tree


def make(project: Project, compiler: str, **variables: str) -> None:
    for pattern in ("*.o", "*.a"):
        for path in project.tree.glob(pattern):
            path.unlink()
    (project.tree / "prog").unlink(missing_ok=True)
    done = subprocess.run(
        ["make", "-j2", f"CC={compiler}"],
        cwd=project.tree,
        env=project.environment(**variables),
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""


def donor(function: str, *options: str) -> str:
    argv = ["gcc", "-O3", "-S", *options, "-x", "c", "-", "-o", "-"]
    done = subprocess.run(argv, input=function.encode(), capture_output=True, check=True)
    return done.stdout.decode()


@pytest.mark.parametrize(
    "flags",
    ["", "-g", "-static", "-fPIC -pie", "-ffunction-sections -fdata-sections -Wl,--gc-sections"],
)
def test_a_unit_in_a_library_is_made_faster(project: Project, flags: str) -> None:
    tree = lay_out(project, flags)
    project.propose(donor(FAST), "count.count.1.s")
    make(project, str(project.gcc_llm.front), GCCLLM_TESTS=str(project.tests))
    record = project.record()
    assert record["outcome"] == "optimized", record
    accepted = [(x["unit"], x["function"]) for x in record["functions"] if x["assurance"]]
    assert accepted == [("count", "count")]
    for name in ("none", "few", "many"):
        given = (project.tests / f"{name}.in").read_text()
        expected = (project.tests / f"{name}.out").read_bytes()
        assert project.run_program(tree / "prog", given) == expected
    # Without recordings the rewrite of the unit is applied as it is compiled.
    make(project, str(project.gcc_llm.front))
    shown = subprocess.run(["objdump", "-d", "prog"], cwd=tree, capture_output=True, check=True)
    assert b"5555555555555555" in shown.stdout


def test_one_folder_may_hold_the_recordings_of_several_programs(project: Project) -> None:
    project.propose(project.unit(FAST))
    folder = project.tree / "recordings"
    folder.mkdir()
    project.tests.rename(folder / "slow.tests")
    project.build(GCCLLM_TESTS=str(folder))
    assert project.record()["outcome"] == "optimized"
    (project.tree / "tool.c").write_text("int main(void) { return 3; }\n")
    done = project.build("-O3", "tool.c", "-o", "tool", GCCLLM_TESTS=str(folder))
    assert done.stderr == b""
    assert (project.record()["outcome"], project.record()["reason"]) == (
        "no-tests",
        "no-recordings",
    )


def test_the_compilers_alone_find_something_right(project: Project) -> None:
    """Real proposers over a whole program: whatever comes of it passes its recordings."""
    project.build(GCCLLM_PROPOSERS="compilers", GCCLLM_ISA="native", GCCLLM_BUDGET="20")
    record = project.record()
    assert record["outcome"] in ("optimized", "fallback"), record
    assert record["proposed"]["compilers"] >= 4
    assert record["counts"].get("wrong-output", 0) == 0
    for name in ("none", "few", "many"):
        given = (project.tests / f"{name}.in").read_text()
        expected = (project.tests / f"{name}.out").read_bytes()
        assert project.run_program(project.tree / "slow", given) == expected


@pytest.mark.skipif(shutil.which("ccache") is None, reason="no ccache")
def test_ccache_in_front_sees_a_new_rewrite(project: Project) -> None:
    project.propose(project.unit(FAST))
    variables = {
        "CCACHE_DIR": str(project.temporary.parent / "ccache"),
        "CCACHE_EXTRAFILES": str(project.store / "index"),
    }

    def compiled() -> bytes:
        front = str(project.gcc_llm.front)
        subprocess.run(
            ["ccache", front, "-O3", "-c", "plain.c", "-o", "plain.o"],
            cwd=project.tree,
            env=project.environment(GCCLLM_REPORT="", **variables),
            check=True,
            timeout=60,
        )
        return (project.tree / "plain.o").read_bytes()

    (project.tree / "plain.c").write_text(project.source.read_text())
    before = compiled()
    project.build()
    assert project.record()["outcome"] == "optimized"
    after = compiled()
    assert after != before, "the rewrite of slow.c is that of the same unit in plain.c"
    assert compiled() == after
