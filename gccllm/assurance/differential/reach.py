"""What a function may reach: the writable data of the program, and the library behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from gccllm.asm.lines import Line, rename, split_statement, symbols_of
from gccllm.asm.unit import Function, Unit
from gccllm.assurance.differential.layout import Unsupported

__all__ = ["constants_in", "led_away", "replacements", "writable_data"]

MOST_DATA = 1 << 20
_HARMLESS = frozenset(
    """memcpy memmove memset memcmp memchr memrchr rawmemchr mempcpy bcmp bcopy bzero strlen strnlen
    strcmp strncmp strcasecmp strncasecmp strchr strchrnul strrchr strcpy stpcpy strncpy stpncpy
    strcat strncat strstr strspn strcspn strpbrk strcoll strtol strtoul strtoll strtoull strtod
    strtof atoi atol atoll atof abs labs llabs ffs ffsl ffsll isalpha isdigit isspace isalnum
    isupper islower toupper tolower __ctype_b_loc __ctype_tolower_loc __ctype_toupper_loc
    __errno_location __stack_chk_fail _GLOBAL_OFFSET_TABLE_ __popcountdi2 __udivti3 __umodti3
    __divti3 __modti3 __memcpy_chk __memmove_chk __memset_chk __strcpy_chk __strcat_chk""".split()
)
_MATH = re.compile(
    r"(?:__)?(?:sqrt|cbrt|a?(?:sin|cos|tan)h?|atan2|exp(?:2|10|m1)?|log(?:2|10|1p|b)?|pow|fmod"
    r"|remainder|hypot|floor|ceil|trunc|l?l?round|l?l?rint|nearbyint|fabs|fmin|fmax|fma|fdim"
    r"|copysign|ldexp|scalbln?|frexp|modf|erfc?|[tl]gamma|nextafter|isnan|isinf)f?(?:_finite)?$"
)
_DATA = frozenset("stdin stdout stderr environ __environ optarg optind opterr optopt".split())
_REPLACED: Mapping[str, str] = {
    "main": "gd_program_main",
    "malloc": "gd_malloc",
    "calloc": "gd_calloc",
    "realloc": "gd_realloc",
    "free": "gd_free",
    "abort": "gd_abort",
    "exit": "gd_exit",
    "_exit": "gd_exit_at_once",
    "_Exit": "gd_exit_at_once",
    "__assert_fail": "gd_assert_fail",
}
_STOP = "gd_stop"
_NUMBER = re.compile(r"\$(-?(?:0[xX][0-9a-fA-F]+|\d+))")


def replacements(units: Mapping[str, Unit]) -> dict[str, str]:
    """What the program's symbols are in the harness: it has a malloc of its own and takes the end
    of the program for a result (memory.h), and whatever else may do more than compute ends the
    call there, which is then skipped."""
    defined = {x for unit in units.values() for x in unit.known_symbols if unit.defines(x)}
    outside = {x for unit in units.values() for x in unit.references if not x.startswith(".L")}
    found = {x: _STOP for x in outside - defined - _HARMLESS - _DATA if not _MATH.match(x)}
    return {**found, **_REPLACED}


def led_away(lines: Sequence[str], names: Mapping[str, str]) -> str:
    """The text with :func:`replacements` made."""
    wanted = re.compile("|".join(re.escape(x) for x in names))
    return "\n".join(rename(x, names) if wanted.search(x) else x for x in lines)


def writable_data(units: Mapping[str, Unit], unit: str, entries: Sequence[str]) -> dict[str, int]:
    """Symbol → size of the variables that the ``entries`` of ``unit`` and all that they call name.

    Pointers to functions lead nowhere in the harness unless code or data name the function, which
    counts as a call here. Raises Unsupported.
    """
    return _Walk(units).run(unit, entries)


class _Walk:
    def __init__(self, units: Mapping[str, Unit]) -> None:
        self.units = units
        self.exported: dict[str, str] = {}
        for name, unit in units.items():
            for symbol in unit.globals:
                if symbol in unit.functions or symbol in unit.objects or symbol in unit.aliases:
                    self.exported.setdefault(symbol, name)
        self.found: dict[str, int] = {}
        self.seen: set[tuple[str, str]] = set()
        self.queue: list[tuple[str, str]] = []

    def run(self, unit: str, entries: Sequence[str]) -> dict[str, int]:
        self.queue += [(unit, x) for x in entries]
        while self.queue:
            place = self.queue.pop(0)
            if place in self.seen:
                continue
            self.seen.add(place)
            home = self.units[place[0]]
            if place[1] in home.functions:
                self._function(place[0], home.functions[place[1]])
        if sum(self.found.values()) > MOST_DATA:
            raise Unsupported("it may reach more than 1 MiB of global data")
        return self.found

    def _function(self, unit: str, function: Function) -> None:
        if "tls" in function.obstacles:
            raise Unsupported("it uses thread-local data")
        for symbol in (*function.symbols, *function.constants):
            self._symbol(unit, symbol)

    def _symbol(self, unit: str, symbol: str) -> None:
        home = self.units[unit]
        symbol = home.aliases.get(symbol, symbol)
        if symbol in home.functions:
            self.queue.append((unit, symbol))
        elif symbol in home.objects:
            self._object(unit, symbol)
        elif symbol in self.exported and self.exported[symbol] != unit:
            self._symbol(self.exported[symbol], symbol)

    def _object(self, unit: str, symbol: str) -> None:
        home = self.units[unit]
        data = home.objects[symbol]
        if not data.read_only:
            size = data.declared or data.size
            if size is None:
                raise Unsupported(f"the size of {symbol} is not known")
            self.found.setdefault(symbol, size)
        if (unit, symbol) in self.seen:
            return
        self.seen.add((unit, symbol))
        for index in data.lines:
            if home.kinds[index] is Line.DIRECTIVE:
                for name, _ in symbols_of(split_statement(home.lines[index])[1]):
                    if name in home.functions or name in home.objects:
                        self._symbol(unit, name)


def constants_in(unit: Unit, function: str) -> Iterator[int]:
    """The immediates of a function's instructions: where it compares, behaviour changes."""
    for index in unit.functions[function].indices():
        if unit.kinds[index] is Line.INSTRUCTION:
            for found in _NUMBER.findall(unit.lines[index]):
                value = int(found, 0)
                if -(1 << 63) <= value < 1 << 63:
                    yield value
