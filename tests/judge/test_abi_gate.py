"""The ABI check in the judge: what breaks the ABI is refused before any of it runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gccllm.judge.judge import Donor, Judge
from gccllm.program import Program
from gccllm.recordings import Expected, load, save_case
from gccllm.sandbox import choose
from gccllm.toolchain import Toolchain
from gccllm.types import Candidate, Verdict, VerdictKind
from trainer.corpus.programs import JudgedProgram
from trainer.linked import link_program

SOURCE = """#include <stdio.h>
__attribute__((noinline)) int half(int x) { return x / 2 + (x > 40 ? 3 : 1); }
int main(void) { int x; if (scanf("%d", &x) != 1) return 1; printf("%d\\n", half(x)); return 0; }
"""


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    folder = tmp_path_factory.mktemp("abi")
    (folder / "half.c").write_text(SOURCE)
    save_case(folder / "half.tests", "one", b"7\n", (), Expected(b"4\n"))
    tools = Toolchain()
    (folder / "linked").mkdir()
    made = JudgedProgram("half", folder / "half.c", folder / "half.tests", (), ("-O2",))
    program: Program = link_program(tools, made, folder / "linked")
    isas = {name: tools.isa("target", x.options) for name, x in program.units.items()}
    recording = load(folder / "half.tests")
    return Judge(program, recording, choose(), isas, scratch=folder)


def spliced(judge: Judge, change: Callable[[list[str]], list[str]]) -> dict[str, str] | Verdict:
    """The judge's word on gcc's own ``half`` with its lines changed."""
    (unit,) = judge.program.units
    base = judge.base(unit)
    function = base.functions["half"]
    lines = [base.lines[i] for i in function.indices()]
    text = "\t.text\n\t.globl\thalf\n\t.type\thalf, @function\n" + "\n".join(change(lines)) + "\n"
    donor = judge.screen(Candidate("test", unit, ("half",), text))
    assert isinstance(donor, Donor), donor
    return judge.splice({}, donor, ["half"])


def before_ret(*added: str) -> Callable[[list[str]], list[str]]:
    def change(lines: list[str]) -> list[str]:
        at = max(i for i, x in enumerate(lines) if x.strip() == "ret")
        return [*lines[:at], *(f"\t{x}" for x in added), *lines[at:]]

    return change


@pytest.mark.parametrize(
    ("added", "kind"),
    [
        (("xorl\t%ebx, %ebx",), "callee-saved"),
        (("movl\t%eax, 8(%rsp)",), "caller-frame"),
        (("addl\t%r10d, %eax",), "uninitialised-read"),
        (("subq\t$8, %rsp",), "stack-balance"),
    ],
)
def test_what_breaks_the_abi_is_screened(judge: Judge, added: tuple[str, ...], kind: str) -> None:
    found = spliced(judge, before_ret(*added))
    assert isinstance(found, Verdict)
    assert found.kind is VerdictKind.SCREENED
    # gcc's own rules for spliced functions come first, where they know the kind too
    assert found.evidence["gate"] in ("abi", "splice")
    assert found.evidence["rule"] == kind
    assert "half" in found.detail


def test_the_check_finds_what_the_rules_do_not(judge: Judge) -> None:
    found = spliced(judge, before_ret("addl\t%r10d, %eax"))
    assert isinstance(found, Verdict)
    assert found.evidence["gate"] == "abi"
    assert isinstance(found.evidence["findings"], list)


def test_what_keeps_the_abi_passes(judge: Judge) -> None:
    assert isinstance(spliced(judge, before_ret("leal\t(%rax), %eax")), dict)
