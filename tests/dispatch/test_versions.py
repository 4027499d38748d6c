"""Two versions in one function: which of them runs, and what callers, debuggers and tools see."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from gccllm.asm.splice import Refusal, Spliced, splice
from gccllm.asm.unit import parse
from gccllm.dispatching.placing import Placed, place
from gccllm.judge.object_gate import check_object
from gccllm.process import run
from gccllm.types import Isa
from tests.asm.tools import assemble, build, compile_unit, execute
from tests.dispatch.tools import V3, emulated, features, needs_qemu, needs_v3, placed

PROGRAM = """
#include <stdio.h>
#include <string.h>
#ifdef TRACED
#include <execinfo.h>
static void shown(void) {
    void *frames[8];
    int n = backtrace(frames, 8);
    char **names = backtrace_symbols(frames, n);
    for (int i = 0; i < n; i++) puts(names[i]);
}
#else
static void shown(void) { puts("shown"); }
#endif
void (*volatile hook)(void) = shown;
__attribute__((noinline)) long bits(const unsigned long *x, int n) {
    long found = 0;
    for (int i = 0; i < n; i++) found += __builtin_popcountl(x[i]);
    if (n == 3) hook();
    return found;
}
__attribute__((noinline)) int length(const char *p) {
    const char *begin = p;
    while (*p++) ;
    return p - begin;
}
__attribute__((noinline)) static unsigned scaled(unsigned x, unsigned by) { return x << by; }
int main(int argc, char **argv) {
    unsigned long x[8] = {1, 3, 7, 15, (unsigned long)argc, 1ul << 63, 5, 9};
    long total = 0;
    for (int i = 0; i < 8; i++) total += bits(x, i) + scaled(i, argc) + length(argv[0] + i % 2);
    printf("%ld\\n", total - 8 * (long)strlen(argv[0]));
    return 0;
}
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "versions.c"
    path.write_text(PROGRAM)
    return path


def whole(source: Path, *options: str, trap: str = "") -> tuple[str, str]:
    """(gcc's unit, the unit with the functions of another compilation all at once); ``trap``: one
    of them ends in a trap instead."""
    base = compile_unit(source, "-O3", *options)
    donor = compile_unit(source, "-O3", *V3, *options)
    if trap:
        donor = re.sub(rf"(\n{trap}:\n(?:\.L.*\n|\t\.(?:cfi|loc|file).*\n)*)", r"\1\tud2\n", donor)
        assert "\tud2\n" in donor
    names = [x for x, f in parse(base).functions.items() if f.replaceable]
    done = splice(parse(base), parse(donor), names, tag="0123abcd", foreign=True)
    assert isinstance(done, Spliced), done
    return base, done.text


@needs_v3
@needs_qemu
@pytest.mark.parametrize("options", [(), ("-g",), ("-fcf-protection=full",)])
def test_here_the_new_version_runs_and_elsewhere_gccs(
    source: Path, options: tuple[str, ...], tmp_path: Path
) -> None:
    base, unit = whole(source, *options)
    want = execute(build(base, tmp_path / "old"))
    assert emulated(build(unit, tmp_path / "wider"), "Nehalem")[0] in (132, -4)
    good = build(placed(base, unit, tmp_path).text, tmp_path / "good")
    assert execute(good) == emulated(good, "Nehalem") == emulated(good, "Haswell") == want
    base, unit = whole(source, *options, trap="bits")
    trapped = build(placed(base, unit, tmp_path).text, tmp_path / "trapped")
    assert execute(trapped)[0] == -4
    assert emulated(trapped, "Nehalem") == want


@needs_v3
@needs_qemu
def test_functions_that_rely_on_each_other_switch_together(tmp_path: Path) -> None:
    """gcc keeps i in a register that the new count leaves alone, and gcc's count does not."""
    path = tmp_path / "pair.c"
    path.write_text("""
    #include <stdio.h>
    __attribute__((noinline)) static int count(unsigned long x) {
        int n = 0;
    #ifdef NEW
        n = __builtin_popcountl(x);
    #else
        for (int i = 0; i < 64; i++) n += x >> i & 1;
    #endif
        return n;
    }
    int main(void) {
        long total = 0;
        for (unsigned long i = 0; i < 99; i++) total += count(i * i) * (long)i;
        printf("%ld\\n", total);
        return 0;
    }
    """)
    base, donor = compile_unit(path, "-O3"), compile_unit(path, "-O3", "-mpopcnt", "-DNEW")
    done = splice(parse(base), parse(donor), ["count", "main"], tag="0123abcd")
    assert isinstance(done, Spliced)
    new = placed(base, done.text, tmp_path)
    assert new.checked == {"POPCNT"}
    program = build(new.text, tmp_path / "new")
    want = execute(build(base, tmp_path / "old"))
    assert execute(program) == want
    assert emulated(program, "Conroe") == want


@needs_v3
@needs_qemu
def test_a_shared_library(source: Path, tmp_path: Path) -> None:
    base, unit = whole(source, "-fPIC")
    assemble(placed(base, unit, tmp_path).text, tmp_path / "x.o")
    caller = tmp_path / "caller.c"
    caller.write_text(
        "#include <stdio.h>\nlong bits(const unsigned long *, int);\n"
        'int main(void) { unsigned long x[2] = {7, 1}; printf("%ld\\n", bits(x, 2)); return 0; }\n'
    )
    library, program = str(tmp_path / "libx.so"), tmp_path / "caller"
    assert run(["gcc", "-shared", "-o", library, str(tmp_path / "x.o")], timeout=60).ok
    rpath = f"-Wl,-rpath,{tmp_path}"
    argv = ["gcc", "-fno-PIE", "-no-pie", "-o", str(program), str(caller), library, rpath]
    assert run(argv, timeout=60).ok
    assert execute(program) == emulated(program, "Nehalem") == (0, b"4\n")


@needs_v3
@needs_qemu
@pytest.mark.parametrize("options", [(), ("-fomit-frame-pointer",), ("-fno-omit-frame-pointer",)])
def test_backtraces_name_the_function(
    source: Path, options: tuple[str, ...], tmp_path: Path
) -> None:
    base, unit = whole(source, "-DTRACED", "-g", "-fno-pie", *options)
    link = ("-rdynamic", "-no-pie")
    program = build(placed(base, unit, tmp_path).text, tmp_path / "traced", *link)

    def names(output: bytes) -> list[bytes]:
        return re.findall(rb"\((\w+)\+0x", output)

    want = names(execute(build(base, tmp_path / "old", *link))[1])
    assert b"bits" in want
    assert names(execute(program)[1]) == want
    assert names(emulated(program, "Nehalem")[1]) == want


@needs_v3
def test_debug_information_knows_both_versions(source: Path, tmp_path: Path) -> None:
    base, unit = whole(source, "-g")
    program = build(placed(base, unit, tmp_path).text, tmp_path / "debug", "-no-pie")
    listing = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", str(program)],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    body = listing.split("<bits>:")[1].split("\n\n")[0]
    new = re.findall(r"^ +([0-9a-f]+):\tpopcnt", body, re.M)
    gccs = re.findall(r"^ +([0-9a-f]+):\tcall.*popcount", body, re.M)
    for address in (new[0], gccs[0]):
        argv = ["addr2line", "-f", "-e", str(program), address]
        told = subprocess.run(argv, capture_output=True, check=True, text=True).stdout.split("\n")
        assert told[0] == "bits"
        assert Path(told[1].partition(":")[0]).name == "versions.c"


@needs_v3
@pytest.mark.parametrize("options", [(), ("-fPIC",), ("-ffunction-sections",)])
def test_only_two_symbols_are_new(source: Path, options: tuple[str, ...], tmp_path: Path) -> None:
    base, unit = whole(source, *options)

    def symbols(text: str, name: str) -> set[tuple[str, str]]:
        made = assemble(text, tmp_path / f"{name}.o")
        done = subprocess.run(["nm", str(made)], capture_output=True, check=True, text=True)
        return {(x.split()[-2], x.split()[-1]) for x in done.stdout.splitlines()}

    known = symbols(base, "old") | symbols(unit, "judged")
    more = symbols(placed(base, unit, tmp_path).text, "new") - known
    assert more == {("t", "gccllm.ask"), ("b", "gccllm.has")}


@needs_v3
def test_the_object_gate_knows_our_question_and_no_other(source: Path, tmp_path: Path) -> None:
    base, unit = whole(source)
    new = placed(base, unit, tmp_path)
    isa = Isa("dispatch", "x", features("-march=native"), checked=new.checked)
    made = assemble(new.text, tmp_path / "new.o")
    reference = assemble(new.reference, tmp_path / "reference.o")
    imports = frozenset[str]()
    assert check_object(made, reference, isa, program_imports=imports) == []
    rules = {
        x.rule
        for x in check_object(
            made, assemble(base, tmp_path / "base.o"), isa, program_imports=imports
        )
    }
    assert {"cpu-probe", "processor-state", "data-grew"} <= rules


def test_what_cannot_be_asked_for_is_refused(source: Path) -> None:
    base, unit = whole(source)
    done = place(parse(base), parse(unit), {"bits": frozenset({"AMX_TILE", "AVX2"})})
    assert isinstance(done, Refusal)
    assert done.reason == "dispatch-feature"
    assert "AMX_TILE" in done.detail


def test_needs_of_what_was_not_replaced_do_not_count(source: Path) -> None:
    base, _ = whole(source)
    donor = compile_unit(source, "-O2")
    done = splice(parse(base), parse(donor), ["length"], tag="0123abcd", foreign=True)
    assert isinstance(done, Spliced)
    needs = {"bits": frozenset({"POPCNT"})}
    same = place(parse(base), parse(done.text), needs)
    assert same == Placed(done.text, base, frozenset())
    other = place(parse(base), parse(done.text), {"length": frozenset({"AVX2"})})
    assert isinstance(other, Placed)
    assert other.checked == {"AVX2"}
