"""What stands behind a verdict, as lines for a person: each rung, each block that was never run.

Reads the evidence as it is stored: whatever is missing or odd in it is left out.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping

from gccllm.types import Json

__all__ = ["counterexample_lines", "evidence_rows", "ladder_of", "measurement"]

_RUNGS: Mapping[str, str] = {
    "abi": "ABI check",
    "fuzz": "program fuzzing",
    "coverage": "blocks run",
    "region": "rewritten lines alone",
    "differential": "function alone",
    "proof": "proof",
}
_EXCUSED: Mapping[str, str] = {
    "same": "the same in both",
    "ends": "ending the program alike",
    "unreachable": "that nothing can enter",
}
_SHOWN_BYTES = 400
_Rows = Iterator[tuple[str, str, str]]


def ladder_of(evidence: Mapping[str, Json], function: str) -> Mapping[str, Json]:
    """What the ladder found of a function; empty where it never got there."""
    return _mapping(_mapping(evidence.get("ladder")).get(function))


def measurement(entry: Mapping[str, Json]) -> str:
    """The speedup of a stored verdict with all that it was checked against; "" without one."""
    ratio, low, high = (entry.get(x) for x in ("speedup", "low", "high"))
    if not isinstance(ratio, float) or not isinstance(low, float) or not isinstance(high, float):
        return ""
    evidence = _mapping(entry.get("evidence"))
    told = f"{ratio:.2f}× (95%: {low:.2f}–{high:.2f}) in interleaved pairs"
    parts = [
        f"{meaning} {value:.3f}×"
        for key, meaning in (
            ("control", "gcc's own against itself"),
            ("wall", "wall time"),
            ("shift_16", "code shifted by 16 bytes"),
            ("shift_32", "by 32"),
            ("shift_48", "by 48"),
        )
        if isinstance(value := evidence.get(key), float)
    ]
    return "; ".join([told, *parts])


def evidence_rows(ladder: Mapping[str, Json]) -> _Rows:
    """(what, standing, detail) of each rung that was climbed, then blocks that nothing entered."""
    for name, rung in _mapping(ladder.get("rungs")).items():
        found = _mapping(rung)
        if found:
            detail = str(found.get("detail") or "")
            yield _RUNGS.get(name, name), str(found.get("standing") or ""), _told(found, detail)
    blocks = _mapping(ladder.get("blocks"))
    for side in ("gcc", "candidate"):
        counted = _mapping(blocks.get(side))
        excused = [f"{n} {told}" for key, told in _EXCUSED.items() if (n := counted.get(key))]
        if excused:
            yield "not run", side, f"of {counted.get('blocks')} blocks, {', '.join(excused)}"
        shown = counted.get("shown")
        for line in shown if isinstance(shown, list) else []:
            yield "never run", side, f"block at line {line}"
    if ladder.get("refused"):
        yield "refused", str(ladder["refused"]), str(ladder.get("why") or "")


def _told(rung: Mapping[str, Json], detail: str) -> str:
    """With what a person has to know beside the one line: the bound of a proof, its limits."""
    parts = [detail]
    bound = rung.get("bound")
    if isinstance(bound, int) and rung.get("standing") == "passed":
        parts.append(f"bound: {bound} jumps back")
    within = _mapping(rung.get("within"))
    parts += [f"{name} within {limits}" for name, limits in within.items()]
    kinds = _mapping(rung.get("kinds"))
    if kinds:
        parts.append(", ".join(f"{n} {kind}" for kind, n in kinds.items()))
    seconds = rung.get("seconds")
    if isinstance(seconds, float) and seconds >= 0.05:
        parts.append(f"{seconds:.1f} s")
    return "; ".join(parts)


def counterexample_lines(evidence: Mapping[str, Json]) -> Iterator[str]:
    """The input on which candidate and baseline differ, and what each does; nothing without one."""
    found = evidence.get("counterexample")
    if isinstance(found, str):
        yield found
    if not isinstance(found, dict):
        return
    args = found.get("args")
    if isinstance(args, list) and args:
        yield f"arguments: {' '.join(map(str, args))}"
    stdin = found.get("stdin_base64")
    if isinstance(stdin, str):
        yield f"stdin: {_shown(stdin)}"
    for path, data in _mapping(found.get("files_base64")).items():
        yield f"file {path}: {_shown(data) if isinstance(data, str) else 'not there'}"
    yield f"made from {found.get('how')}"
    for side in ("baseline", "candidate"):
        did = _mapping(found.get(side))
        told = ", ".join(f"{k} {v!r}" for k, v in did.items() if v not in ("", None))
        yield f"{'gcc' if side == 'baseline' else side}: {told}"


def _shown(encoded: str) -> str:
    try:
        data = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return "?"
    more = f" … ({len(data)} bytes)" if len(data) > _SHOWN_BYTES else ""
    return f"{data[:_SHOWN_BYTES]!r}{more}"


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}
