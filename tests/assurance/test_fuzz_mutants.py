"""Where mutants come from: texts, counts, constants, streams, shrinking."""

from __future__ import annotations

import random
import re
import subprocess
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pytest

from gccllm.assurance.fuzz.arguments import ArgumentPool
from gccllm.assurance.fuzz.binary import is_binary
from gccllm.assurance.fuzz.blind import BYTES, LINES, NUMBERS, TOKENS, WORDS, spliced
from gccllm.assurance.fuzz.constants import mine, one_sided, spelled_options
from gccllm.assurance.fuzz.inputs import Seedling, seedlings
from gccllm.assurance.fuzz.numbers import Numbers
from gccllm.assurance.fuzz.shape import Count, Counted, counts_of, resized
from gccllm.assurance.fuzz.shrink import shrink
from gccllm.assurance.fuzz.stream import mutants
from gccllm.assurance.fuzz.structured import change_contents, change_length, regenerate
from gccllm.assurance.fuzz.text import Text
from gccllm.recordings import Case, Expected
from gccllm.sandbox.base import RunInput
from tests.assurance.planted_programs import FOLDER, build

TEXTS = [
    b"",
    b"7\n",
    b"3 0 0\n1 2 3\n",
    b"2\n1 2\n3 4\n",
    b" a, b;\tc\n\nd",
    b"\xff\x00 -5 +6 1e9 0x10\n",
]


@pytest.mark.parametrize("data", TEXTS)
def test_a_text_is_cut_without_loss(data: bytes) -> None:
    text = Text.of(data)
    assert text.data == data
    assert len(text.gaps) == len(text.tokens) + 1
    assert [i for line in text.lines() for i in line] == list(range(len(text.tokens)))


def test_tokens_are_replaced_with_their_gaps() -> None:
    text = Text.of(b"1\n2 3\n")
    assert text.replaced(1, 2, [b"7", b"8"]).data == b"1\n7 8 3\n"
    assert text.replaced(0, 3, []).data == b"\n"
    assert Text.of(b"\n").replaced(0, 0, [b"5"]).data == b"5\n"
    assert text.with_token(0, b"9").data == b"9\n2 3\n"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"3\n5 6 7\n", Count(0, Counted.TOKENS, 1, 3)),
        (b"3 9 0\n5 6 7\n", Count(0, Counted.TOKENS, 3, 3)),
        (b"2\n5 6\n7 8\n", Count(0, Counted.GROUPS, 1, 2, 2)),
        (b"2 4 0\n5 6\n7 8\n", Count(0, Counted.GROUPS, 3, 2, 2)),
        (b"0\n", Count(0, Counted.TOKENS, 1, 0)),
        (b"4 5 6 7 8\n9\n", Count(0, Counted.TOKENS, 1, 4)),
        (b"5 hello\n", Count(0, Counted.BYTES, 1, 5)),
        (b"2\n1 2\n3 4\n3\n1 2 3\n", Count(0, Counted.GROUPS, 1, 2, 2)),
    ],
)
def test_counts_are_inferred(data: bytes, expected: Count) -> None:
    assert expected in counts_of(Text.of(data))


def test_nothing_is_counted_where_nothing_is() -> None:
    assert counts_of(Text.of(b"the quick brown fox\n")) == []
    assert counts_of(Text.of(b"-3 99999999999\n7 9\n")) == []


def test_a_count_and_its_payload_change_together() -> None:
    rng = random.Random(1)
    text = Text.of(b"2 0\n1 2\n3 4\n")
    count = next(x for x in counts_of(text) if x.what is Counted.GROUPS and x.width == 2)
    assert resized(text, count, 1, rng).data == b"1 0\n1 2\n"
    grown = resized(text, count, 4, rng).data.split(b"\n")
    assert grown[:3] == [b"4 0", b"1 2", b"3 4"]
    assert {*grown[3:5]} <= {b"1 2", b"3 4"}
    empty = Text.of(b"0\n")
    (nothing,) = counts_of(empty)
    assert len(resized(empty, nothing, 3, rng).tokens) == 4
    word = Text.of(b"5 hello\n")
    (length,) = (x for x in counts_of(word) if x.what is Counted.BYTES)
    assert resized(word, length, 2, rng).data == b"2 he\n"
    assert len(resized(word, length, 17, rng).tokens[1]) == 17


def test_mutations_change_something_and_leave_texts_whole() -> None:
    numbers = Numbers((774411,), (5, 6))
    every = {*NUMBERS, *TOKENS, *LINES, *WORDS, *BYTES, change_length, change_contents, regenerate}
    for mutate in every:
        changed = 0
        for seed in range(40):
            rng = random.Random(seed)
            for data in TEXTS:
                done = mutate(Text.of(data), numbers, rng)
                if done is not None:
                    assert len(done[0].gaps) == len(done[0].tokens) + 1
                    assert done[1]
                    changed += done[0].data != data
        assert changed > 20, mutate
    for seed in range(20):
        text, _ = spliced(Text.of(TEXTS[2]), Text.of(TEXTS[4]), random.Random(seed))
        assert len(text.gaps) == len(text.tokens) + 1


def given(*inputs: bytes, args: tuple[str, ...] = ()) -> list[Seedling]:
    return [Seedling(i, f"case{i}", data, args) for i, data in enumerate(inputs)]


def test_mutants_depend_on_the_seed_alone() -> None:
    cases = given(b"3\n1 2 3\n", b"1\n9\n")
    one = list(islice(mutants(cases, (77,), 5), 300))
    assert one == list(islice(mutants(cases, (77,), 5), 300))
    assert one != list(islice(mutants(cases, (77,), 6), 300))
    assert len({(x.stdin, x.args) for x in one}) == 300
    kinds = Counter(x.kind for x in one)
    assert {"number", "length", "contents", "shape", "token", "splice"} <= set(kinds)
    assert all(x.how.startswith(cases[x.case].name) for x in one)


def test_mutants_reach_the_edges() -> None:
    made = [x.stdin.split() for x in islice(mutants(given(b"4\n5 6 7 8\n"), (774411,), 0), 600)]
    values = {token for tokens in made for token in tokens}
    assert {b"0", b"-1", b"2147483647", b"-2147483648", b"774411"} <= values
    adapted = {int(x[0]) for x in made if x and x[0].isdigit() and int(x[0]) == len(x) - 1}
    assert {0, 1, 3, 7, 16, 17, 33} <= adapted


@pytest.mark.parametrize(("seed", "first"), [(0, 1), (1, 21)])
def test_all_small_lengths_are_tried(seed: int, first: int) -> None:
    generated = list(islice(mutants(given(b"300 77\n"), (774411,), seed), 260))
    assert {b"%d 77\n" % x for x in range(first, first + 20)} <= {x.stdin for x in generated}
    counted = list(islice(mutants(given(b"2\n5 6\n"), (774411,), seed), 260))
    made = [x.stdin.split() for x in counted if x.kind == "length"]
    whole = {len(x) - 1 for x in made if x and x[0] == b"%d" % (len(x) - 1)}
    assert set(range(first, first + 20)) <= whole
    lines = {x.args for x in islice(mutants(given(b"", args=("-n", "300")), (), seed), 260)}
    assert {("-n", str(x)) for x in range(first, first + 20)} <= lines


def test_limits_that_both_sides_know_are_tried() -> None:
    made = [x.stdin for x in islice(mutants(given(b"30 77\n"), (640, 9), 0), 100)]
    assert {b"640 77\n", b"30 640\n"} <= set(made)


def test_words_get_runs_of_one_letter() -> None:
    made = [x.stdin for x in islice(mutants(given(b"word other\n"), (), 0), 800)]
    runs = {n for x in made for n in range(3, 12) if re.search(rb"(?<!o)o{%d}(?!o)" % n, x)}
    assert len(runs) >= 6


def test_arguments_are_mutated_too() -> None:
    made = list(islice(mutants(given(b"", args=("10", "word")), (), 0), 100))
    assert all(x.kind == "argument" and x.args != ("10", "word") for x in made)
    assert {len(x.args) for x in made} >= {1, 2, 3}
    assert any(x.args[0].isdigit() and int(x.args[0]) > 1000 for x in made if len(x.args) == 2)
    assert all("\0" not in text for x in made for text in x.args)


def with_files(*files: dict[str, bytes], args: tuple[str, ...]) -> list[Seedling]:
    return [Seedling(i, f"c{i}", b"", args, x, tuple(x)) for i, x in enumerate(files)]


def test_files_are_mutated_by_the_same_operators() -> None:
    cases = with_files({"data": b"3\n1 2 3\n", "other": b"word\n"}, args=("data",))
    made = list(islice(mutants(cases, (), 0, (774411,)), 400))
    assert made[0].files == {"data": b"774411\n1 2 3\n"}
    files = [x.files for x in made if x.files]
    assert {path for x in files for path in x} == {"data"}, "the other file is not named"
    contents = {x["data"] for x in files}
    assert {None, b""} < contents
    counted = (
        x.split() for x in contents if x and x.replace(b"\n", b" ").replace(b" ", b"").isdigit()
    )
    assert {0, 1, 7, 16} <= {int(x[0]) for x in counted if int(x[0]) == len(x) - 1}
    assert len({(x.args, *sorted(x.files.items())) for x in made}) == 400
    assert all(x.stdin == b"" and x.trial.files == x.files for x in made)


def test_binary_files_get_edges_and_stretches() -> None:
    noise = bytes(range(256)) * 8
    made = list(islice(mutants(with_files({"wave": noise}, args=("wave",)), (4711,), 0), 300))
    contents = [x.files["wave"] or b"" for x in made if x.files]
    assert sum(b"\xff\x7f" * 4 in x for x in contents) >= 3
    assert any(len(x) % 2 for x in contents)
    assert any((4711).to_bytes(2, "little") in x for x in contents)
    assert {len(x) > len(noise) for x in contents} == {True, False}
    assert is_binary(noise)
    assert not is_binary(b"text \t\n")
    assert not is_binary(b"")


USAGE = """
const char *usage = "usage: tool [-vq] [--level=N] file-name\\n  -v --verbose  a 2nd gives more\\n";
int level(int argc) { return argc == 774411 ? 5 : argc & 0x1234; }
"""


def test_options_and_constants_are_found_in_objects(tmp_path: Path) -> None:
    made = tmp_path / "x.o"
    argv = ["gcc", "-O2", "-c", "-x", "c", "-", "-o", str(made)]
    subprocess.run(argv, input=USAGE.encode(), check=True)
    assert spelled_options([made]) == ("--level", "-v", "--verbose")
    assert {774411, 0x1234} <= set(mine([made]))
    assert one_sided([made], [made]) == ()
    assert 774411 in one_sided([made], [])
    (tmp_path / "none.o").write_bytes(b"rubbish")
    assert mine([tmp_path / "none.o", tmp_path / "missing.o"]) == ()
    changed = USAGE.replace("774411", "774412").encode()
    subprocess.run(argv, input=changed, check=True)
    assert 774412 in mine([made])


def test_options_that_the_program_names_are_tried() -> None:
    one = Seedling(0, "one", b"", ("-9",), {}, ())
    pool = ArgumentPool([one], (), ("-v", "--verbose"))
    rng, numbers = random.Random(4), Numbers((), ())
    found = {x[0] for x in (pool.other(one, numbers, rng) for _ in range(600)) if x is not None}
    assert {("-v", "-9"), ("-vvvv", "-9"), ("--verbose", "-9"), ("-vv",)} <= found
    other = Seedling(1, "two", b"xyz", ("-d",), {}, ())
    made = [x.args for x in islice(mutants([one, other], (), 0, (), ("-v", "--verbose")), 20)]
    assert {("-vvvv", "-9"), ("-vvvv", "-d"), ("-v", "-9"), ("--verbose", "-d")} <= set(made)
    bare = Seedling(0, "one", b"", ("nine",), {}, ())
    assert not any("-vvvv" in x.args for x in islice(mutants([bare], (), 0, (), ("-v",)), 60))
    none = ArgumentPool([bare], (), ("-v", "--verbose"))
    others = [none.other(bare, numbers, rng) for _ in range(300)]
    assert not any("-v" in x[0] or "--verbose" in x[0] for x in others if x is not None)


def test_arguments_keep_names_and_stay_in_the_folder() -> None:
    one = Seedling(0, "one", b"", ("-9", "in/a.txt"), {"in/a.txt": b"x"}, ("in", "in/a.txt"))
    other = Seedling(1, "two", b"", ("--fast", "-d", "b.txt"), {"b.txt": b"y"}, ("b.txt",))
    pool = ArgumentPool([one, other], [ord("k"), 5, 1 << 40])
    rng, numbers = random.Random(3), Numbers((), ())
    found = [pool.other(one, numbers, rng) for _ in range(2000)]
    lines = {x[0] for x in found if x is not None}
    for wanted in (
        ("-5", "in/a.txt"),
        ("-9",),
        ("in/a.txt",),
        ("-9", "-9", "in/a.txt"),
        ("in/a.txt", "-9"),
        ("--fast", "-9", "in/a.txt"),
        ("-d", "in/a.txt"),
        ("-k", "in/a.txt"),
        ("--fast", "-d", "in/a.txt"),
        ("-9", "in"),
    ):
        assert wanted in lines
    every = {arg for line in lines for arg in line}
    assert {x for x in every if "/" in x} == {"in/a.txt"}
    assert not any(".." in x or "\0" in x for x in every)
    assert not any("a.tx" in x and x != "in/a.txt" for x in every), "names are never garbled"


def test_what_can_not_be_mutated_ends() -> None:
    assert list(mutants([], (), 0)) == []
    assert list(islice(mutants(given(b""), (), 0), 5))


def test_seedlings_are_the_recorded_inputs(tmp_path: Path) -> None:
    small, huge = tmp_path / "small", tmp_path / "huge"
    small.write_bytes(b"1\n")
    huge.write_bytes(b"1 " * (1 << 20))
    inputs = (RunInput(("x",), small), RunInput((), huge), RunInput(("y",)))
    cases = [Case(str(i), x, Expected(b"")) for i, x in enumerate(inputs)]
    files = tmp_path / "files"
    (files / "sub").mkdir(parents=True)
    (files / "sub" / "small").write_bytes(b"s")
    (files / "huge").write_bytes(huge.read_bytes())
    written = Expected(b"", written={"out": b"w"})
    cases.append(Case("3", RunInput(("sub/small",), files=files), written))
    assert [(x.number, x.stdin, x.args) for x in seedlings(cases)] == [
        (0, b"1\n", ("x",)),
        (2, b"", ("y",)),
        (3, b"", ("sub/small",)),
    ]
    last = seedlings(cases)[-1]
    assert dict(last.files) == {"sub/small": b"s"}
    assert set(last.names) == {"huge", "sub", "sub/small", "out"}


def test_constants_of_comparisons_come_first(tmp_path: Path) -> None:
    made = build(FOLDER / "dropped_branch.c", tmp_path, "program", "-O2")
    constants = mine([*made.objects.values(), tmp_path / "nothing.o"])
    assert {774411, 1000} <= set(constants[:8])
    assert mine([]) == ()


def test_constants_that_one_side_alone_has(tmp_path: Path) -> None:
    source = FOLDER / "dropped_branch.c"
    right = build(source, tmp_path, "right", "-O2").objects.values()
    wrong = build(source, tmp_path, "wrong", "-O2", "-DWRONG").objects.values()
    apart = one_sided(right, wrong)
    assert apart[0] == 774411
    assert one_sided(right, right) == ()
    assert set(apart) <= set(mine([*right, *wrong]))
    made = list(islice(mutants(given(b"3\n1 2 3\n"), (5, 6, 7), 0, (774411,)), 200))
    assert [x.stdin for x in made[:3:2]] == [b"774411\n1 2 3\n", b"774412\n1 2 3\n"]
    assert sum(b"774411" in x.stdin for x in made) >= 5


def shrunk(data: bytes, keeps: Sequence[bytes]) -> bytes:
    def holds(inputs: Sequence[bytes]) -> int | None:
        good = (i for i, x in enumerate(inputs) if all(part in x.split() for part in keeps))
        return next(good, None)

    return shrink(data, holds, seconds=20.0)


def test_inputs_are_made_smaller() -> None:
    data = b"12 0\n" + b" ".join(b"%d" % x for x in range(12)) + b"\n"
    assert shrunk(data, [b"7"]).split() == [b"7"]
    assert shrunk(b"1000000\n", []) == b""
    assert shrunk(b"abc def\n", [b"abc", b"def"]).split() == [b"abc", b"def"]


def test_counted_pieces_go_with_their_count() -> None:
    def holds(inputs: Sequence[bytes]) -> int | None:
        def good(data: bytes) -> bool:
            tokens = data.split()
            if not all(x.isdigit() for x in tokens):
                return False
            return len(tokens) == 1 + int(tokens[0]) >= 3 if tokens else False

        return next((i for i, x in enumerate(inputs) if good(x)), None)

    small = shrink(b"9\n11 12 13 14 15 16 17 18 19\n", holds, seconds=20.0)
    assert small.split() == [b"2", b"0", b"0"]
