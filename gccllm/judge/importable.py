"""Which functions a candidate may call that its baseline's unit does not import.

Compilers call functions of their own accord, put one in another's place (printf with a plain text
becomes puts), and inline one where another variant calls it (floor, getchar). None of that gives a
unit a power that it did not have.
"""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["importable"]

_ALWAYS = frozenset(
    # What gcc calls whatever the source says (gcc manual, 'Standards'); what as adds by itself.
    "memcpy memset memmove memcmp strlen __stack_chk_fail _GLOBAL_OFFSET_TABLE_"
    # Functions of memory that is at hand anyway.
    " strcpy stpcpy strcat strncat strncpy stpncpy strchr strrchr strchrnul strcmp strncmp strcspn"
    " strspn strpbrk strstr strnlen memchr memrchr mempcpy rawmemchr bcmp"
    " __memcpy_chk __memset_chk __memmove_chk __mempcpy_chk __strcpy_chk __stpcpy_chk"
    " __strncpy_chk __strcat_chk __strncat_chk"
    # Arithmetic of libgcc.
    " __udivti3 __divti3 __umodti3 __modti3 __udivmodti4 __divmodti4 __multi3 __popcountdi2"
    " __mulsc3 __muldc3 __mulxc3 __divsc3 __divdc3 __divxc3 __powisf2 __powidf2 __powixf2"
    " __floattisf __floattidf __floatuntisf __floatuntidf __fixsfti __fixdfti __fixunssfti"
    " __fixunsdfti".split()
)
_MATHEMATICS = frozenset(
    "acos asin atan atan2 cbrt ceil copysign cos cosh exp exp2 exp10 expm1 fabs fdim floor fma"
    " fmax fmin fmod hypot ldexp llrint llround log log10 log1p log2 logb lrint lround modf"
    " nearbyint pow remainder rint round roundeven scalbn sin sincos sinh sqrt tan tanh trunc cexp"
    " cexpi abs labs llabs".split()
)
_MATHEMATICS_ALL = frozenset(name + suffix for name in _MATHEMATICS for suffix in ("", "f", "l"))
_FAMILIES = tuple(
    frozenset(names.split())
    for names in (
        "printf fprintf __printf_chk __fprintf_chk puts putchar putc fputc fputs fwrite"
        " putchar_unlocked fputc_unlocked fputs_unlocked fwrite_unlocked",
        "getc getchar fgetc getc_unlocked getchar_unlocked fgetc_unlocked __uflow",
        "sprintf snprintf __sprintf_chk __snprintf_chk",
        "atoi atol atoll strtol strtoll __isoc23_strtol __isoc23_strtoll",
        "atof strtod",
        "toupper __ctype_toupper_loc",
        "tolower __ctype_tolower_loc",
        "isalnum isalpha isblank iscntrl isdigit isgraph islower isprint ispunct isspace isupper"
        " isxdigit __ctype_b_loc",
        "malloc calloc",
        "stdin stdout stderr",
    )
)
"""Functions that compilers and C headers make of one another: who has one may have the others."""
_CALLS = frozenset().union(*_FAMILIES) | {"abort"}


def importable(unit_imports: Collection[str], program_imports: frozenset[str]) -> frozenset[str]:
    """The names beside ``unit_imports`` that a candidate for that unit may import.

    A function with effects counts only if the unit imports one of its family, or the program
    imports the function itself.
    """
    allowed = _ALWAYS | _MATHEMATICS_ALL | (_CALLS & program_imports)
    for family in _FAMILIES:
        if not family.isdisjoint(unit_imports):
            allowed |= family
            # puts(text) and fputs(text, stdout) are one thing to a compiler.
            if family & {"putc", "getc"}:
                allowed |= {"stdin", "stdout"}
    return allowed
