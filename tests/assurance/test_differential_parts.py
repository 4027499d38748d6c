"""The parts: where the ABI puts arguments, what debug information says, calls as states."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from gccllm.asm.unit import parse
from gccllm.assurance.differential.dwarf import Types, read_types
from gccllm.assurance.differential.layout import (
    BLOCK_WORDS,
    BYTES,
    Kind,
    Layout,
    Leaf,
    Parameter,
    Unsupported,
    signature,
)
from gccllm.assurance.differential.reach import constants_in, led_away, replacements, writable_data
from gccllm.assurance.differential.recording import Call, Region
from gccllm.assurance.differential.relations import Relation, ranges_of, relations_of
from gccllm.assurance.differential.states import Object, State, settled, state_of
from gccllm.assurance.differential.wire import counts, difference, settlements
from gccllm.process import run

INT = Layout("int", 4, 4, (Leaf("", 0, Kind.SIGNED, 4),))
DOUBLE = Layout("double", 8, 8, (Leaf("", 0, Kind.FLOAT, 8),))
POINTER = Layout("int *", 8, 8, (Leaf("", 0, Kind.POINTER, 8, 1, 1),))
SOURCE = """
struct pair { float x, y; };
struct mixed { long a; double b; };
struct large { long a, b, c; };
enum colour { RED, GREEN };
struct list { struct list *next; short values[3]; unsigned bit : 1; union { int i; float f; } u; };
typedef unsigned char byte;
static int table[7];
int scalars(_Bool a, byte b, short c, enum colour d, float e, double f) {
    return a + b + c + d + e + f + table[a]; }
struct mixed structures(struct pair p, struct mixed m, struct large l, const struct list *at) {
    m.a += p.x + l.b + at->values[1]; return m; }
struct large hidden(int n) { struct large l = {n, n, n}; return l; }
int variable(int n, ...) { return n; }
int callback(int (*f)(void)) { return f(); }
long double wide(long double x) { return x; }
int eight(int a, int b, int c, int d, int e, int f, int g, char h) { return a+b+c+d+e+f+g+h; }
"""


@pytest.fixture(scope="module")
def types(tmp_path_factory: pytest.TempPathFactory) -> Types:
    made = tmp_path_factory.mktemp("types") / "types.o"
    done = run(
        ["gcc", "-g", "-x", "c", "-c", "-", "-o", str(made)], timeout=60, stdin=SOURCE.encode()
    )
    assert done.ok, done.error_line()
    return read_types(made)


def test_scalars_are_read_with_their_widths_and_places(types: Types) -> None:
    found = types.signature("scalars")
    assert (
        str(found) == "int scalars(_Bool a, byte b, short int c, enum colour d, float e, double f)"
    )
    places = [(x.name, x.offset // 8, x.kind, x.size) for x in found.block.leaves]
    assert places == [
        ("a", 0, Kind.BOOL, 1),
        ("b", 1, Kind.UNSIGNED, 1),
        ("c", 2, Kind.SIGNED, 2),
        ("d", 3, Kind.UNSIGNED, 4),
        ("e", 6, Kind.FLOAT, 4),
        ("f", 7, Kind.FLOAT, 8),
    ]
    assert found.returned.masks == (0xFFFFFFFF, 0, 0, 0)


def test_structures_by_value_go_where_the_abi_says(types: Types) -> None:
    found = types.signature("structures")
    places = {x.name: x.offset for x in found.block.leaves}
    assert places["p.x"] == 48
    assert places["p.y"] == 52
    assert places["m.a"] == 0
    assert places["m.b"] == 56
    assert [places[f"l.{x}"] for x in "abc"] == [112, 120, 128]
    assert places["at"] == 8
    assert found.stack_words == 3
    assert found.returned.masks == (2**64 - 1, 0, 2**64 - 1, 0)


def test_what_a_pointer_leads_to_is_laid_out(types: Types) -> None:
    found = types.signature("structures")
    target = next(x.target for x in found.block.leaves if x.name == "at")
    layout = found.layouts[target]
    assert layout.name == "struct list"
    kinds = [(x.name, x.offset, x.kind, x.count) for x in layout.leaves]
    assert kinds == [
        ("next", 0, Kind.POINTER, 1),
        ("values", 8, Kind.SIGNED, 3),
        ("<bits>", 14, Kind.OPAQUE, 1),
        ("u", 16, Kind.OPAQUE, 4),
    ]
    assert layout.leaves[0].target == target


def test_a_large_result_is_a_hidden_pointer(types: Types) -> None:
    found = types.signature("hidden")
    assert [x.name for x in found.block.leaves] == ["<result>", "n"]
    assert found.layouts[found.block.leaves[0].target].size == 24


def test_the_seventh_integer_lies_on_the_stack(types: Types) -> None:
    found = types.signature("eight")
    assert [x.offset // 8 for x in found.block.leaves[-2:]] == [14, 15]


@pytest.mark.parametrize(
    ("function", "why"),
    [
        ("variable", "variable number"),
        ("callback", "f is a function"),
        ("wide", "x is a long double"),
        ("missing", "does not know"),
    ],
)
def test_what_can_not_be_passed_says_why(types: Types, function: str, why: str) -> None:
    with pytest.raises(Unsupported, match=why):
        types.signature(function)


def test_globals_have_layouts_too(types: Types) -> None:
    assert types.variable("table").leaves == (Leaf("", 0, Kind.SIGNED, 4, 7),)
    assert types.variable("table.0").size == 28
    assert types.variable("unknown") == BYTES


def test_no_debug_information_is_unsupported(tmp_path: Path) -> None:
    broken = tmp_path / "broken.o"
    broken.write_bytes(b"\x7fELF nothing")
    with pytest.raises(Unsupported):
        read_types(broken)


def call_of(n: int, words: list[int], *, at: int = 0x10000, window: int = 64) -> Call:
    """f(int *v, int n) with ``words`` behind v, in a window that begins 8 bytes before it."""
    block = struct.pack(f"<{BLOCK_WORDS}Q", at, n, *[0] * (BLOCK_WORDS - 2))
    data = struct.pack(f"<2i{len(words)}i", 7, 7, *words)
    return Call(1, block, (Region(at, at - 8, data.ljust(window, b"\0"), 2, -1),))


def layouts_of_call() -> list[Layout]:
    made = signature(
        "f", [Parameter("v", "int *", POINTER), Parameter("n", "int", INT)], None, [BYTES, INT]
    )
    leaves = [Leaf(x.name, x.offset, x.kind, x.size, 1, x.target + 1) for x in made.block.leaves]
    return [Layout("block", made.block.size, 8, tuple(leaves)), BYTES, INT]


def test_a_call_becomes_objects_and_links() -> None:
    state = state_of(call_of(3, [1, 2, 3]), layouts_of_call())
    assert state is not None
    assert [x.lead for x in state.objects] == [0, 8]
    assert state.led_to(0) == 1
    assert state.objects[1].data[8:20] == struct.pack("<3i", 1, 2, 3)


def test_windows_that_touch_are_cut_where_pointers_lead() -> None:
    first = call_of(3, [1, 2, 3])
    second = Region(0x10020, 0x10018, bytes(64), 2, -1)
    block = struct.pack("<2Q", 0x10000, 0x10020) + first.block[16:]
    layouts = layouts_of_call()
    leaves = tuple(Leaf("", 8 * i, Kind.POINTER, 8, 1, 2) for i in range(2))
    state = state_of(
        Call(1, block, (*first.regions, second)), [Layout("b", 240, 8, leaves), *layouts[1:]]
    )
    assert state is not None
    assert [(len(x.data), x.joined) for x in state.objects[1:]] == [(40, False), (56, True)]
    assert (state.led_to(0), state.led_to(8)) == (1, 2)


def cut_states(lengths: list[int]) -> list[State]:
    found = []
    for n in lengths:
        state = state_of(call_of(n, list(range(n))), layouts_of_call())
        assert state is not None
        found.append(settled(state, [(False, 0, 240), (False, 0, 4 * n)], layouts_of_call()))
    return found


def test_a_length_that_goes_with_a_pointer_is_found() -> None:
    states = cut_states([0, 2, 5, 9])
    assert relations_of(states, layouts_of_call()) == [Relation(0, 8, -1, 4, 0)]


def test_a_length_that_is_too_short_once_is_none() -> None:
    states = cut_states([2, 5, 9])
    longer = Object(2, -1, 0, bytes(4000))
    states.append(State((states[0].objects[0], longer), states[0].links))
    assert relations_of(states, layouts_of_call()) == []


def test_ranges_cover_what_was_seen() -> None:
    ranges = ranges_of(cut_states([2, 9]), layouts_of_call())
    assert ranges[0, 1] == (2, 9)
    assert ranges[2, 0] == (0, 8)
    assert (0, 0) not in ranges


def test_ranges_of_doubles_are_their_bits() -> None:
    data = struct.pack("<3d", -1.5, float("nan"), 2.0)
    state = State((Object(0, -2, 0, bytes(240)), Object(1, -1, 0, data)), ())
    low, high = ranges_of([state], [Layout("b", 240, 8, ()), DOUBLE])[1, 0]
    assert struct.unpack("<2d", struct.pack("<2q", low, high)) == (-1.5, 2.0)


UNIT = """
\t.text
\t.globl\tf
\t.type\tf, @function
f:
\tcmpl\t$99, %edi
\tje\t.L1
\tmovl\tcount(%rip), %eax
\tcall\tg
.L1:
\tret
\t.size\tf, .-f
\t.type\tg, @function
g:
\tmovl\ttable(%rip), %eax
\tCALL
\tret
\t.size\tg, .-g
\t.section\t.rodata
table:
\t.long\t1
\t.local\tcount
\t.comm\tcount,4,4
"""


def test_what_a_function_may_write_is_found_through_its_calls() -> None:
    unit = parse(UNIT.replace("CALL", "call\tmemcpy@PLT"))
    assert writable_data({"u": unit}, "u", ["f"]) == {"count": 4}
    assert list(constants_in(unit, "f")) == [99]


def test_what_does_more_than_compute_is_led_away() -> None:
    text = UNIT.replace("CALL", "call\tprintf@PLT\n\tcall\tmemcpy@PLT\n\tcall\tmalloc@PLT")
    unit = parse(text)
    names = replacements({"u": unit})
    assert names["printf"] == "gd_stop"
    assert "memcpy" not in names
    assert "g" not in names
    led = led_away(unit.lines, names)
    assert "call\tgd_stop@PLT" in led
    assert "call\tgd_malloc@PLT" in led
    assert "call\tmemcpy@PLT" in led


def test_the_harness_answers_are_read() -> None:
    output = (
        b"settled 3 0 0 240 1 8 24\n"
        b"differs within\tthe result\t0\t0\nwhere 0 0 0 0\nwords 1 2 0 0 0 0 0 0\n"
        b"object 0 -2 0 4 0 01020304\nobject 1 -1 0 0 99 \nend 10 3 2 1 0 0 0 1500000000 4 5\n"
    )
    assert list(settlements(output)) == [(3, [(False, 0, 240), (True, 8, 24)])]
    found = difference(output)
    assert found is not None
    assert found.words[0] == (1, 2)
    assert [x.data for x in found.objects] == [b"\1\2\3\4", b""]
    done = counts(output)
    assert done is not None
    assert (done.pairs, done.outside, done.cpu_seconds, done.ended) == (10, 2, 1.5, 4)
    assert done.overlapping == 5
    assert counts(b"settled 1 0 0 240\n") is None
