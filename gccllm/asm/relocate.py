"""Relocation forms: a spliced instruction refers to a symbol in the way that the base does."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gccllm.asm.bind import HELPFUL_EXTERNALS, Refused
from gccllm.asm.lines import split_statement
from gccllm.asm.model import Unit, reference_forms

__all__ = ["Relocator"]

_GOT_LOAD = re.compile(r"^(\s*)movq?(\s+)([\w.$]+)@GOTPCREL(\(%rip\),\s*%r\w+)\s*$")


class Relocator:
    """Puts @PLT and @GOTPCREL right for one base unit."""

    def __init__(self, base: Unit) -> None:
        self._base = base
        self._absolute = any("absolute" in forms for forms in base.references.values())
        self._uses_plt = any("@PLT" in forms for forms in base.references.values())

    def adjust(self, line: str, renamed: Mapping[str, str]) -> str:
        """One instruction, already renamed; ``renamed`` holds its symbols' new names.

        Raises Refused where a form that the base can't have can't be turned into one that it has.
        """
        head, operands = split_statement(line)
        branch = head.split()[-1].startswith(("j", "call", "xbegin")) if head.split() else False
        for symbol, form in reference_forms(line):
            if symbol.startswith(".L") or symbol not in renamed.values():
                if form == "absolute" and not self._absolute:
                    raise Refused("relocation-kind", f"absolute address: {line.strip()}")
                continue
            known = self._base.references.get(symbol, frozenset())
            ours = self._base.defines(symbol)
            exported = symbol in self._base.globals
            if branch and form in ("", "@PLT") and "*" not in operands:
                plt = self._through_plt(symbol, known, ours, exported)
                bare = symbol + form
                line = re.sub(
                    re.escape(bare) + r"(?![\w.$@])", symbol + ("@PLT" if plt else ""), line
                )
            elif (
                form == "@GOTPCREL"
                and (not known or "" in known)
                and not (exported and self._base.interposable)
            ):
                if ours or "" in known:
                    line = _GOT_LOAD.sub(r"\1leaq\2\3\4", line)
            elif form == "":
                preemptible = exported and ours and self._base.interposable
                if "" not in known and ("@GOTPCREL" in known or preemptible):
                    raise Refused("relocation-kind", f"{symbol} is reached through the GOT")
            elif form == "absolute" and not self._absolute:
                raise Refused("relocation-kind", f"absolute address: {line.strip()}")
        return line

    def _through_plt(self, symbol: str, known: frozenset[str], ours: bool, exported: bool) -> bool:
        if "@PLT" in known:
            return True
        if "" in known or (ours and not exported):
            return False
        if ours:
            return self._base.interposable
        if symbol in HELPFUL_EXTERNALS or known:
            return self._uses_plt or not known
        return False
