"""clang as a second opinion on what gcc compiled: which one, with which options, from what text.

Sources: clang 19's ``--help`` and "Clang Compiler User's Manual"; glibc 2.36's sys/cdefs.h and
bits/floatn-common.h for what its headers say to gcc alone.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from gccllm.proposers.settings import contraction

__all__ = ["clang_features", "clang_keeps", "clang_language", "clang_source", "find_clang"]

CLANG_VERSIONS = range(30, 10, -1)


@lru_cache(maxsize=1)
def find_clang() -> str | None:
    """Path of the newest clang on PATH (clang-30 … clang-11, then clang), or None."""
    names = [*(f"clang-{version}" for version in CLANG_VERSIONS), "clang"]
    return next(filter(None, map(shutil.which, names)), None)


_MALLOC_PAIR = re.compile(r"\b__malloc__\s*\((?:[^()]|\([^()]*\))*\)")
_FLOATS = (
    "typedef float _Float32; typedef double _Float64; typedef double _Float32x; "
    "typedef long double _Float64x; typedef __float128 _Float128;\n"
)


_MARKER = re.compile(r'# \d+ "([^"]*)"((?: \d)*)')
_INTRINSICS = re.compile(r"/lib/gcc[^/]*/.*/((?:\w*intrin|mm_malloc|mm3dnow)\.h)")
_INCLUDE = "#include <"
# Its own copy would bring stdlib.h, which the text has already.
_NO_MM_MALLOC = "-D__MM_MALLOC_H"


def clang_source(preprocessed: str) -> str:
    """Text that gcc preprocessed, as clang can read it; :func:`clang_language` says how.

    The headers of glibc, asked by gcc, name deallocators in ``__malloc__`` attributes and use
    gcc's _FloatN keywords. gcc's headers of intrinsics use builtins that only gcc has: clang's own
    are included in their place. What else only gcc understands makes clang fail, which is no harm.
    """
    text = _MALLOC_PAIR.sub("__malloc__", preprocessed)
    if _INTRINSICS.search(text):
        text = "\n".join(_with_own_intrinsics(text.split("\n")))
    return _FLOATS + text if "_Float" in text else text


def clang_language(source: str) -> tuple[str, ...]:
    """The options with which clang reads what :func:`clang_source` made."""
    if source.startswith(_INCLUDE) or f"\n{_INCLUDE}" in source:
        return ("-x", "c", _NO_MM_MALLOC)
    return ("-x", "cpp-output")


def _with_own_intrinsics(lines: Iterable[str]) -> Iterator[str]:
    """An include in the place of each header of intrinsics; what others it includes say stays.
    Line markers go: clang's would have to match."""
    inside: list[bool] = [False]
    for line in lines:
        marker = _MARKER.fullmatch(line)
        if marker is None:
            if not inside[-1]:
                yield line
            continue
        header = _INTRINSICS.search(marker.group(1))
        flags = marker.group(2).split()
        if "1" in flags:
            if header is not None and not any(inside):
                yield f"{_INCLUDE}{header.group(1)}>"
            inside.append(header is not None)
        elif "2" in flags and len(inside) > 1:
            inside.pop()


_CLANG_KEEPS = re.compile(
    r"-std=.*|-ansi|-m(64|32|x32)|-mcmodel=.*|-m(no-)?red-zone|-mgeneral-regs-only"
    r"|-fwrapv|-fno-wrapv|-ftrapv"
    r"|-f(no-)?(strict-aliasing|strict-overflow|delete-null-pointer-checks|signed-char"
    r"|unsigned-char|short-enums|short-wchar|builtin.*|common|plt|math-errno|fast-math|signed-zeros"
    r"|trapping-math|rounding-math|associative-math|reciprocal-math|finite-math-only"
    r"|unsafe-math-optimizations|exceptions|omit-frame-pointer|semantic-interposition"
    r"|function-sections|data-sections|asynchronous-unwind-tables|unwind-tables"
    r"|stack-clash-protection|gnu89-inline|ms-extensions|strict-return|jump-tables"
    r"|zero-initialized-in-bss)"
    r"|-ffp-contract=.*|-fvisibility=.*|-ftls-model=.*|-fpack-struct(=.*)?|-ffreestanding|-fhosted"
    r"|-fzero-call-used-regs=.*|-ftrivial-auto-var-init=.*|-fexcess-precision=.*"
    r"|-m(long-double-(64|80|128)|stackrealign)"
)
# Options that change what a program means and that clang can't be told.
_CLANG_LACKS = re.compile(
    r"-f(wide-)?exec-charset=.*|-fnon-call-exceptions|-fsignaling-nans|-finstrument-functions.*"
    r"|-mabi=.*|-fplugin.*|-fcall-(used|saved)-.*|-ffixed-.*|-fleading-underscore"
    r"|-fsingle-precision-constant|-ffloat-store|-mfpmath=387|-mregparm=.*|-m(no-)?80387"
)


def clang_keeps(options: Sequence[str], macros: Mapping[str, str]) -> tuple[str, ...] | None:
    """The user's options as clang takes them, or None where they mean something it can't do.

    Kept are those that say what the program means; tuning is left to clang. What gcc is configured
    to switch on by itself (PIE, stack protector, CET) is read off its macros.
    """
    if any(_CLANG_LACKS.fullmatch(x) for x in options):
        return None
    kept = [x for x in options if _CLANG_KEEPS.fullmatch(x)]
    kept += _code_model(macros)
    if not any(x.startswith("-ffp-contract=") for x in kept):
        kept += contraction(macros) or ("-ffp-contract=fast",)
    return (*kept, *_CLANG_QUIET)


_CLANG_QUIET = (
    "-Qunused-arguments",
    "-w",
    "-g0",
    "-fno-addrsig",
    "-fno-ident",
    "-fno-verbose-asm",
    "-fno-discard-value-names",
)

_PROTECTORS = (
    ("__SSP_ALL__", "-fstack-protector-all"),
    ("__SSP_STRONG__", "-fstack-protector-strong"),
    ("__SSP__", "-fstack-protector"),
)
_CET = {"1": "branch", "2": "return", "3": "full"}


def _code_model(macros: Mapping[str, str]) -> list[str]:
    pic, pie = macros.get("__pic__", ""), macros.get("__pie__", "")
    if pie:
        options = ["-fPIE" if pie == "2" else "-fpie"]
    elif pic:
        options = ["-fPIC" if pic == "2" else "-fpic"]
    else:
        options = ["-fno-pic", "-fno-pie"]
    protector = (option for macro, option in _PROTECTORS if macro in macros)
    options.append(next(protector, "-fno-stack-protector"))
    options.append(f"-fcf-protection={_CET.get(macros.get('__CET__', ''), 'none')}")
    return options


# Features that compilers use on their own in plain C. Names are gcc's macros.
_CLANG_FEATURES = {
    "SSE3": "sse3",
    "SSSE3": "ssse3",
    "SSE4_1": "sse4.1",
    "SSE4_2": "sse4.2",
    "POPCNT": "popcnt",
    "LZCNT": "lzcnt",
    "BMI": "bmi",
    "BMI2": "bmi2",
    "MOVBE": "movbe",
    "F16C": "f16c",
    "FMA": "fma",
    "AVX": "avx",
    "AVX2": "avx2",
    "AVX512F": "avx512f",
    "AVX512CD": "avx512cd",
    "AVX512BW": "avx512bw",
    "AVX512DQ": "avx512dq",
    "AVX512VL": "avx512vl",
    "AVX512VBMI": "avx512vbmi",
    "AVX512VBMI2": "avx512vbmi2",
    "AVX512VNNI": "avx512vnni",
    "AVX512BITALG": "avx512bitalg",
    "AVX512VPOPCNTDQ": "avx512vpopcntdq",
    "AVX512IFMA": "avx512ifma",
    "AVXVNNI": "avxvnni",
    "GFNI": "gfni",
}


def clang_features(features: Iterable[str]) -> tuple[str, ...]:
    """clang's -m options for gcc's feature names. Feature by feature, because clang's idea of
    ``native`` may hold more than the object gate, which knows gcc's, lets through."""
    have = set(features)
    return tuple(f"-m{flag}" for name, flag in _CLANG_FEATURES.items() if name in have)
