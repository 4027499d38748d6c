"""What other command lines are tried, in which order, and what all of gcc's have in common.

Source: the gcc 12 manual ("Optimize Options", "x86 Options"). Which settings stayed was measured;
see docs/LOG.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = [
    "SETTINGS",
    "Setting",
    "contraction",
    "gcc_common",
]


@dataclass(frozen=True)
class Setting:
    """One command line to try.

    ``compiler`` is gcc (the user's own) or clang. A ``native`` setting is compiled with the wider
    ISA that the task allows and exists only where there is one; ``needs`` names a feature (as in
    :class:`gccllm.types.Isa`) without which the setting says nothing; ``profile`` asks for
    recorded branch counts.
    """

    compiler: str
    options: tuple[str, ...]
    native: bool = False
    needs: str = ""
    profile: bool = False


def _gcc(options: str, *, native: bool = False, needs: str = "", profile: bool = False) -> Setting:
    return Setting("gcc", tuple(options.split()), native, needs, profile)


def _clang(options: str, *, native: bool = False, needs: str = "") -> Setting:
    return Setting("clang", tuple(options.split()), native, needs)


SETTINGS: tuple[Setting, ...] = (
    _clang("-O3", native=True),
    _gcc("-O3 -funroll-loops", native=True),
    _clang("-O3"),
    _gcc("-O3", profile=True),
    _gcc("-O2 -fno-tree-vectorize -funroll-loops"),
    _gcc("-O3", native=True, profile=True),
    _gcc("-O3", native=True),
    _gcc("-O3 -funroll-loops"),
    _gcc("-O2", profile=True),
    _clang("-O2", native=True),
    _clang("-O3 -fno-vectorize -fno-slp-vectorize"),
    _clang("-O3 -fno-vectorize -fno-slp-vectorize", native=True),
    _clang("-O3 -mprefer-vector-width=128", native=True),
    # Intel tunings prefer 256 bits and get code of their own here; AMD's do not, and there the
    # first of these is code that we had before.
    _gcc("-O3 -mprefer-vector-width=512 -funroll-loops", native=True, needs="AVX512F"),
    _gcc("-O3 -mprefer-vector-width=256", native=True, needs="AVX512F"),
    _gcc("-Os"),
    _gcc("-O1"),
    _gcc("-O2"),
)
"""Best first, as measured. They stand behind the user's own options, so the last one wins."""

_MIXABLE = (
    # A caller may rely on what it has seen of a callee of its unit: on the registers it leaves
    # alone, on its parameters being constants or gone, on the stack alignment it needs. Functions
    # of two compilations can stand side by side only where neither does.
    "-fno-ipa-ra",
    "-fno-ipa-sra",
    "-fno-ipa-cp",
    "-fno-ipa-stack-alignment",
    # identical functions must keep bodies of their own
    "-fno-ipa-icf",
)
_QUIET = ("-g0", "-w", "-fno-verbose-asm", "-fno-ident")


def gcc_common(macros: Mapping[str, str]) -> tuple[str, ...]:
    """Options behind those of every gcc setting. ``macros`` are those of the user's own options."""
    return (*_MIXABLE, *_QUIET, *contraction(macros))


def contraction(macros: Mapping[str, str]) -> tuple[str, ...]:
    """How multiply-add may be fused, as an option for gcc; nothing leaves it at gcc's default.

    Fused it rounds once where a*b+c rounds twice. A baseline without FMA never
    fuses, so no variant may; with FMA in the user's own ISA gcc's default holds for all."""
    return () if "__FMA__" in macros or "__FMA4__" in macros else ("-ffp-contract=off",)
