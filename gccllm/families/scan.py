"""Searches: blocks without a hit are skipped in vectors, then gcc's own loop goes on.

gcc 12 vectorises no loop that may end early. What is skipped here is whole blocks of an array in
which no element ends the loop; the place of the first that does, or the last elements before the
bound, are left to gcc's code, so its exits and results stay as they are whatever they are.

No load touches a page that the loop would not: the first block is loaded only where it lies in one
page, all others are aligned, and their first element is one that the loop comes to. Where elements
are not aligned to their size, the array ends within a block or the first block crosses a page, the
whole search is gcc's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from gccllm.families.base import Form, Hints
from gccllm.families.loopstate import LoopState, loop_states

__all__ = ["LEVELS", "Scan", "comparisons", "keys", "scan_form", "search_forms"]

LEVELS = ("AVX512", "AVX2", "SSE2")
BYTES = {"SSE2": 16, "AVX2": 32, "AVX512": 64}
_COMPARED = re.compile(r"^cmp[bwlq]\s+\$(-?\d+),")
_SUFFIX = {1: "b", 2: "w", 4: "d", 8: "q"}
# The codes of AVX-512's comparisons, signed.
_CODES = {"eq": 0, "lt": 1, "le": 2, "ne": 4, "ge": 5, "gt": 6}


@dataclass(frozen=True)
class Scan:
    """One kind of search at one level.

    ``test`` leaves in ``m`` a bit for each byte of the block at the place ``%A`` that ends the
    search (for each element with AVX-512), and the zero flag when there is none. ``setup`` stands
    before the first test and may use ``m``.

    ``first`` looks at the element that comes next and jumps to ``{B}`` where it ends the search;
    the place is then brought on by one, so that the element in front of it has been read.
    ``finish`` stands at the end and sets what else the loop carries from the new place ``%A``.

    ``%X`` in ``test`` is where to jump if a block can't be looked at as a whole; ``aside`` looks at
    it one by one then, jumps to ``{L.out}`` from the element that ends the search, and to
    ``{L.next}`` behind the last.
    """

    name: str
    size: int
    level: str
    test: str
    setup: str = ""
    first: str = ""
    finish: str = ""
    inputs: str = ""
    changes: str = ""
    scratch: str = ""
    vectors: str = "u c"
    aside: Callable[[LoopState], list[str]] | None = None


def keys(hints: Hints) -> Iterator[int | None]:
    """What elements may be compared with: a register (None), and the numbers that stand there."""
    found: set[int] = set()
    register = False
    for line in hints.instructions:
        number = _COMPARED.match(line)
        if number is not None:
            found.add(int(number.group(1)))
        elif line.startswith("test"):
            found.add(0)
        elif line.startswith("cmp"):
            register = True
    if register:
        yield None
    yield from sorted(found)[:4]


def comparisons(
    predicates: str, size: int, key: int | None, levels: tuple[str, ...] = LEVELS
) -> Iterator[Scan]:
    """Searches for an element that is eq, ne, lt, le, gt or ge a key, signed, at each level that
    has instructions for it."""
    for predicate in predicates.split():
        for level in levels:
            if level == "SSE2" and size == 8:
                continue
            number = "a key" if key is None else str(key)
            yield Scan(
                f"{predicate} {number}",
                size,
                level,
                _test(predicate, size, level),
                _broadcast(size, level, key),
                inputs="k" if key is None else "",
                vectors="u c w" if level == "SSE2" else "u c",
            )


def _broadcast(size: int, level: str, key: int | None) -> str:
    """Lines that put the key into all elements of ``c``."""
    if key == 0:
        return "pxor {c:x}, {c:x}" if level == "SSE2" else "vpxor {c:x}, {c:x}, {c:x}"
    width, source = ("q", "k") if size == 8 else ("l", "k")
    lines = []
    if key is not None:
        source = "m"
        lines.append(f"mov{width} ${key}, {{m:{width}}}")
    if level != "SSE2":
        unit = "z" if level == "AVX512" else "y"
        lines.append(f"vmov{'q' if size == 8 else 'd'} {{{source}:{width}}}, {{c:x}}")
        lines.append(f"vpbroadcast{_SUFFIX[size]} {{c:x}}, {{c:{unit}}}")
        return "\n".join(lines)
    lines.append(f"movd {{{source}:l}}, {{c:x}}")
    lines += ["punpcklbw {c:x}, {c:x}"] if size == 1 else []
    lines += ["pshuflw $0, {c:x}, {c:x}"] if size <= 2 else []
    return "\n".join([*lines, "pshufd $0, {c:x}, {c:x}"])


def _test(predicate: str, size: int, level: str) -> str:
    suffix = _SUFFIX[size]
    if level == "AVX512":
        # The second source is memory, so the key comes first and the comparison is turned around.
        turned = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}.get(predicate, predicate)
        width = mask_width(size)
        move = f"kmov{width} {{f:k}}, {{m:{'q' if width == 'q' else 'l'}}}"
        check = "testq {m:q}, {m:q}" if width == "q" else "testl {m:l}, {m:l}"
        return f"vpcmp{suffix} ${_CODES[turned]}, %A, {{c:z}}, {{f:k}}\n{move}\n{check}"
    turned = {"ne": "eq", "ge": "lt", "le": "gt"}.get(predicate, predicate)
    if level == "AVX2":
        compare = {
            "eq": f"vpcmpeq{suffix} %A, {{c:y}}, {{u:y}}",
            "lt": f"vpcmpgt{suffix} %A, {{c:y}}, {{u:y}}",
            "gt": f"vmovdqu %A, {{u:y}}\nvpcmpgt{suffix} {{c:y}}, {{u:y}}, {{u:y}}",
        }[turned]
        mask = "vpmovmskb {u:y}, {m:l}"
    else:
        compare = {
            "eq": f"movdqu %A, {{u:x}}\npcmpeq{suffix} {{c:x}}, {{u:x}}",
            "gt": f"movdqu %A, {{u:x}}\npcmpgt{suffix} {{c:x}}, {{u:x}}",
            "lt": f"movdqu %A, {{w:x}}\nmovdqa {{c:x}}, {{u:x}}\npcmpgt{suffix} {{w:x}}, {{u:x}}",
        }[turned]
        mask = "pmovmskb {u:x}, {m:l}"
    if turned == predicate:
        return f"{compare}\n{mask}\ntestl {{m:l}}, {{m:l}}"
    return f"{compare}\n{mask}\nxorl ${-1 if level == 'AVX2' else 65535}, {{m:l}}"


def mask_width(size: int) -> str:
    """Width of a mask register's move that holds a bit for each element of 512 bits."""
    return {1: "q", 2: "d", 4: "w", 8: "w"}[size]


def scan_form(scan: Scan, state: LoopState) -> Form:
    """The form that skips blocks of a loop which keeps its place in this way."""
    size = BYTES[scan.level]
    block = state.block(size)
    wide = scan.level == "AVX512"
    back = "{L.out}" if scan.first else "{B}"

    def put(text: str, cross: str = "{L.slow}") -> list[str]:
        """Lines with operands in the place of %A, %-N and %O."""
        text = text.replace("%-", state.at(-scan.size)).replace("%A", state.at(0))
        return text.replace("%O", state.at(0, "o")).replace("%X", cross).splitlines()

    lines: list[str] = []
    if state.left:
        # One element stays, for a loop that is entered behind its own test of the bound.
        least = block + state.block(scan.size) if scan.first else block
        lines += [*state.left, f"cmpq ${least}, {{r:q}}", "jle {B}"]
    if scan.first:
        lines += [*put(scan.first), *state.on(scan.size)]
        lines += [f"subq ${state.block(scan.size)}, {{r:q}}"] if state.left else []
    lines += put("leaq %A, {t:q}")
    if scan.size > 1:
        lines += [f"testb ${scan.size - 1}, {{t:b}}", f"jne {back}"]
    lines += ["andl $4095, {t:l}", f"cmpl ${4096 - size}, {{t:l}}", f"ja {back}"]
    lines += [*scan.setup.splitlines(), *put(scan.test, back), "jne {L.hit}"]
    lines += [f"andl ${size - 1}, {{t:l}}", f"subq ${size}, {{t:q}}", *state.on_by("t", back=True)]
    if state.left:
        lines += [f"subq ${block}, {{r:q}}", "jle {L.out}"]
    lines += [".p2align 4", "{L.top}:", *put(scan.test), "jne {L.hit}", *state.on(size)]
    lines += ["{L.next}:"] if scan.aside is not None else []
    if state.left:
        lines += [f"subq ${block}, {{r:q}}", "jg {L.top}", "jmp {L.out}"]
    else:
        lines.append("jmp {L.top}")
    if scan.aside is not None:
        lines += ["{L.slow}:", *scan.aside(state)]
    count = "bsfl {m:l}, {m:l}" if scan.level == "SSE2" else "tzcntq {m:q}, {m:q}"
    lines += ["{L.hit}:", count, *state.on_by("m", elements=wide)]
    lines += ["{L.out}:", *put(scan.finish), "{S}"]
    lines += [] if scan.level == "SSE2" else ["vzeroupper"]
    needs = {"SSE2": "", "AVX2": "AVX2 BMI", "AVX512": "AVX512F AVX512BW BMI"}[scan.level]
    bounded = ["r"] if state.left else []
    return Form(
        f"skip until {scan.name}, {8 * scan.size} bits, {8 * size} at a time, {state.name}",
        "\n".join([*lines, "jmp {B}"]),
        needs=needs,
        inputs=f"{state.inputs} {scan.inputs}".strip(),
        changes=f"{state.changes} {scan.changes}".strip(),
        scratch=" ".join(["t", "m", *bounded, scan.scratch]).strip(),
        vectors=scan.vectors,
        masks="f" if wide else "",
        pointers=state.pointers,
    )


def search_forms(hints: Hints, relations: str, suffixes: Mapping[int, str]) -> Iterator[Form]:
    """The forms of a loop that leaves at the first element in one of ``relations`` ("eq ne") to a
    key, for elements of the sizes (in bytes) of ``suffixes`` that the region compares."""
    if not hints.loops or not hints.loads:
        return
    for size, suffix in suffixes.items():
        if size in hints.load_sizes and hints.has(f"cmp{suffix}", f"test{suffix}"):
            for key in keys(hints):
                for scan in comparisons(relations, size, key):
                    for state in loop_states(size, hints):
                        yield scan_form(scan, state)
