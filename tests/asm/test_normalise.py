from __future__ import annotations

import pytest

from gccllm.asm.normalise import fingerprint, function_text, same_code, unit_key
from gccllm.asm.unit import parse
from tests.asm.tools import CORPUS, compile_unit, sources

OFFSET = 0xCBF29CE484222325


def fnv(data: bytes) -> int:
    value = OFFSET
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % (1 << 64)
    return value


@pytest.mark.parametrize("options", [("-O3",), ("-O2", "-fPIC"), ("-O3", "-ffunction-sections")])
def test_debug_information_changes_no_key(options: tuple[str, ...]) -> None:
    for source in sources():
        plain = compile_unit(source, *options)
        debug = compile_unit(source, *options, "-g")
        assert plain != debug
        assert unit_key(plain) == unit_key(debug), source.name
        assert fingerprint(plain.encode()) == fingerprint(debug.encode()), source.name
        assert same_code(plain, debug)


def test_other_code_has_another_key() -> None:
    keys = {unit_key(compile_unit(s, o)) for s in sources() for o in ("-O1", "-O2", "-O3")}
    assert len(keys) >= 2 * len(sources())
    assert not same_code("\tret\n", "\tnop\n")
    assert not same_code("\t.data\nx:\t.long 1\n", "\t.data\nx:\t.long 2\n")


def test_function_text_is_the_same_with_and_without_debug() -> None:
    plain = parse(compile_unit(CORPUS / "clones.c", "-O3"))
    debug = parse(compile_unit(CORPUS / "clones.c", "-O3", "-g"))
    for name in plain.functions:
        text = function_text(plain, name)
        assert text == function_text(debug, name)
        assert text.startswith(f"{name}:\n")
        assert ".loc" not in text
    with pytest.raises(KeyError):
        function_text(plain, "missing")


@pytest.mark.parametrize(
    ("text", "picked"),
    [
        (b"", b""),
        (b"\tret\n", b"ret\n"),
        (b"\tret", b"ret\n"),
        (b"\tret \t # comment\n", b"ret\n"),
        (b"\tjmp\t.L12\n\tja\t.LBB3_4\n", b"jmp\t.L\nja\t.LBB_4\n"),
        (b"\tmovsd\t.LC0(%rip), %xmm1\n", b"movsd\t.LC(%rip), %xmm1\n"),
        (b"\tjmp\t.Lk1.7\n", b"jmp\t.Lk1.7\n"),
        (b"main:\n.L3:\n\t.text\n# x:\n y:\n", b"main\n"),
        (b"f: .quad x:y\n", b"f\n"),
        (b":\n", b"\n"),
        (b"\tRET\n\t\tret\n\n", b""),
        (b"no colon\n\xff\xfe:\n", b"\xff\xfe\n"),
        (b"\tret\r\n", b"ret\r\n"),
        (b"\t# x\n\tx#\n", b"x\n"),
    ],
)
def test_fingerprint_rules(text: bytes, picked: bytes) -> None:
    assert fingerprint(text) == fnv(picked)
