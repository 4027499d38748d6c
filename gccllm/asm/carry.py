"""Assembly carried in an object, from the compile step to the link step.

A frame is appended to a unit as data of the section ``.gccllm.asm`` with SHF_EXCLUDE ("e"): ar,
``ld -r`` and strip keep it, and ld leaves it out of executables and shared libraries, which are
byte-identical to ones without it. ``ld -r`` concatenates the payloads, so each frame delimits and
checks itself:

    bytes 0-7    magic ``GCCLLMF1``
    bytes 8-15   length n of the payload, little-endian
    bytes 16-47  sha256 of the payload
    then         n bytes: zlib-compressed UTF-8 JSON, one object with the fields of Frame
    then         zero bytes up to a multiple of 8
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["SECTION", "Frame", "decode", "encode", "read_object"]

SECTION = ".gccllm.asm"
_MAGIC = b"GCCLLMF1"
_HEADER = 48
_MAX_TEXT = 256 << 20
_QUADS_A_LINE = 16


@dataclass(frozen=True)
class Frame:
    """What the link step needs to know of one unit.

    ``assembly`` is the baseline's text (surrogateescape allowed); ``source`` an absolute path or
    ""; ``directory`` the working folder of the compilation; ``tests`` the folder of recordings or
    ""; ``compiler`` identifies the compiler (version line).
    """

    unit: str
    assembly: str
    source: str
    source_sha256: str
    directory: str
    options: tuple[str, ...]
    tests: str
    compiler: str


def encode(frame: Frame) -> str:
    """Lines to append to the end of a unit (nothing may follow that counts on the section)."""
    text = json.dumps(asdict(frame), separators=(",", ":"))
    payload = zlib.compress(text.encode("ascii"), 6)
    blob = _MAGIC + struct.pack("<Q", len(payload)) + hashlib.sha256(payload).digest() + payload
    blob += bytes(-len(blob) % 8)
    words = [f"{word:#x}" for (word,) in struct.iter_unpack("<Q", blob)]
    rows = [
        "\t.quad\t" + ",".join(words[i : i + _QUADS_A_LINE])
        for i in range(0, len(words), _QUADS_A_LINE)
    ]
    return "\n".join([f'\t.section\t{SECTION},"e",@progbits', "\t.balign 8", *rows]) + "\n"


def decode(section: bytes) -> tuple[list[Frame], int]:
    """(whole frames in order, number of damaged ones). Never raises.

    After a damaged frame the search goes on at the next magic.
    """
    frames: list[Frame] = []
    damaged = 0
    position = section.find(_MAGIC)
    while position >= 0:
        frame, end = _decode_one(section, position)
        if frame is None:
            damaged += 1
            position = section.find(_MAGIC, position + len(_MAGIC))
        else:
            frames.append(frame)
            position = section.find(_MAGIC, end)
    return frames, damaged


def _decode_one(section: bytes, start: int) -> tuple[Frame | None, int]:
    head = section[start : start + _HEADER]
    if len(head) < _HEADER:
        return None, start
    length = struct.unpack_from("<Q", head, 8)[0]
    end = start + _HEADER + length
    payload = section[start + _HEADER : end]
    if len(payload) != length or hashlib.sha256(payload).digest() != head[16:48]:
        return None, start
    return _load(payload), end


def _load(payload: bytes) -> Frame | None:
    """The frame in a payload whose hash is right; None when it isn't one of ours."""
    unpack = zlib.decompressobj()
    try:
        text = unpack.decompress(payload, _MAX_TEXT)
        if unpack.unconsumed_tail or not unpack.eof:
            return None
        fields = json.loads(text)
    except (zlib.error, ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    options = fields.pop("options", None)
    if not isinstance(options, list) or not all(isinstance(x, str) for x in options):
        return None
    if not all(isinstance(value, str) for value in fields.values()):
        return None
    try:
        return Frame(options=tuple(options), **fields)
    except TypeError:
        return None


def read_object(path: Path | str) -> list[Frame]:
    """The frames that an object carries; [] for files that are no readable ELF objects."""
    # Imported here, for compiling only writes frames.
    from gccllm.asm.elf import ElfError, read_elf

    try:
        elf = read_elf(path)
    except (ElfError, OSError):
        return []
    frames: list[Frame] = []
    for section in elf.sections:
        if section.name == SECTION:
            frames += decode(section.content)[0]
    return frames
