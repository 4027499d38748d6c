"""Memory as terms: an array of bytes, with loads resolved where addresses tell."""

from __future__ import annotations

from gccllm.assurance.proof.bits import concat, extract, ite
from gccllm.assurance.proof.node import Term, const, make
from gccllm.assurance.proof.sums import add, difference

__all__ = ["load", "select", "store"]


def select(memory: Term, address: Term) -> Term:
    """The byte at ``address``; stores that certainly lie elsewhere are passed over."""
    while memory.op == "store":
        apart = difference(memory.args[1], address)
        if apart == 0:
            found = memory.args[2]
            assert isinstance(found, Term)
            return found
        if apart is None:
            break
        memory = memory.args[0]
    if memory.op == "ite":
        first, second = (select(x, address) for x in memory.args[1:])
        return ite(memory.args[0], first, second)
    return make("select", 8, memory, address)


def load(memory: Term, address: Term, size: int) -> Term:
    """``size`` bytes, little-endian."""
    return concat(*(select(memory, add(address, const(i, 64))) for i in reversed(range(size))))


def store(memory: Term, address: Term, value: Term) -> Term:
    for i in range(value.width // 8):
        at = add(address, const(i, 64))
        byte = extract(value, 8 * i + 7, 8 * i)
        if memory.op == "store" and memory.args[1] is at:
            memory = memory.args[0]
        memory = make("store", 0, memory, at, byte)
    return memory
