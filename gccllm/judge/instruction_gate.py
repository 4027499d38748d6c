"""Which instructions a text section may hold, decided on the encoded bytes.

A section is decoded once from its start (iced-x86 finds the same boundaries as objdump; bytes that
are no instruction are a finding). What can be said of an instruction's form is worked out once for
each form and kept, so that ordinary code costs little more than its decoding.

A list of instructions is advice, not a wall: an indirect jump can land inside an immediate, where
other instructions hide. What those could do is stopped by the seccomp filter of the sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from iced_x86 import (
    CpuidFeature,
    Decoder,
    FlowControl,
    Instruction,
    InstructionInfoFactory,
    Mnemonic,
    OpAccess,
    OpCodeOperandKind,
    Register,
)

__all__ = ["FEATURES", "CodeMap", "Place", "read_code"]

CANARY_OFFSET = 0x28
"""Where x86-64 Linux keeps the stack protector's value, relative to fs (gcc, -mstack-protector)."""

FEATURES: Mapping[str, str] = {
    "ADX": "ADX",
    "AES": "AES",
    "AMX_BF16": "AMX_BF16",
    "AMX_INT8": "AMX_INT8",
    "AMX_TILE": "AMX_TILE",
    "AVX": "AVX",
    "AVX2": "AVX2",
    "AVX512_4FMAPS": "AVX5124FMAPS",
    "AVX512_4VNNIW": "AVX5124VNNIW",
    "AVX512_BF16": "AVX512BF16",
    "AVX512_BITALG": "AVX512BITALG",
    "AVX512_FP16": "AVX512FP16",
    "AVX512_IFMA": "AVX512IFMA",
    "AVX512_VBMI": "AVX512VBMI",
    "AVX512_VBMI2": "AVX512VBMI2",
    "AVX512_VNNI": "AVX512VNNI",
    "AVX512_VP2INTERSECT": "AVX512VP2INTERSECT",
    "AVX512_VPOPCNTDQ": "AVX512VPOPCNTDQ",
    "AVX512BW": "AVX512BW",
    "AVX512CD": "AVX512CD",
    "AVX512DQ": "AVX512DQ",
    "AVX512ER": "AVX512ER",
    "AVX512F": "AVX512F",
    "AVX512PF": "AVX512PF",
    "AVX512VL": "AVX512VL",
    "AVX_IFMA": "AVXIFMA",
    "AVX_NE_CONVERT": "AVXNECONVERT",
    "AVX_VNNI": "AVXVNNI",
    "AVX_VNNI_INT8": "AVXVNNIINT8",
    "AVX_VNNI_INT16": "AVXVNNIINT16",
    "BMI1": "BMI",
    "BMI2": "BMI2",
    "CMPCCXADD": "CMPCCXADD",
    "F16C": "F16C",
    "FMA": "FMA",
    "FMA4": "FMA4",
    "GFNI": "GFNI",
    "LZCNT": "LZCNT",
    "MOVBE": "MOVBE",
    "PCLMULQDQ": "PCLMUL",
    "POPCNT": "POPCNT",
    "PREFETCHW": "PRFCHW",
    "PREFETCHWT1": "PREFETCHWT1",
    "SHA": "SHA",
    "SHA512": "SHA512",
    "SM3": "SM3",
    "SM4": "SM4",
    "SSE3": "SSE3",
    "SSE4_1": "SSE4_1",
    "SSE4_2": "SSE4_2",
    "SSE4A": "SSE4A",
    "SSSE3": "SSSE3",
    "TBM": "TBM",
    "VAES": "VAES",
    "VPCLMULQDQ": "VPCLMULQDQ",
    "XOP": "XOP",
}
"""iced-x86's name of a CPU feature → gcc's feature macro without underscores. A feature that stands
neither here nor in every x86-64 processor is refused."""

_EVERY_X86_64 = frozenset(
    "INTEL8086 INTEL186 INTEL286 INTEL386 INTEL486 X64 FPU FPU287 FPU387 CMOV CX8 MMX SSE SSE2"
    " MULTIBYTENOP PAUSE CET_IBT".split()
)
_EXTRA_NEEDS = {"LAHF": "LAHF_SAHF", "SAHF": "LAHF_SAHF"}
# iced-x86's feature → rule, for instructions that no optimisation has a use for.
_BANNED_FEATURES = {
    **dict.fromkeys("SYSCALL SEP UINTR".split(), "system-call"),
    **dict.fromkeys("TSC RDTSCP RDPMC RDPRU".split(), "clock"),
    **dict.fromkeys("CPUID RDPID".split(), "cpu-probe"),
    **dict.fromkeys("RDRAND RDSEED PADLOCK_RNG".split(), "random"),
    **dict.fromkeys("FSGSBASE LKGS".split(), "segment"),
    **dict.fromkeys("RTM HLE HLE_OR_RTM TSXLDTRK".split(), "transaction"),
    **dict.fromkeys(
        "XSAVE XSAVEC XSAVEOPT XSAVES FXSR PKU OSPKE CET_SS".split(), "processor-state"
    ),
    **dict.fromkeys(
        "CLFSH CLFLUSHOPT CLWB CLZERO CLDEMOTE PCOMMIT MOVDIRI MOVDIR64B ENQCMD".split(),
        "cache-control",
    ),
    **dict.fromkeys("MONITOR MONITORX WAITPKG".split(), "waiting"),
}
_BANNED_MNEMONICS = {
    **dict.fromkeys("INT INTO IRET IRETD IRETQ RETF RETFQ INT1".split(), "system-call"),
    **dict.fromkeys("SGDT SIDT SLDT STR SMSW LAR LSL VERR VERW".split(), "cpu-probe"),
    **dict.fromkeys("LDS LES LFS LGS LSS".split(), "segment"),
    **dict.fromkeys(
        "LDMXCSR VLDMXCSR FLDCW FLDENV FRSTOR FNSAVE FNINIT FXSAVE FXRSTOR".split(),
        "processor-state",
    ),
    **dict.fromkeys("STD POPF POPFD POPFQ PUSHF PUSHFD PUSHFQ".split(), "flags"),
    **dict.fromkeys("ENTER".split(), "stack-frame"),
    **dict.fromkeys("INT3".split(), "trap"),
    **dict.fromkeys("XABORT XBEGIN XEND XTEST".split(), "transaction"),
    **dict.fromkeys("HLT IN OUT INSB INSW INSD OUTSB OUTSW OUTSD CLI STI".split(), "privileged"),
}


def _names(table: object) -> dict[int, str]:
    return {value: name for name, value in vars(table).items() if isinstance(value, int)}


_FEATURE_NAMES = _names(CpuidFeature)
_MNEMONIC_NAMES = _names(Mnemonic)
_SEGMENT_KINDS = frozenset(
    getattr(OpCodeOperandKind, name) for name in ("SEG_REG", "ES", "CS", "SS", "DS", "FS", "GS")
)
_THREAD_SEGMENTS = (int(Register.FS), int(Register.GS))
_NEAR_BRANCHES = frozenset(
    (FlowControl.UNCONDITIONAL_BRANCH, FlowControl.CONDITIONAL_BRANCH, FlowControl.CALL)
)
_WRITES = frozenset(
    (OpAccess.WRITE, OpAccess.COND_WRITE, OpAccess.READ_WRITE, OpAccess.READ_COND_WRITE)
)


@dataclass(frozen=True)
class _Form:
    """What holds for every instruction of one encoding form (iced-x86's Code)."""

    mnemonic: str
    banned: str
    needs: frozenset[str]
    near_branch: bool


@dataclass(frozen=True)
class Place:
    """An instruction that a rule speaks about, by its offset in the section."""

    rule: str
    offset: int
    detail: str
    needs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class CodeMap:
    """A decoded section: where each instruction starts → where the next one does, the places that
    rules object to whatever the target, those that need CPU features, and the near branches
    (offset, target) whose target the section itself decides."""

    starts: Mapping[int, int]
    objections: tuple[Place, ...]
    features: tuple[Place, ...]
    branches: tuple[tuple[int, int], ...]

    def covering(self, offset: int) -> int | None:
        """Where the instruction that holds the byte at ``offset`` starts; at most 15 bytes back."""
        for start in range(offset, max(offset - 15, -1), -1):
            if start in self.starts:
                return start if self.starts[start] > offset else None
        return None


def read_code(code: bytes, patched: Mapping[int, bool], thread_local: bool) -> CodeMap:
    """Decode a text section.

    ``patched`` maps the offsets of its relocations to whether they are thread-local ones;
    ``thread_local`` says whether the unit may reach thread-local memory at all.
    """
    starts: dict[int, int] = {}
    objections: list[Place] = []
    features: list[Place] = []
    branches: list[tuple[int, int]] = []
    for one in Decoder(64, code, ip=0):
        offset, end = one.ip, one.next_ip
        starts[offset] = end
        if one.is_invalid:
            objections.append(Place("undecodable", offset, code[offset : offset + 4].hex(" ")))
            continue
        form = _form(one)
        if form.banned:
            objections.append(Place(form.banned, offset, form.mnemonic))
        if form.needs:
            features.append(Place("cpu-feature", offset, form.mnemonic, form.needs))
        if form.near_branch and not _is_patched(patched, offset, end):
            branches.append((offset, one.near_branch_target))
        if int(one.segment_prefix) in _THREAD_SEGMENTS:
            objections.extend(_segment_access(one, patched, thread_local))
        elif one.has_xacquire_prefix or one.has_xrelease_prefix:
            objections.append(Place("transaction", offset, form.mnemonic))
    return CodeMap(starts, tuple(objections), tuple(features), tuple(branches))


def _is_patched(patched: Mapping[int, bool], offset: int, end: int) -> bool:
    return bool(patched) and any(place in patched for place in range(offset, end))


def _segment_access(
    one: Instruction, patched: Mapping[int, bool], thread_local: bool
) -> list[Place]:
    """fs:0x28 may be read; thread-local memory used where the unit has some; gs never."""
    detail = str(one)
    if int(one.segment_prefix) == int(Register.GS):
        return [Place("segment", one.ip, detail)]
    absolute = not int(one.memory_base) and not int(one.memory_index)
    relocated = any(patched.get(place, False) for place in range(one.ip, one.next_ip))
    if relocated:
        return []
    if absolute and one.memory_displacement == CANARY_OFFSET:
        used = InstructionInfoFactory().info(one).used_memory()
        if any(memory.access in _WRITES for memory in used):
            return [Place("thread-area", one.ip, detail)]
        return []
    if not thread_local or (absolute and one.memory_displacement != 0):
        return [Place("thread-area", one.ip, detail)]
    return []


_forms: dict[int, _Form] = {}
"""Forms met so far, by iced-x86's code: at most its few thousand codes."""


def _form(one: Instruction) -> _Form:
    code = int(one.code)
    if code not in _forms:
        _forms[code] = _study(one)
    return _forms[code]


def _study(one: Instruction) -> _Form:
    mnemonic = _MNEMONIC_NAMES[one.mnemonic]
    features = {_FEATURE_NAMES[found] for found in one.cpuid_features()}
    banned = _BANNED_MNEMONICS.get(mnemonic, "")
    if not banned:
        banned = next((_BANNED_FEATURES[x] for x in sorted(features) if x in _BANNED_FEATURES), "")
    if not banned and _SEGMENT_KINDS.intersection(one.op_code().op_kinds()):
        banned = "segment"
    if not banned and one.is_privileged:
        banned = "privileged"
    far = one.is_call_far or one.is_jmp_far or one.is_call_far_indirect or one.is_jmp_far_indirect
    if not banned and far:
        banned = "system-call"
    needs = {FEATURES.get(found, found) for found in features - _EVERY_X86_64}
    if mnemonic in _EXTRA_NEEDS:
        needs.add(_EXTRA_NEEDS[mnemonic])
    return _Form(
        mnemonic=mnemonic.lower(),
        banned=banned,
        needs=frozenset() if banned else frozenset(needs),
        near_branch=one.flow_control in _NEAR_BRANCHES and not banned,
    )
