"""Division by a constant, whichever way the compiler wrote it, in one form.

Compilers divide by a constant by multiplying with a reciprocal and shifting. That such a product is
a quotient follows from the numbers alone (Granlund and Montgomery, "Division by Invariant Integers
using Multiplication", 1994, theorems 4.2 and 5.1), so it is turned into the quotient here, where a
solver would have to compare a multiplier circuit with a divider.
"""

from __future__ import annotations

from gccllm.assurance.proof.node import Term, signed

__all__ = ["signed_quotient", "unsigned_quotient", "zero_bits"]


def zero_bits(term: Term) -> int:
    """How many of the highest bits are known to be zero."""
    if term.op == "const":
        return term.width - int(term.value).bit_length()
    if term.op == "concat":
        first = term.args[0]
        if first.is_const:
            known = zero_bits(first)
            return known if known < first.width else known + _rest(term)
    return 0


def _rest(term: Term) -> int:
    return zero_bits(term.args[1]) if len(term.args) > 1 else 0


def _product(term: Term) -> tuple[int, Term] | None:
    """(factor, x) of a sum that is one product."""
    if term.op == "sum" and term.args[0] == 0 and len(term.args[1]) == 1:
        ((factor, x),) = term.args[1]
        return factor, x
    return None


def unsigned_quotient(term: Term, shift: int) -> tuple[Term, int, int] | None:
    """(x, bits, d) where ``term`` >> ``shift`` is x / d for all x below 2**bits: x is zero above
    ``bits``."""
    found = _product(term)
    if found is None or shift == 0:
        return None
    factor, x = found
    bits = x.width - zero_bits(x)
    if bits == 0 or bits == x.width or factor & (factor - 1) == 0:
        return None
    if factor * ((1 << bits) - 1) >> term.width:
        return None
    divisor = -(-(1 << shift) // factor)
    excess = factor * divisor - (1 << shift)
    if divisor < 2 or divisor >> bits or excess << bits > 1 << shift:
        return None
    return x, bits, divisor


def signed_quotient(term: Term, shift: int) -> tuple[Term, int] | None:
    """(x, d) where ``term`` shifted right arithmetically is x / d, towards zero, less one where x
    is negative; x is the narrow term that is sign extended in ``term``."""
    found = _product(term)
    if found is None or shift == 0 or found[1].op != "sext":
        return None
    factor, x = found[0], found[1].args[0]
    assert isinstance(x, Term)
    bits = x.width
    if bits < 2 or factor & (factor - 1) == 0 or signed(factor, term.width) < 0:
        return None
    if factor << (bits - 1) > 1 << (term.width - 1) or shift < bits - 1:
        return None
    divisor = -(-(1 << shift) // factor)
    excess = factor * divisor - (1 << shift)
    if divisor < 2 or divisor >> (bits - 1) or excess == 0 or excess > 1 << (shift - bits + 1):
        return None
    return x, divisor
