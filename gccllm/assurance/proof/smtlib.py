"""Conditions as SMT-LIB 2 text (QF_ABV), one definition for each node that terms share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gccllm.assurance.proof.node import Term, make, mask, ordered

__all__ = ["Script", "script"]

_BINARY = {
    "mul": "bvmul",
    "shl": "bvshl",
    "lshr": "bvlshr",
    "ashr": "bvashr",
    "udiv": "bvudiv",
    "urem": "bvurem",
    "sdiv": "bvsdiv",
    "srem": "bvsrem",
    "select": "select",
    "store": "store",
}
_MANY = {"and": "bvand", "or": "bvor", "xor": "bvxor", "concat": "concat"}
_COMPARISONS = {"eq": "=", "ult": "bvult", "slt": "bvslt"}


@dataclass(frozen=True)
class Script:
    """``text`` declares and asserts, without (check-sat); ``names``: expression → what to ask for
    in a model: the variables and the bytes that are read from the memories that come in."""

    text: str
    names: Mapping[str, Term]


def script(conditions: Sequence[Term]) -> Script:
    """One script that asserts all conditions (one bit each)."""
    writer = _Writer()
    for condition in conditions:
        writer.needs(condition)
    asserted = [f"(assert (= {writer.names[x]} #b1))" for x in conditions]
    return Script("\n".join([*writer.lines, *asserted]) + "\n", writer.wanted)


def number(value: int, width: int) -> str:
    return (
        f"#b{value & mask(width):0{width}b}"
        if width % 4
        else f"#x{value & mask(width):0{width // 4}x}"
    )


class _Writer:
    def __init__(self) -> None:
        self.lines: list[str] = ["(set-logic QF_ABV)"]
        self.names: dict[Term, str] = {}
        self.wanted: dict[str, Term] = {}

    def needs(self, root: Term) -> None:
        for term in ordered([root]):
            if term not in self.names:
                self.names[term] = self._named(term)

    def _named(self, term: Term) -> str:
        if term.op == "const":
            return number(term.value, term.width)
        if term.op == "var":
            name = f"|{term.args[0]}|"
            self.lines.append(f"(declare-const {name} {_sort(term)})")
            if term.width:
                self.wanted[name] = term
            return name
        name = f"t{len(self.names)}"
        if term.op in ("udiv", "sdiv") and term.args[1].is_const and term.args[1].value:
            divisor = term.args[1].value
            if divisor >> (term.width - 1) == 0 and divisor > 1:
                self._quotient(name, term, divisor)
                return name
        self.lines.append(f"(define-fun {name} () {_sort(term)} {self._body(term)})")
        if term.op == "select":
            self._wants(term.args[0], term.args[1])
        return name

    def _wants(self, memory: Term, address: Term) -> None:
        """What the memories below all stores hold at ``address`` is part of a model."""
        for base in ordered([memory]):
            if base.op == "var" and not base.width:
                byte = make("select", 8, base, address)
                name = f"b{len(self.wanted)}"
                read = f"(select {self.names[base]} {self.names[address]})"
                self.lines.append(f"(define-fun {name} () (_ BitVec 8) {read})")
                self.wanted[name] = byte

    def _quotient(self, name: str, term: Term, divisor: int) -> None:
        """A quotient by a constant as a new variable: q with x - q * d in range, which needs only
        a multiplication by a constant. The bounds of q keep the product from wrapping."""
        width, x = term.width, self.names[term.args[0]]
        d = number(divisor, width)
        self.lines.append(f"(declare-const {name} {_sort(term)})")
        rest = f"(bvsub {x} (bvmul {name} {d}))"
        if term.op == "udiv":
            highest = number(mask(width) // divisor, width)
            self._assert(f"(bvule {name} {highest})")
            self._assert(f"(bvule (bvmul {name} {d}) {x})")
            self._assert(f"(bvult {rest} {d})")
            return
        highest = number(((1 << width - 1) - 1) // divisor, width)
        lowest = number(-((1 << width - 1) // divisor), width)
        negative = f"(bvslt {x} {number(0, width)})"
        self._assert(f"(and (bvsle {name} {highest}) (bvsle {lowest} {name}))")
        self._assert(f"(bvult (ite {negative} (bvneg {rest}) {rest}) {d})")

    def _assert(self, text: str) -> None:
        self.lines.append(f"(assert {text})")

    def _body(self, term: Term) -> str:
        op, args = term.op, term.args
        if op == "sum":
            return self._sum(term)
        if op == "extract":
            return f"((_ extract {args[1]} {args[2]}) {self.names[args[0]]})"
        if op == "sext":
            return f"((_ sign_extend {term.width - args[0].width}) {self.names[args[0]]})"
        parts = [self.names[x] for x in args]
        if op == "ite":
            return f"(ite (= {parts[0]} #b1) {parts[1]} {parts[2]})"
        if op in _COMPARISONS:
            return f"(ite ({_COMPARISONS[op]} {parts[0]} {parts[1]}) #b1 #b0)"
        if op in _MANY:
            return _nested(_MANY[op], parts)
        return f"({_BINARY[op]} {' '.join(parts)})"

    def _sum(self, term: Term) -> str:
        start, pieces = term.args
        parts = [number(start, term.width)] if start else []
        for factor, piece in pieces:
            name = self.names[piece]
            if factor == 1:
                parts.append(name)
            elif factor == mask(term.width):
                parts.append(f"(bvneg {name})")
            else:
                parts.append(f"(bvmul {number(factor, term.width)} {name})")
        return _nested("bvadd", parts)


def _nested(word: str, parts: Iterable[str]) -> str:
    found = ""
    for part in parts:
        found = f"({word} {found} {part})" if found else part
    return found


def _sort(term: Term) -> str:
    return f"(_ BitVec {term.width})" if term.width else "(Array (_ BitVec 64) (_ BitVec 8))"
