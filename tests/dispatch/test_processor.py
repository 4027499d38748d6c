"""The question that is put to the processor: gcc's own runtime gives the same answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from gccllm.dispatching.processor import CHECKABLE, HAS, HAS_NOT, answer, question
from gccllm.process import run
from tests.asm.tools import assemble, execute
from tests.dispatch.tools import emulated, features, needs_qemu

# gcc manual, 'x86 Built-in Functions': what __builtin_cpu_supports calls them.
NAMES = {
    **{
        x: x.lower()
        for x in "SSE3 SSSE3 POPCNT AVX AVX2 BMI BMI2 FMA FMA4 XOP SSE4A F16C LZCNT MOVBE AES"
        " PCLMUL ADX SHA TBM GFNI VAES VPCLMULQDQ AVX512F AVX512BW AVX512CD AVX512DQ AVX512VL"
        " AVX512IFMA AVX512VBMI AVX512VBMI2 AVX512VNNI AVX512BITALG AVX512VPOPCNTDQ AVX512BF16"
        " AVXVNNI".split()
    },
    "SSE4_1": "sse4.1",
    "SSE4_2": "sse4.2",
    "LAHF_SAHF": "lahf_lm",
    "PRFCHW": "prfchw",
}
BOTH = """#include <stdio.h>
%(declared)s
int main(void) {
%(asked)s
    return 0;
}
"""
KEPT = """#include <stdio.h>
#include <string.h>
extern unsigned char has;
unsigned long before[15], after[15];
int main(void) {
    for (int i = 0; i < 15; i++) before[i] = 0x1111111111111111ul * (i + 1);
    __asm__ volatile(
        "pushq %%rbx; pushq %%rbp\\n"
        "leaq before(%%rip), %%rax\\n"
        "movq 8(%%rax), %%rbx; movq 16(%%rax), %%rcx; movq 24(%%rax), %%rdx; movq 32(%%rax), %%rsi;"
        "movq 40(%%rax), %%rdi; movq 48(%%rax), %%rbp; movq 56(%%rax), %%r8; movq 64(%%rax), %%r9;"
        "movq 72(%%rax), %%r10; movq 80(%%rax), %%r11; movq 88(%%rax), %%r12;"
        "movq 96(%%rax), %%r13; movq 104(%%rax), %%r14; movq 112(%%rax), %%r15;"
        "movq (%%rax), %%rax\\n"
        "call ask\\n"
        "pushq %%rax; leaq after(%%rip), %%rax; popq (%%rax)\\n"
        "movq %%rbx, 8(%%rax); movq %%rcx, 16(%%rax); movq %%rdx, 24(%%rax); movq %%rsi, 32(%%rax);"
        "movq %%rdi, 40(%%rax); movq %%rbp, 48(%%rax); movq %%r8, 56(%%rax); movq %%r9, 64(%%rax);"
        "movq %%r10, 72(%%rax); movq %%r11, 80(%%rax); movq %%r12, 88(%%rax);"
        "movq %%r13, 96(%%rax); movq %%r14, 104(%%rax); movq %%r15, 112(%%rax)\\n"
        "popq %%rbp; popq %%rbx"
        ::: "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
        "r15", "memory", "cc");
    printf("%d %d\\n", memcmp(before, after, sizeof before), has);
    return 0;
}
"""


def program(folder: Path, assembly: list[str], source: str) -> Path:
    """The questions and bytes with a main function; the names are made known to it."""
    made = assemble("\n".join([*assembly, ""]), folder / "asking.o")
    (folder / "main.c").write_text(source)
    target = folder / "asking"
    done = run(
        ["gcc", "-O1", "-static", "-o", str(target), str(folder / "main.c"), str(made)], timeout=60
    )
    assert done.ok, done.stderr.decode()
    return target


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that prints each feature, our answer and gcc's."""
    lines: list[str] = []
    declared, asked = [], []
    for name in NAMES:
        lines += question(f"ask_{name}", f"has_{name}", frozenset({name}), cfi=True)
        lines += [*answer(f"has_{name}"), f"\t.globl\task_{name}, has_{name}"]
        declared.append(f"void ask_{name}(void); extern unsigned char has_{name};")
        asked.append(
            f'    ask_{name}(); printf("{name} %d %d\\n", has_{name}, '
            f'__builtin_cpu_supports("{NAMES[name]}") ? {HAS} : {HAS_NOT});'
        )
    source = BOTH % {"declared": "\n".join(declared), "asked": "\n".join(asked)}
    return program(tmp_path_factory.mktemp("asking"), lines, source)


def answers(done: tuple[int, bytes]) -> dict[str, bool]:
    """Feature → whether it is there; both have to say the same."""
    status, output = done
    assert status == 0
    found = {}
    for line in output.decode().splitlines():
        name, ours, gccs = line.split()
        assert ours == gccs, line
        found[name] = ours == str(HAS)
    assert set(found) == set(NAMES)
    return found


def test_here_the_answers_are_gccs(asking: Path) -> None:
    found = answers(execute(asking))
    native = features("-march=native") & set(NAMES)
    assert native <= {x for x, has in found.items() if has}


@needs_qemu
@pytest.mark.parametrize(
    ("processor", "has", "lacks"),
    [
        ("Conroe", "SSSE3", "POPCNT"),
        ("Nehalem", "POPCNT", "AVX"),
        ("Opteron_G3", "SSE4A", "SSSE3"),
        ("Haswell", "AVX2", "ADX"),
        ("max", "AVX2", "AVX512F"),
        ("max,-avx2", "BMI2", "AVX2"),
        ("max,-xsave", "BMI2", "AVX"),
    ],
)
def test_on_other_processors_too(asking: Path, processor: str, has: str, lacks: str) -> None:
    found = answers(emulated(asking, processor))
    assert found[has]
    assert not found[lacks]


@pytest.mark.parametrize("wanted", [{"SSE3"}, {"AVX2", "BMI"}, {"AVX512F", "AVXVNNI", "LZCNT"}])
@pytest.mark.parametrize("cfi", [True, False])
def test_asking_changes_no_register(wanted: set[str], cfi: bool, tmp_path: Path) -> None:
    lines = question("ask", "has", frozenset(wanted), cfi=cfi) + answer("has")
    assert any(".cfi_" in x for x in lines) == cfi
    made = program(tmp_path, [*lines, "\t.globl\task, has"], KEPT)
    expected = HAS if wanted <= features("-march=native") else HAS_NOT
    assert execute(made) == (0, b"0 %d\n" % expected)


def test_all_of_several_have_to_be_there(tmp_path: Path) -> None:
    source = "#include <stdio.h>\nextern unsigned char has; void ask(void);\n"
    source += 'int main(void) { ask(); printf("%d\\n", has); return 0; }\n'
    asked = frozenset({"SSE3", "TBM" if "TBM" not in features("-march=native") else "AVX512FP16"})
    lines = [*question("ask", "has", asked, cfi=False), *answer("has"), "\t.globl\task, has"]
    assert execute(program(tmp_path, lines, source)) == (0, b"%d\n" % HAS_NOT)


def test_amx_and_what_nobody_knows_are_not_asked_for() -> None:
    assert CHECKABLE.isdisjoint({"AMX_TILE", "OSXSAVE", "X87", "SSE2"})
    assert set(NAMES) <= CHECKABLE
