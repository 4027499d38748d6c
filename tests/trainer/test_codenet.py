"""Datasets of whole programs from a small tree of our own, in exactly the layout of CodeNet."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from gccllm.errors import UsageError
from gccllm.sandbox.choice import choose
from gccllm.toolchain import Toolchain
from trainer.corpus.codenet import CodeNet, make_codenet, submissions
from trainer.corpus.duplicates import (
    Groups,
    code_fingerprint,
    codenet_clusters,
    identical_problems,
)
from trainer.corpus.program_rows import ProgramRow, read_program_rows
from trainer.corpus.program_splits import grouped, leaks, shape_of, split, top
from trainer.corpus.program_trial import Demands, Wanted, try_program
from trainer.corpus.programs import Dropped

COLUMNS = (
    "submission_id,problem_id,user_id,date,language,original_language,filename_ext,status,"
    "cpu_time,memory,code_size,accuracy"
).split(",")
HEAVY = """#include <stdio.h>
static int table[4096];
int main(void) {
    int rounds, sum = 0;
    if (scanf("%d", &rounds) != 1) return 1;
    for (int r = 0; r < rounds * MULTIPLIER; r++)
        for (int i = 0; i < 4096; i++) { table[i] += i * r; sum += table[i] ^ r; }
    printf("%d\\n", sum);
    return 0;
}
"""
LIGHT = '#include <stdio.h>\nint main(void) { int n; scanf("%d", &n); printf("%d\\n", n); }\n'
CLOCK = (
    "#include <stdio.h>\n#include <time.h>\nint main(void) { struct timespec t;"
    ' clock_gettime(CLOCK_MONOTONIC, &t); printf("%ld\\n", t.tv_nsec); return 0; }\n'
)
FAILS = "int main(void) { return 3; }\n"
HOSTILE = "#include <sys/socket.h>\nint main(void) { return socket(2, 1, 0) >= 0 ? 0 : 1; }\n"
WRONG = "int main(void) { this is no C; }\n"


def heavy(number: int) -> str:
    return HEAVY.replace("MULTIPLIER", str(number))


def tree(root: Path) -> CodeNet:
    """Four problems with tests and one without; C++, rejected and vanished submissions between."""
    corpus = CodeNet(root / "Project_CodeNet", root / "test_cases", a_problem=2, held=1)
    content = {
        "p00001": [("s1", "C", "Accepted", heavy(2)), ("s2", "C", "Accepted", LIGHT)],
        "p00002": [
            ("s3", "C++", "Accepted", "int main() {}"),
            ("s4", "C", "Wrong Answer", heavy(2)),
            ("s5", "C", "Accepted", heavy(3)),
            ("s6", "C", "Accepted", CLOCK),
            ("s7", "C", "Accepted", heavy(2)),
        ],
        "p00003": [("s8", "C", "Accepted", WRONG), ("s9", "C", "Accepted", FAILS)],
        "p00004": [
            ("s10", "C", "Accepted", heavy(2).replace("sum", "total").replace("^ r", "* 3"))
        ],
        "p00005": [("s11", "C", "Accepted", heavy(2))],
    }
    metadata = corpus.codenet / "metadata"
    metadata.mkdir(parents=True)
    (metadata / "problem_list.csv").write_text("id,name,dataset,time_limit\n")
    for problem, found in content.items():
        with (metadata / f"{problem}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for name, language, status, text in found:
                row = dict.fromkeys(COLUMNS, "") | {"submission_id": name, "status": status}
                row |= {"language": language, "problem_id": problem}
                writer.writerow([row[x] for x in COLUMNS])
                source = corpus.codenet / "data" / problem / language / f"{name}.c"
                source.parent.mkdir(parents=True, exist_ok=True)
                source.write_text(text)
            writer.writerow(["s999", problem, "", "", "C", "", "c", "Accepted", "", "", "", ""])
        if problem != "p00005":
            tests = corpus.tests / problem
            tests.mkdir(parents=True)
            for number in range(1, 5):
                (tests / f"input.{number}.txt").write_text(f"{250 + number}\n")
    clusters = corpus.codenet / "derived" / "duplicates" / "C" / "clusters"
    clusters.mkdir(parents=True)
    (clusters / "p00001-clusters").write_text(
        "/x/data/p00001/C/s1.c:\n/x/data/p00002/C/s5.c:  0.95, 0.94\n\n/x/data/p00001/C/s2.c:\n"
    )
    identical = corpus.codenet / "derived" / "duplicates" / "identical_problem_clusters"
    identical.write_text("p00003,p00005\n")
    return corpus


def test_submissions_are_the_first_accepted_in_c(tmp_path: Path) -> None:
    lots = {x.key: [y.name for y in x.wanted] for x in submissions(tree(tmp_path))}
    assert lots == {
        "p00001": ["s1", "s2"],
        "p00002": ["s5", "s6"],
        "p00003": ["s8", "s9"],
        "p00004": ["s10"],
    }


def test_a_dataset_from_a_tree(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    corpus, out, said = tree(tmp_path), tmp_path / "out", list[str]()
    demands = Demands(least_ratio=1.7, most_tests=3)
    table = make_codenet(corpus, demands, out, jobs=2, say=said.append)
    assert table is not None
    assert "| train, paper's Table 1 | 7,872 | 8.86 | 22.3 | 130.3 |" in table
    rows = {x.name: x for x in read_program_rows(out)}
    assert set(rows) == {"s1", "s5", "s10"}
    # s1 and s5 are near-duplicates: together in one split, and the other one has s10 alone
    assert {x for x in rows if rows[x].split == "val"} == {"s10"}
    row = rows["s1"]
    assert (row.problem, row.origin, row.baseline, row.flags) == ("p00001", "codenet", "O3", "-O3")
    assert row.compiler == Toolchain().identity.version
    assert row.ratio >= 1.7
    assert row.inputs == ("251\n", "252\n", "253\n")
    assert row.compiled.startswith(b"\x7fELF")
    assert '\t.file\t"s1.c"' in row.assembly
    content = json.loads((out / "dataset.json").read_text())
    left = content["left_out"]
    assert left["gcc refuses it"] == 1
    assert left["no test that it passes alike, always"] == 2
    assert left["-O0/-O3 below 1.7"] == 1
    assert content["about"]["submissions tried"] == "7"
    assert content["splits"]["val"]["tests"] == 3
    # Nothing is tried again, and other demands want another folder.
    again = make_codenet(corpus, demands, out, jobs=1, say=said.append)
    assert again == table
    assert said[-1] == "4 lots, 4 of them done already"
    with pytest.raises(UsageError, match="other settings"):
        make_codenet(corpus, Demands(least_ratio=2.0), out, jobs=1)


def test_it_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    corpus, out, said = tree(tmp_path), tmp_path / "out", list[str]()
    demands = Demands(least_ratio=0.0)
    assert make_codenet(corpus, demands, out, jobs=1, stop=lambda: True) is None
    assert not (out / "train.parquet").exists()
    assert make_codenet(corpus, demands, out, jobs=1, say=said.append) is not None
    assert said[0] in {f"4 lots, {n} of them done already" for n in (1, 2, 3, 4)}
    assert len(list(read_program_rows(out))) == 4


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (WRONG, "gcc refuses it"),
        (FAILS, "no test that it passes alike, always"),
        (HOSTILE, "no test that it passes alike, always"),
        (CLOCK, "no test that it passes alike, always"),
        (LIGHT, "-O0/-O3 below 3"),
        ("int main(void) { return 0; }\n" + "//" + "x" * 40000, "too long"),
        ("/* \xff */ int main(void) {}", "unreadable"),
    ],
)
def test_why_a_program_is_left_out(text: str, reason: str, tmp_path: Path) -> None:
    source, tests = tmp_path / "a.c", tmp_path / "tests"
    source.write_bytes(text.encode("latin-1"))
    tests.mkdir()
    (tests / "input.1.txt").write_text("5\n")
    found = try_program(
        Toolchain(), choose(), Wanted("a", source, tests, "test"), Demands(least_ratio=3.0)
    )
    assert isinstance(found, Dropped)
    assert found.reason.split(":")[0] == reason


def test_no_tree_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is it a Project_CodeNet"):
        make_codenet(CodeNet(tmp_path, tmp_path), Demands(), tmp_path / "out", jobs=1)
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata" / "p00001.csv").write_text("no,such\n1,2\n")
    (tmp_path / "p00001").mkdir()
    (tmp_path / "p00001" / "input.1.txt").write_text("")
    with pytest.raises(UsageError, match="no table of submissions"):
        list(submissions(CodeNet(tmp_path, tmp_path)))


def test_clusters_as_codenet_writes_them(tmp_path: Path) -> None:
    corpus = tree(tmp_path)
    assert list(codenet_clusters(corpus.codenet)) == [["s1", "s5"]]
    assert list(identical_problems(corpus.codenet)) == [["p00003", "p00005"]]
    assert list(codenet_clusters(tmp_path / "none")) == []


def test_copies_have_one_fingerprint() -> None:
    one = "int main(void) { int a = 5; /* x */ return a + 1; }"
    same = "int main(void)\n{\n  int other = 77;\n  return other + 2; // y\n}"
    assert code_fingerprint(one) == code_fingerprint(same)
    assert code_fingerprint(one) != code_fingerprint(one.replace("+", "-"))


def test_groups_do_not_depend_on_the_order_of_merges() -> None:
    lists = [["a", "b"], ["c", "d"], ["d", "b"], ["e"]]
    one, other = Groups(), Groups()
    for members in lists:
        one.merge(members)
    for members in reversed(lists):
        other.merge(reversed(members))
    assert {x: one.of(x) for x in "abcde"} == {x: other.of(x) for x in "abcde"}
    assert one.of("c") == one.of("a") != one.of("e")


def plain(name: str, problem: str = "", code: str = "", ratio: float = 1.0) -> ProgramRow:
    return ProgramRow(
        name, code or f"int f{name}(void);{name}+" + "-" * len(name), "f:\n\tret\n", ("1",), ("2",),
        problem=problem, ratio=ratio,
    )  # fmt: skip


def test_no_group_is_in_two_splits() -> None:
    rows = [plain("a" * n, problem=f"p{n // 3}") for n in range(1, 31)]
    chosen = split(grouped(rows, [["a", "a" * 30]], [["p4", "p5"]]), 9, 1)
    places: dict[str, set[str]] = {}
    for row in chosen:
        places.setdefault(row.group, set()).add(row.split)
    assert all(len(x) == 1 for x in places.values())
    held = [x for x in chosen if x.split == "val"]
    assert 6 <= len(held) <= 9
    by_name = {x.name: x for x in chosen}
    assert by_name["a"].group == by_name["a" * 30].group
    assert by_name["a" * 12].group == by_name["a" * 17].group
    assert split(chosen, 9, 1) == chosen
    assert leaks(chosen) == {"val": 0}


def test_the_best_by_ratio_and_their_shape() -> None:
    rows = [plain("a", ratio=3.0), plain("b", ratio=9.0), plain("c", ratio=5.0)]
    assert [x.name for x in top(rows, 2)] == ["b", "c"]
    shape = shape_of(rows)
    assert (shape.programs, shape.tests, shape.c_lines, shape.assembly_lines) == (3, 1.0, 1.0, 2.0)
    copy = plain("d", code=rows[0].c_code)
    assert leaks([rows[0], split([copy], 1, 0)[0]]) == {"val": 1}
