"""The lock file: accepted rewrites as text that a person can review and a build can rely on.

    version 1

    rewrite UNIT
      functions  NAME…        what it replaces in the unit
      program    NAME         that it was judged in
      compiler   VERSION      of the baseline, as gcc prints it, and its machine
      isa        MODE         of the build that found it: see the option -fllm-isa
      needs      FEATURE…     of the processor, beyond every x86-64
      imports    NAME…        functions of libraries that gcc's version of the unit does not call
      baseline   SHA256       of the unit without debug information and label numbers
      assurance  LEVEL
      speedup    RATIO (LOW–HIGH), N pairs
      proposer   NAME: LABEL
      evidence   TEXT         any number of them
      tag        WORD         what makes the new names unique
      digest     SHA256       of the assembly
    assembly
    | the new lines of the functions, with the constants and helpers that they need
    end

A key whose value is empty is left out. Lines that begin with ``#`` are comments between blocks.
Blocks of one baseline are put in one after the other, so their order counts; nothing else does.
Nobody is trusted to have written it: a block that does not hold together is left out and told.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gccllm.errors import LockError
from gccllm.settings import ISA_MODES
from gccllm.types import Speedup

__all__ = ["CHECKED", "LockFile", "Locked", "read_lock", "render", "understand"]

VERSION = 1
CHECKED = "lock"
"""what a file that is judged again is called in the folder that GCCLLM_LOCK_CHECK names"""
MOST_BYTES = 64 << 20
_HEADER = """\
# Rewrites that gccllm accepted: with -fllm-lock=THIS-FILE gcc-llm builds with these and no others.
# A whole block, from 'rewrite' to 'end', may be deleted; what is in it may not be changed.
# 'gccllm lock' writes this file, 'gccllm lock --check' judges it again.
"""
_NEEDED = frozenset("functions compiler isa baseline assurance speedup tag digest".split())
_KNOWN = _NEEDED | frozenset("program needs imports proposer evidence".split())
_NUMBER = r"(\d{1,9}\.\d{1,9})"
_SPEEDUP = re.compile(rf"{_NUMBER} \({_NUMBER}–{_NUMBER}\), (\d{{1,9}}) pairs", re.ASCII)
_TAG = re.compile(r"[0-9a-f]{8}x{0,8}")
_NAME = re.compile(r"[A-Za-z_$][\w.$]*", re.ASCII)
_FEATURE = re.compile(r"[A-Z0-9_]+")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Locked:
    """One rewrite. ``assembly`` is a donor of ``functions`` (see :mod:`gccllm.asm.splice`) and
    ``tag`` its tag; ``baseline`` is the unit's :func:`gccllm.asm.normalise.unit_key`. ``evidence``
    is for people: lines that say what stands behind the assurance."""

    unit: str
    functions: tuple[str, ...]
    program: str
    compiler: str
    isa: str
    needs: frozenset[str]
    imports: frozenset[str]
    baseline: str
    assurance: str
    speedup: Speedup
    proposer: str
    evidence: tuple[str, ...]
    tag: str
    assembly: str


@dataclass(frozen=True)
class LockFile:
    """What a file holds; ``damaged`` says, a line each, what was left out and why."""

    rewrites: tuple[Locked, ...]
    damaged: tuple[str, ...] = ()


def render(rewrites: Iterable[Locked]) -> str:
    """The text of a lock file: the same rewrites in the order of their units give the same text."""
    blocks = ["\n".join(_block(x)) for x in rewrites]
    return "\n\n".join([f"{_HEADER}version {VERSION}", *blocks]) + "\n"


def _block(one: Locked) -> Iterator[str]:
    yield f"rewrite {_line(one.unit)}"
    speed = one.speedup
    values = [
        ("functions", " ".join(one.functions)),
        ("program", one.program),
        ("compiler", one.compiler),
        ("isa", one.isa),
        ("needs", " ".join(sorted(one.needs))),
        ("imports", " ".join(sorted(one.imports))),
        ("baseline", one.baseline),
        ("assurance", one.assurance),
        ("speedup", f"{speed.ratio:.3f} ({speed.low:.3f}–{speed.high:.3f}), {speed.pairs} pairs"),
        ("proposer", one.proposer),
        *(("evidence", x) for x in one.evidence),
        ("tag", one.tag),
        ("digest", _digest(one.assembly)),
    ]
    for key, value in values:
        if value:
            yield f"  {key:<10} {_line(value)}"
    yield "assembly"
    for line in one.assembly.split("\n"):
        yield f"| {line}" if line else "|"
    yield "end"


def _line(text: str) -> str:
    """On one line, and nothing in it that a terminal might obey."""
    return "".join(x if x.isprintable() else " " for x in text).strip()


def _digest(assembly: str) -> str:
    return hashlib.sha256(assembly.encode("utf-8", "surrogateescape")).hexdigest()


def read_lock(path: Path) -> LockFile:
    """Read a file. Raises LockError where there is no lock file that this version understands."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise LockError(f"can't read the lock file {path}: {why}") from error
    if len(content) > MOST_BYTES:
        raise LockError(f"the lock file {path} is larger than {MOST_BYTES >> 20} MiB")
    try:
        return understand(content.decode("utf-8", "surrogateescape"))
    except LockError as error:
        raise LockError(f"{path}: {error}") from error


def understand(text: str) -> LockFile:
    """The rewrites in a text, those that don't hold together left out. Raises LockError."""
    lines = text.replace("\r\n", "\n").split("\n")
    start = next((i for i, x in enumerate(lines) if x.strip() and not x.startswith("#")), None)
    if start is None or not lines[start].startswith("version "):
        raise LockError("it is no lock file: it does not begin with its version")
    version = lines[start].split(" ", 1)[1].strip()
    if version != str(VERSION):
        raise LockError(f"it is of version '{version[:20]}', and this gccllm knows {VERSION} only")
    found: list[Locked] = []
    damaged: list[str] = []
    taken: set[tuple[str, str, str]] = set()
    for number, block in _blocks(lines, start + 1):
        try:
            one = _parsed(block)
            keys = {(one.compiler, one.baseline, x) for x in one.functions}
            if taken & keys:
                raise LockError("its functions are replaced by an earlier block")
        except LockError as error:
            damaged.append(f"line {number}: {error}")
            continue
        taken |= keys
        found.append(one)
    return LockFile(tuple(found), tuple(damaged))


def _blocks(lines: Sequence[str], start: int) -> Iterator[tuple[int, Sequence[str]]]:
    """(number of its first line, lines) of each block, and of whatever stands between them."""
    begin: int | None = None
    for index in range(start, len(lines)):
        line = lines[index]
        if line.startswith("rewrite "):
            if begin is not None:
                yield begin + 1, lines[begin:index]
            begin = index
        elif begin is None:
            if line.strip() and not line.startswith("#"):
                yield index + 1, [line]
        elif line == "end":
            yield begin + 1, lines[begin : index + 1]
            begin = None
    if begin is not None:
        yield begin + 1, lines[begin:]


def _parsed(block: Sequence[str]) -> Locked:
    """Raises LockError, which says what does not hold together."""
    if not block[0].startswith("rewrite ") or block[-1] != "end" or "assembly" not in block:
        raise LockError("there is no whole block from 'rewrite' to 'end'")
    split = block.index("assembly")
    values: dict[str, str] = {}
    evidence: list[str] = []
    for line in block[1:split]:
        key, _, value = line.strip().partition(" ")
        if key not in _KNOWN or key in values:
            raise LockError(f"'{key[:40]}' is unknown here, or there twice")
        if key == "evidence":
            evidence.append(value.strip())
        else:
            values[key] = value.strip()
    missing = sorted(_NEEDED - values.keys())
    if missing:
        raise LockError(f"'{missing[0]}' is missing")
    body = block[split + 1 : -1]
    if not all(x == "|" or x.startswith("| ") for x in body):
        raise LockError("a line of the assembly does not begin with '| '")
    assembly = "\n".join(x[2:] for x in body)
    if _digest(assembly) != values["digest"]:
        raise LockError("the assembly is not the one that was locked (its digest differs)")
    return Locked(
        unit=block[0].split(" ", 1)[1],
        functions=_words(values, "functions", _NAME),
        program=values.get("program", ""),
        compiler=values["compiler"],
        isa=_one_of(values, "isa", ISA_MODES),
        needs=frozenset(_words(values, "needs", _FEATURE)),
        imports=frozenset(_words(values, "imports", _NAME)),
        baseline=_words(values, "baseline", _DIGEST)[0],
        assurance=values["assurance"],
        speedup=_speedup(values["speedup"]),
        proposer=values.get("proposer", ""),
        evidence=tuple(evidence),
        tag=_words(values, "tag", _TAG)[0],
        assembly=assembly,
    )


def _words(values: dict[str, str], key: str, form: re.Pattern[str]) -> tuple[str, ...]:
    words = tuple(values.get(key, "").split())
    if len(set(words)) != len(words) or not all(form.fullmatch(x) for x in words):
        raise LockError(f"'{key}' makes no sense")
    if key in _NEEDED and not words:
        raise LockError(f"'{key}' is empty")
    return words


def _one_of(values: dict[str, str], key: str, known: Sequence[str]) -> str:
    if values[key] not in known:
        raise LockError(f"'{key}' is none of {', '.join(known)}")
    return values[key]


def _speedup(text: str) -> Speedup:
    found = _SPEEDUP.fullmatch(text)
    if found is None:
        raise LockError("'speedup' makes no sense")
    ratio, low, high = (float(x) for x in found.groups()[:3])
    return Speedup(ratio, low, high, int(found.group(4)))
