from __future__ import annotations

import dataclasses
import re
import struct
from pathlib import Path

import pytest

from gccllm.asm.carry import Frame, decode, encode, read_object
from gccllm.process import run
from tests.asm.tools import CORPUS, assemble, compile_unit

FRAME = Frame("u1", "\tret\n\udc80é", "/a/b.c", "0" * 64, "/a", ("-O3", '-DX="y"'), "", "gcc 12")


def blob(frame: Frame) -> bytes:
    words = re.findall(r"0x[0-9a-f]+", encode(frame))
    return b"".join(struct.pack("<Q", int(w, 16)) for w in words)


def tool(*argv: str | Path) -> None:
    done = run([str(a) for a in argv], timeout=60)
    assert done.ok, done.error_line()


def test_a_frame_comes_back() -> None:
    assert decode(blob(FRAME)) == ([FRAME], 0)


def test_frames_follow_each_other_with_any_padding() -> None:
    other = dataclasses.replace(FRAME, unit="u2", assembly="x" * 10000)
    assert decode(b"junk" + blob(FRAME) + bytes(24) + blob(other)) == ([FRAME, other], 0)


def test_damage_is_counted_and_skipped() -> None:
    data = blob(FRAME)
    flipped = data[:60] + bytes((data[60] ^ 1,)) + data[61:]
    assert decode(flipped + data) == ([FRAME], 1)
    for cut in range(len(data.rstrip(b"\0"))):
        frames, damaged = decode(data[:cut])
        assert frames == []
        assert damaged == (1 if cut >= 8 else 0)
    assert decode(b"GCCLLMF1" * 8 + data) == ([FRAME], 8)


def test_a_huge_length_is_damage() -> None:
    data = bytearray(blob(FRAME))
    data[8:16] = b"\xff" * 8
    assert decode(bytes(data)) == ([], 1)


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two objects that carry frames, and the same ones without."""
    folder = tmp_path_factory.mktemp("carry")
    for name in ("loops", "floats"):
        text = compile_unit(CORPUS / f"{name}.c", "-O3")
        if name == "floats":
            text = text.replace("main", "other_main")
        frame = dataclasses.replace(FRAME, unit=name, assembly=text)
        (folder / "with").mkdir(exist_ok=True)
        (folder / "without").mkdir(exist_ok=True)
        assemble(text, folder / "without" / f"{name}.o")
        assemble(text + encode(frame), folder / "with" / f"{name}.o")
    return folder


def units(path: Path) -> list[str]:
    return [frame.unit for frame in read_object(path)]


def test_objects_carry_their_frames(carried: Path) -> None:
    assert units(carried / "with" / "loops.o") == ["loops"]
    assert units(carried / "without" / "loops.o") == []


@pytest.mark.parametrize("mode", ["--strip-debug", "--strip-unneeded", "--strip-all", "-x"])
def test_strip_keeps_frames(mode: str, carried: Path, tmp_path: Path) -> None:
    tool("strip", mode, "-o", tmp_path / "x.o", carried / "with" / "loops.o")
    assert units(tmp_path / "x.o") == ["loops"]


def test_ar_and_partial_links_keep_frames(carried: Path, tmp_path: Path) -> None:
    objects = [carried / "with" / f"{n}.o" for n in ("loops", "floats")]
    tool("ld", "-r", "-o", tmp_path / "both.o", *objects)
    assert sorted(units(tmp_path / "both.o")) == ["floats", "loops"]
    tool("ar", "rcs", tmp_path / "lib.a", *objects)
    done = run(["ar", "x", str(tmp_path / "lib.a")], timeout=60, cwd=tmp_path)
    assert done.ok
    assert units(tmp_path / "floats.o") == ["floats"]


@pytest.mark.parametrize("options", [(), ("-shared",), ("-static",), ("-s",)])
def test_executables_are_byte_identical(
    options: tuple[str, ...], carried: Path, tmp_path: Path
) -> None:
    target = tmp_path / "program"
    results = []
    for kind in ("with", "without"):
        objects = [carried / kind / f"{n}.o" for n in ("loops", "floats")]
        if "-shared" in options:
            objects = []
            for name in ("loops", "floats"):
                text = compile_unit(CORPUS / f"{name}.c", "-O3", "-fPIC")
                text = text.replace("main", f"{name}_main")
                text += encode(FRAME) if kind == "with" else ""
                objects.append(assemble(text, tmp_path / f"{name}.o"))
        tool("gcc", *options, "-o", target, *objects)
        results.append(target.read_bytes())
        target.unlink()
    assert results[0] == results[1]


def test_other_files_have_no_frames(tmp_path: Path) -> None:
    assert read_object(tmp_path / "missing.o") == []
    for name, data in {
        "empty": b"",
        "text": b"hello",
        "archive": b"!<arch>\n",
        "cut": b"\x7fELF\x02\x01" + bytes(20),
        "zeros": b"\x7fELF\x02\x01" + bytes(100),
    }.items():
        (tmp_path / name).write_bytes(data)
        assert read_object(tmp_path / name) == []


def test_damaged_objects_never_raise(carried: Path, tmp_path: Path) -> None:
    data = (carried / "with" / "loops.o").read_bytes()
    target = tmp_path / "x.o"
    for cut in range(0, len(data), max(1, len(data) // 60)):
        target.write_bytes(data[:cut])
        read_object(target)
    for place in range(64):
        target.write_bytes(data[:place] + b"\xff" + data[place + 1 :])
        assert all(isinstance(x, Frame) for x in read_object(target))
