"""Computed gotos: functions whose tables of labels are their own are replaced like any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from gccllm.asm.code import functions_of
from gccllm.asm.dialect import canonical
from gccllm.asm.parts import parts_of, replaced
from gccllm.asm.regions import regions
from gccllm.asm.rules import check
from gccllm.asm.splice import Spliced, splice
from gccllm.asm.unit import Unit, parse
from gccllm.assurance.coverage.blocks import COUNTERS, instrument
from tests.asm.tools import CLANG, assemble, build, compile_unit, execute, needs_clang

INTERPRETER = """#include <stdio.h>
__attribute__((noinline)) long interpret(const unsigned char *code, long n) {
    static %s targets[] = {%s};
    const unsigned char *start = code;
    long acc = 1;
#define NEXT goto %s
    NEXT;
add: acc += 7; NEXT;
twice: acc *= 2; NEXT;
less: acc -= 3 + (acc >> 3); NEXT;
back: if (--n > 0) code = start; NEXT;
mix: for (int i = 0; i < 9; i++) acc ^= acc << 3 ^ acc >> (i + 1); NEXT;
stop: return acc;
}
int main(void) {
    static const unsigned char code[] = {1, 2, 3, 5, 1, 4, 3, 0};
    for (long n = 0; n < 40; n++) printf("%%ld ", interpret(code, n));
    return 0;
}
"""
LABELS = ["stop", "add", "twice", "less", "back", "mix"]
TABLE = ", ".join(f"&&{x}" for x in LABELS)
DISTANCES = ", ".join(f"&&{x} - &&stop" for x in LABELS)
OWN = INTERPRETER % ("void *const", TABLE, "*targets[*code++]")


def unit_of(tmp_path: Path, source: str, *options: str, cc: str = "gcc") -> Unit:
    path = tmp_path / f"{abs(hash((source, options)))}.c"
    path.write_text(source)
    return parse(canonical(compile_unit(path, *(options or ("-O3",)), cc=cc)))


DONORS = [
    ("gcc", ("-O2",)),
    ("gcc", ("-O3", "-fno-gcse", "-funroll-loops")),
    ("gcc", ("-O3", "-fPIC")),
    pytest.param(CLANG, ("-O3",), marks=needs_clang),
    pytest.param(CLANG, ("-O3", "-fPIC"), marks=needs_clang),
]


@pytest.mark.parametrize("options", [("-O3",), ("-O3", "-fPIC"), ("-O3", "-fdata-sections")])
@pytest.mark.parametrize(("cc", "donor_options"), DONORS)
def test_an_interpreter_takes_another_compilers_place(
    options: tuple[str, ...], cc: str, donor_options: tuple[str, ...], tmp_path: Path
) -> None:
    base = unit_of(tmp_path, OWN, *options)
    donor = unit_of(tmp_path, OWN, *donor_options, cc=cc)
    assert base.functions["interpret"].replaceable
    assert set(base.label_tables.values()) == {"interpret"}
    done = splice(base, donor, ["interpret"], tag="k1", foreign=True)
    assert isinstance(done, Spliced)
    assert not set(base.label_tables) & set(parse(done.text).labels)
    want = execute(build(base.text, tmp_path / "old"))
    assert execute(build(done.text, tmp_path / "new")) == want
    old, new = (functions_of(tmp_path / f"{x}.o") for x in ("old", "new"))
    assert all(x.functions["interpret"].jumps for x in (old, new))
    own = functions_of(assemble(donor.text, tmp_path / "donor.o"))
    assert check(old, new, done, donor=own) == []


def test_what_was_put_in_can_be_taken_out_again(tmp_path: Path) -> None:
    base, donor = unit_of(tmp_path, OWN), unit_of(tmp_path, OWN, "-O2")
    done = splice(base, donor, ["interpret"], tag="0123abcd")
    assert isinstance(done, Spliced)
    unit = parse(done.text)
    assert replaced(base, unit) == ("interpret",)
    (part,) = parts_of(base, unit, ["interpret"])
    again = splice(base, parse(part.text), ["interpret"], tag=part.tag)
    assert isinstance(again, Spliced)
    assert execute(build(again.text, tmp_path / "a")) == execute(build(done.text, tmp_path / "b"))


def test_a_version_in_place_can_be_replaced_again(tmp_path: Path) -> None:
    base, donor = unit_of(tmp_path, OWN), unit_of(tmp_path, OWN, "-O2")
    first = splice(base, donor, ["interpret"], tag="k1")
    assert isinstance(first, Spliced)
    second = splice(parse(first.text), base, ["interpret"], tag="k2")
    assert isinstance(second, Spliced)
    want = execute(build(base.text, tmp_path / "old"))
    assert execute(build(second.text, tmp_path / "new")) == want


@pytest.mark.parametrize(
    "filled",
    [
        ("void *const", f"0, {TABLE}", "*targets[*code++ + 1]"),
        ("const int", DISTANCES, "*(&&stop + targets[*code++])"),
    ],
    ids=["with a gap", "distances"],
)
def test_other_tables_stay_in_the_way(filled: tuple[str, str, str], tmp_path: Path) -> None:
    source = INTERPRETER % filled
    unit = unit_of(tmp_path, source)
    assert "computed-goto" in unit.functions["interpret"].obstacles
    assert not unit.label_tables


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("main:\n", "main:\n\tleaq\tTABLE(%rip), %rax\n"),
        ("interpret:\n", "interpret:\n\tleaq\tTABLE+8(%rip), %rax\n"),
        ("interpret:\n", "interpret:\n\tmovq\t$TABLE, %rax\n"),
        ("\t.text\n", "\t.text\n\t.globl\tTABLE\n"),
        ('\t.section\t.data.rel.ro.local,"aw"\n', "\t.data\n"),
        ("TABLE:\n", "TABLE:\n\t.quad\tmain\n"),
        ("TABLE:\n", "TABLE:\n\t.quad\t0\n"),
        ("TABLE:\n", "TABLE:\nsecond:\n"),
        ("\t.text\n", "\t.data\n\t.quad\tTABLE\n\t.text\n"),
        ("\t.text\n", "\t.set\tother, TABLE\n\t.text\n"),
        ("main:\n", "main:\n#APP\n\tleaq TABLE(%rip), %rax\n#NO_APP\n"),
    ],
)
def test_a_table_that_others_can_reach_is_in_the_way(old: str, new: str, tmp_path: Path) -> None:
    unit = unit_of(tmp_path, OWN)
    (table,) = unit.label_tables
    changed = unit.text.replace(old.replace("TABLE", table), new.replace("TABLE", table), 1)
    assert changed != unit.text
    assert "computed-goto" in parse(changed).functions["interpret"].obstacles


def test_labels_in_a_table_start_blocks_and_no_region_is_entered_by_them(tmp_path: Path) -> None:
    unit = unit_of(tmp_path, OWN)
    (table,) = unit.tables_of("interpret")
    labels = {text for _, text in table.content or ()}
    assert len(labels) == 6
    done = instrument(unit.text, ["interpret"])
    lines = done.text.split("\n")
    for label in labels:
        at = lines.index(f"{label}:")
        code = next(x for x in lines[at + 1 :] if not x.strip().startswith((".", "#")))
        assert COUNTERS in code
    found = regions(unit, "interpret", functions_of(assemble(unit.text, tmp_path / "x.o")))
    assert found
    for region in found:
        inside = {x.rstrip(":") for x in unit.lines[region.lines.start : region.lines.stop]}
        assert len(labels & inside) <= 1
