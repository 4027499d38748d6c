"""C text around one function: a program that reads a case from stdin and prints a checksum.

A case is one line of unsigned numbers: calls, seed, length, fill, and for each parameter that is a
number the way in which its values are drawn. The program draws :data:`TUPLES` tuples of arguments
from that, calls the function again and again over them, and prints one hash of all results and of
the arrays that it may write to. The same case gives the same arguments on every machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from gccllm.families.base import SlowForm

__all__ = ["MOST_LENGTH", "TUPLES", "Draw", "Fill", "Parameter", "Signature", "program_of"]

TUPLES = 1 << 14
"""different tuples of arguments of one case: with a few hundred, branch predictors learn all"""
MOST_LENGTH = 4000
"""elements of an array"""

_INTEGER = re.compile(
    r"(?:(?:unsigned|signed|long|short|int|char|_Bool|bool|s?size_t|u?int(?:8|16|32|64)_t)\b\s*)+"
)
_FLOATING = ("float", "double")
_QUALIFIERS = re.compile(r"\b(?:static|inline|extern|const|volatile|register|restrict)\b")


class Draw(IntEnum):
    """How values of a number are drawn. Those of a narrow type lose their upper bits."""

    ZERO = 0
    ONE = 1
    ALL_ONES = 2
    TINY = 3
    """0 to 15"""
    BYTE = 4
    """1 to 255"""
    SHORT = 5
    """16 bits"""
    POSITIVE = 6
    """31 bits"""
    ANY_LENGTH = 7
    """of a random number of bits, odd"""
    POWER = 8
    """a power of two, or one less"""
    EXTREME = 9
    """the least and greatest numbers of 8, 16, 32 and 64 bits and their neighbours"""
    NEGATIVE = 10
    """-100 to -1"""
    LENGTH = 11
    """the case's length, or a little less"""
    UP_TO_LENGTH = 12
    """from 0 to the case's length"""
    ELEMENT = 13
    """an element of the first array, or nearly; what is not an array function never gets it"""
    BEYOND = 14
    """far more than arrays hold"""
    BELOW = 15
    """far before the start of any array"""


class Fill(IntEnum):
    """What arrays hold. All but ALL_ONES and ASCENDING end with zeros behind the case's length."""

    RANDOM = 0
    ZEROS = 1
    ALL_ONES = 2
    DIGITS = 3
    """0 to 9"""
    ASCENDING = 4
    TEXT = 5
    """printable characters, and 0 at the case's length"""
    ANY_LENGTH = 6
    """of a random number of bits"""
    BYTES = 7
    """1 to 255"""
    SAME = 8
    """random, all arrays alike but for one element near the end"""


@dataclass(frozen=True)
class Parameter:
    """``kind`` is the C type; of the elements, without const, where ``array`` says so."""

    kind: str
    array: bool = False
    written: bool = False
    """an array that is not const"""

    @property
    def floating(self) -> bool:
        return self.kind in _FLOATING

    @property
    def number(self) -> bool:
        """An integer argument: something that a case says how to draw."""
        return not self.array and not self.floating


@dataclass(frozen=True)
class Signature:
    """A function's head."""

    function: str
    result: str
    parameters: tuple[Parameter, ...]

    @classmethod
    def of(cls, slow: SlowForm) -> Signature:
        """The head of a family's function. Raises ValueError for types that it has no values for:
        structures, pointers to pointers, pointers to nothing in particular."""
        found = re.search(
            rf"^([\w][\w\s*]*?[\s*]){slow.function}\s*\(([^()]*)\)", slow.source, re.MULTILINE
        )
        if found is None:
            raise ValueError(f"no definition of {slow.function} is found")
        result = _plain(found.group(1))
        if result != "void" and not _is_known(result.removesuffix("*").strip()):
            raise ValueError(f"no use for a result of type {result}")
        listed = found.group(2).strip()
        parts = [] if listed in ("", "void") else listed.split(",")
        return cls(slow.function, result, tuple(_parameter(x) for x in parts))

    @property
    def arrays(self) -> tuple[Parameter, ...]:
        return tuple(x for x in self.parameters if x.array)

    @property
    def numbers(self) -> tuple[Parameter, ...]:
        return tuple(x for x in self.parameters if x.number)


def program_of(slow: SlowForm) -> str:
    """One C translation unit: the function as it is, and a main that calls it through a volatile
    pointer. So gcc makes of it what it makes of the function alone, and no caller knows more than
    the ABI promises.

    Raises ValueError as :meth:`Signature.of` does.
    """
    signature = Signature.of(slow)
    return f"{slow.source}\n{_HELPERS}{_arrays(signature)}{_main(signature)}"


def _plain(text: str) -> str:
    return " ".join(_QUALIFIERS.sub(" ", text).split())


def _is_known(kind: str) -> bool:
    return kind in _FLOATING or _INTEGER.fullmatch(kind) is not None


def _parameter(text: str) -> Parameter:
    kind = re.sub(r"\b\w+\s*(?:\[\w*\])?\s*$", "", text.strip()).strip()
    pointers = kind.count("*") + text.count("[")
    element = _plain(kind.replace("*", " "))
    if pointers > 1 or not _is_known(element):
        raise ValueError(f"no values for a parameter of type {kind}")
    constant = re.search(r"\bconst\b", kind) is not None
    return Parameter(element, array=pointers == 1, written=pointers == 1 and not constant)


def _arrays(signature: Signature) -> str:
    """Definitions and the functions that make, fill, put back and hash them."""
    lines: list[str] = []
    bodies: dict[str, list[str]] = {
        "gl_fill(uint64_t fill, uint64_t length)": ["    (void)fill;", "    (void)length;"],
        "gl_reset(uint64_t length)": ["    (void)length;"],
        "gl_hash_arrays(uint64_t length)": ["    (void)length;"],
    }
    fill, reset, hashed = bodies.values()
    for at, array in enumerate(signature.arrays):
        name = f"gl_array{at}"
        source = f"{name}_start" if array.written else name
        for each in dict.fromkeys([name, source]):
            lines.append(f"static {array.kind} *{each};")
            fill.append(f"    {each} = gl_room((length + gl_spare) * sizeof *{each});")
        value = f"gl_element(fill, i, length, {at})"
        if array.floating:
            value = f"(int64_t)({value} % 2001) - 1000"
        fill += [
            f"    gl_restart(fill, {at});",
            "    for (uint64_t i = 0; i < length + gl_spare; i++)",
            f"        {source}[i] = ({array.kind})({value});",
        ]
        if array.written:
            size = f"(length + gl_spare) * sizeof *{name}"
            reset.append(f"    memcpy({name}, {source}, {size});")
            hashed.append("    for (uint64_t i = 0; i < length + gl_spare; i++)")
            hashed.append(f"        gl_mix(&{name}[i], sizeof {name}[i]);")
    for head, body in bodies.items():
        lines += [f"static void {head}", "{", *body, "}"]
    return "\n".join(lines) + "\n"


def _main(signature: Signature) -> str:
    arguments: list[str] = []
    arrays = numbers = 0
    spare = len(signature.numbers)
    for parameter in signature.parameters:
        column = numbers if parameter.number else spare
        drawn = f"gl_tuple[r & (gl_tuples - 1)][{column}]"
        if parameter.array:
            # Read-only arrays are entered at different elements, so that their alignment varies.
            shift = "" if parameter.written else " + gl_shift[r & (gl_tuples - 1)]"
            arguments.append(f"gl_array{arrays}{shift}")
            arrays += 1
        elif parameter.floating:
            arguments.append(f"({parameter.kind})((int64_t)({drawn} % 2001) - 1000) / 8")
        else:
            arguments.append(f"({parameter.kind}){drawn}")
            numbers += 1
    call = f"gl_function({', '.join(arguments)})"
    if signature.result == "void":
        use = f"{call};"
    elif signature.result.endswith("*"):
        use = (
            f"const char *found = (const char *){call}; "
            "int64_t at = found ? found - (const char *)gl_array0 : -1; gl_mix(&at, sizeof at);"
        )
    elif signature.result in _FLOATING:
        use = f"{signature.result} result = {call}; gl_mix(&result, sizeof result);"
    else:
        use = f"gl_add((uint64_t){call});"
    first = "(uint64_t)gl_array0[next % length]" if signature.arrays else "next"
    if signature.arrays and signature.arrays[0].written:
        first = first.replace("gl_array0", "gl_array0_start")
    pointer = (
        f"static __typeof__({signature.function}) *volatile gl_function = {signature.function};"
    )
    main = _MAIN.replace("NUMBERS", str(spare)).replace("ELEMENT", first).replace("USE", use)
    return f"{pointer}\n{main}"


_HELPERS = f"""
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {{ gl_tuples = {TUPLES}, gl_spare = 48, gl_page = 4096 }};
static uint64_t gl_state, gl_start, gl_sum;
static unsigned gl_shift[gl_tuples];

static uint64_t gl_next(void)
{{
    uint64_t z = gl_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}}
static inline void gl_add(uint64_t value)
{{
    gl_sum = (gl_sum ^ value) * 0x9e3779b97f4a7c15u;
    gl_sum ^= gl_sum >> 29;
}}
static __attribute__((unused)) void gl_mix(const void *at, unsigned size)
{{
    uint64_t value = 0;
    memcpy(&value, at, size);
    gl_add(value);
}}
/* Memory whose last byte lies before a page that can't be touched. */
static __attribute__((unused)) void *gl_room(uint64_t size)
{{
    uint64_t whole = (size + gl_page - 1) / gl_page * gl_page + 2 * gl_page;
    char *at = mmap(0, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED || mprotect(at, gl_page, PROT_NONE)
        || mprotect(at + whole - gl_page, gl_page, PROT_NONE)) {{
        fputs("no memory\\n", stderr);
        exit(2);
    }}
    return at + whole - gl_page - size;
}}
static __attribute__((unused)) void gl_restart(uint64_t fill, unsigned array)
{{
    if (array == 0) gl_start = gl_state;
    else if (fill == {Fill.SAME:d}) gl_state = gl_start;
}}
static __attribute__((unused)) uint64_t
gl_element(uint64_t fill, uint64_t i, uint64_t length, unsigned array)
{{
    uint64_t next = gl_next();
    if (fill == {Fill.ALL_ONES:d}) return -(uint64_t)1;
    if (fill == {Fill.ASCENDING:d}) return i * 3 + next % 3;
    if (i + 16 >= length + gl_spare) return 0; /* ends every search for a 0 */
    switch (fill) {{
    case {Fill.ZEROS:d}: return 0;
    case {Fill.DIGITS:d}: return next % 10;
    case {Fill.TEXT:d}: return i == length ? 0 : 32 + next % 95;
    case {Fill.ANY_LENGTH:d}: return next >> (gl_next() % 64);
    case {Fill.BYTES:d}: return 1 + next % 255;
    case {Fill.SAME:d}: return next ^ (array != 0 && i == length - length / 16);
    default: return next;
    }}
}}
"""
_MAIN = f"""static uint64_t gl_tuple[gl_tuples][NUMBERS + 1];
static uint64_t gl_draw(unsigned draw, uint64_t length)
{{
    uint64_t next = gl_next(), bits = gl_next();
    switch (draw) {{
    case {Draw.ZERO:d}: return 0;
    case {Draw.ONE:d}: return 1;
    case {Draw.ALL_ONES:d}: return -(uint64_t)1;
    case {Draw.TINY:d}: return next % 16;
    case {Draw.BYTE:d}: return 1 + next % 255;
    case {Draw.SHORT:d}: return next & 0xffff;
    case {Draw.POSITIVE:d}: return next & 0x7fffffff;
    case {Draw.ANY_LENGTH:d}: return next >> (bits % 60) | 1;
    case {Draw.POWER:d}: return ((uint64_t)1 << (next & 63)) - (bits & 1);
    case {Draw.EXTREME:d}: return ((uint64_t)1 << ((next & 3) == 3 ? 63 : (8 << (next & 3)) - 1))
                       + bits % 5 - 2;
    case {Draw.NEGATIVE:d}: return -(1 + next % 100);
    case {Draw.LENGTH:d}: return length - (length > 16 ? next % 16 : 0);
    case {Draw.UP_TO_LENGTH:d}: return next % (length + 1);
    case {Draw.ELEMENT:d}:
        length += length == 0;
        return ELEMENT + (bits % 4 == 0);
    case {Draw.BEYOND:d}: return (1 << 26) + (next & 0xffffff);
    default: return -(uint64_t)(1 << 26) - (next & 0xffffff);
    }}
}}
int main(void)
{{
    unsigned long calls, seed, length, fill;
    unsigned draw[NUMBERS + 1];
    if (scanf("%lu %lu %lu %lu", &calls, &seed, &length, &fill) != 4) return 2;
    if (length > {MOST_LENGTH}) return 2;
    for (int i = 0; i < NUMBERS; i++)
        if (scanf("%u", &draw[i]) != 1) return 2;
    gl_state = seed;
    gl_fill(fill, length);
    draw[NUMBERS] = {Draw.POSITIVE:d};
    for (unsigned long i = 0; i < gl_tuples && i < calls; i++) {{
        gl_shift[i] = gl_next() % 16;
        for (int k = 0; k <= NUMBERS; k++) gl_tuple[i][k] = gl_draw(draw[k], length);
    }}
    for (unsigned long r = 0; r < calls; r++) {{
        gl_reset(length);
        {{ USE }}
        if ((r & 63) == 0) gl_hash_arrays(length);
    }}
    printf("%016lx\\n", gl_sum);
    return 0;
}}
"""
