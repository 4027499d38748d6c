"""Assembly that asks the processor what it has, once, and remembers the answer in a byte.

A feature counts when cpuid names it and the operating system keeps the registers that it needs
(xgetbv). Sources: Intel SDM volume 2A, 'CPUID', and volume 1, 14.3 'Detection of Intel AVX'; AMD
APM volume 3, appendix E; gcc's common/config/i386/cpuinfo.h.

Nobody has to call it early: an unset byte means that gcc's version runs, after the question was
put. Two threads that ask at once store the same byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

__all__ = ["CHECKABLE", "HAS", "HAS_NOT", "answer", "question"]

HAS_NOT, HAS = 1, 2
"""what the byte says; 0 is that nobody asked yet"""
LINE = 64
"""bytes of a cache line, which the byte shares with nothing that is written to"""
_AVX_STATE, _AVX512_STATE = 0x6, 0xE6
"""XCR0: which registers the system saves"""
_LEAVES: Mapping[tuple[int, int], str] = {
    (1, 0): "ecx: SSE3 0 PCLMUL 1 SSSE3 9 FMA 12 SSE4_1 19 SSE4_2 20 MOVBE 22 POPCNT 23 AES 25"
    " OSXSAVE 27 AVX 28 F16C 29",
    (7, 0): "ebx: BMI 3 AVX2 5 BMI2 8 AVX512F 16 AVX512DQ 17 ADX 19 AVX512IFMA 21 AVX512CD 28"
    " SHA 29 AVX512BW 30 AVX512VL 31"
    " ecx: PREFETCHWT1 0 AVX512VBMI 1 AVX512VBMI2 6 GFNI 8 VAES 9 VPCLMULQDQ 10 AVX512VNNI 11"
    " AVX512BITALG 12 AVX512VPOPCNTDQ 14"
    " edx: AVX512VP2INTERSECT 8 AVX512FP16 23",
    (7, 1): "eax: SHA512 0 SM3 1 SM4 2 AVXVNNI 4 AVX512BF16 5 CMPCCXADD 7 AVXIFMA 23"
    " edx: AVXVNNIINT8 4 AVXNECONVERT 5 AVXVNNIINT16 10",
    (0x80000001, 0): "ecx: LAHF_SAHF 0 LZCNT 5 SSE4A 6 PRFCHW 8 XOP 11 FMA4 16 TBM 21",
}
_VEX = frozenset(
    "AVX AVX2 F16C FMA FMA4 XOP VAES VPCLMULQDQ AVXVNNI AVXIFMA AVXVNNIINT8 AVXVNNIINT16"
    " AVXNECONVERT SHA512 SM3 SM4".split()
)
_SAVED = ("rax", "rbx", "rcx", "rdx", "rsi")


@dataclass(frozen=True)
class _Place:
    leaf: tuple[int, int]
    register: str
    bit: int


def _places() -> dict[str, _Place]:
    found: dict[str, _Place] = {}
    for leaf, text in _LEAVES.items():
        register, words = "", iter(text.split())
        for word in words:
            if word.endswith(":"):
                register = word[:-1]
            else:
                found[word] = _Place(leaf, register, int(next(words)))
    return found


_PLACES = _places()
CHECKABLE: frozenset[str] = frozenset(_PLACES) - {"OSXSAVE"}
"""Features, by gcc's macro without underscores, that can be asked for. AMX is not among them: its
registers need a system call first."""


def answer(flag: str) -> list[str]:
    """The byte that holds the answer."""
    head = ["\t.bss", f"\t.balign\t{LINE}", f"\t.type\t{flag}, @object", f"\t.size\t{flag}, 1"]
    return [*head, f"{flag}:", f"\t.zero\t{LINE}"]


def question(name: str, flag: str, features: frozenset[str], *, cfi: bool) -> list[str]:
    """The function ``name``: sets ``flag`` to HAS where the processor has all of ``features`` (a
    part of CHECKABLE), else to HAS_NOT. It keeps all registers but the flags, so that it can be
    called at the entry of any function. ``cfi``: the unit has unwind tables."""
    no = f".L{name}.no"
    lines = [
        '\t.section\t.text.unlikely,"ax",@progbits',
        "\t.p2align\t4",
        f"\t.type\t{name}, @function",
        f"{name}:",
        "\t.cfi_startproc",
    ]
    for register in _SAVED:
        lines += [f"\tpushq\t%{register}", "\t.cfi_adjust_cfa_offset\t8"]
        lines += ["\t.cfi_rel_offset\t3, 0"] if register == "rbx" else []
    lines.append(f"\tmovl\t${HAS_NOT}, %esi")
    lines += _asking(features, no)
    lines += [f"\tmovl\t${HAS}, %esi", f"{no}:", f"\tmovb\t%sil, {flag}(%rip)"]
    for register in reversed(_SAVED):
        lines += [f"\tpopq\t%{register}", "\t.cfi_adjust_cfa_offset\t-8"]
        lines += ["\t.cfi_restore\t3"] if register == "rbx" else []
    lines += ["\tret", "\t.cfi_endproc", f"\t.size\t{name}, .-{name}"]
    return [x for x in lines if cfi or not x.startswith("\t.cfi_")]


def _asking(features: frozenset[str], no: str) -> Iterator[str]:
    """Goes to ``no`` at the first thing that is missing."""
    state = _AVX_STATE if features & _VEX else 0
    if any(x.startswith("AVX512") for x in features):
        state = _AVX512_STATE
    asked = features | ({"OSXSAVE"} if state else frozenset())
    wanted: dict[tuple[int, int], dict[str, int]] = {}
    for name in sorted(asked):
        place = _PLACES[name]
        masks = wanted.setdefault(place.leaf, {})
        masks[place.register] = masks.get(place.register, 0) | 1 << place.bit
    if any(leaf == 7 for leaf, _ in wanted):
        # Beyond the last leaf some processors answer as if they were asked for the last one.
        yield from ("\txorl\t%eax, %eax", "\tcpuid", "\tcmpl\t$7, %eax", f"\tjb\t{no}")
    if (7, 1) in wanted:
        yield from _cpuid(7, 0)
        yield from ("\ttestl\t%eax, %eax", f"\tje\t{no}")
    for (leaf, part), masks in sorted(wanted.items()):
        yield from _cpuid(leaf, part)
        for register, mask in sorted(masks.items()):
            yield from _all_of(register, mask, no)
        if leaf == 1 and state:
            # OSXSAVE was among them: without it xgetbv is no instruction.
            yield from ("\txorl\t%ecx, %ecx", "\txgetbv")
            yield from _all_of("eax", state, no)


def _cpuid(leaf: int, part: int) -> tuple[str, ...]:
    return (f"\tmovl\t${leaf:#x}, %eax", f"\tmovl\t${part}, %ecx", "\tcpuid")


def _all_of(register: str, mask: int, no: str) -> tuple[str, ...]:
    return (f"\tnotl\t%{register}", f"\ttestl\t${mask:#x}, %{register}", f"\tjne\t{no}")
