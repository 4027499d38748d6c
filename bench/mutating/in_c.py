"""Mistakes in C: each operator yields versions of a function with one small thing wrong.

The text of the function goes in and comes out; a version that no longer compiles is the caller's to
drop. The operators are the mistakes that rewrites of code are known for, not tokens at random.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["OPERATORS", "Mistake", "definition", "learned", "parameters"]

Mistake = tuple[str, str]
"""(the function's text, what is wrong with it)"""

_LOOSER = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
_UNSIGNED = {"unsigned char": "signed char", "unsigned long": "long", "unsigned": "int"}
_NARROWER = {"unsigned long": "unsigned", "long": "int", "int": "short", "unsigned": "short"}
_INTEGERS = "unsigned long|unsigned char|unsigned|long|int|short"


def definition(source: str, function: str) -> tuple[int, int]:
    """Where the function's text begins and ends. Raises ValueError where it is not defined."""
    found = re.search(rf"(?m)^[^\n;#]*\b{function}\([^;{{]*\)\n\{{\n(?:.*\n)*?\}}\n", source)
    if found is None:
        raise ValueError(f"{function} is not defined as expected")
    return found.span()


def parameters(text: str) -> list[tuple[str, str]]:
    """(type, name) of the parameters that are integers."""
    head = text[: text.index("{")]
    return re.findall(rf"[(,]\s*({_INTEGERS})\s+(\w+)(?=[,)])", head)


def _at(text: str, match: re.Match[str], new: str) -> str:
    return text[: match.start()] + new + text[match.end() :]


def _line(text: str, match: re.Match[str]) -> str:
    start = text.rfind("\n", 0, match.start()) + 1
    return text[start : text.find("\n", match.end())].strip()


def _body(pattern: str, text: str) -> Iterator[re.Match[str]]:
    yield from re.compile(pattern).finditer(text, text.index("{"))


def _with_prologue(text: str, statement: str) -> str:
    return text.replace("{\n", "{\n    " + statement + "\n", 1)


def off_by_one(text: str) -> Iterator[Mistake]:
    """A comparison takes in one more or one less, a number is one more or one less."""
    for found in _body(r"(?<= )(<=|>=|<|>)(?= )", text):
        yield _at(text, found, _LOOSER[found[0]]), f"{found[0]} is {_LOOSER[found[0]]}"
    for found in _body(r"(?<![\w.])\d+(?![\w.])", text):
        for other in (int(found[0]) + 1, int(found[0]) - 1):
            yield _at(text, found, str(other)), f"{found[0]} is {other} in {_line(text, found)}"


def signedness(text: str) -> Iterator[Mistake]:
    """An unsigned type is signed, or the other way round."""
    for found in re.finditer(r"unsigned char|unsigned long|\bunsigned\b(?! \w+ ?\*)", text):
        yield _at(text, found, _UNSIGNED[found[0]]), f"{found[0]} is signed"
    for found in re.finditer(r"\b(?<!unsigned )(int|long|char|short)(?= \*?\w+[,)=; ])", text):
        if found.start() > text.index("("):
            yield _at(text, found, f"unsigned {found[0]}"), f"{found[0]} is unsigned"


def width(text: str) -> Iterator[Mistake]:
    """A local variable or an intermediate result is kept in fewer bits."""
    for found in _body(r"(?:(?<=\()|(?<=    ))(unsigned long|unsigned|long|int)\b(?! char)", text):
        yield _at(text, found, _NARROWER[found[0]]), f"{found[0]} is {_NARROWER[found[0]]}"


def missing_extension(text: str) -> Iterator[Mistake]:
    """A cast that widens or cuts is left out, or extends otherwise."""
    for found in _body(rf"\(({_INTEGERS})\)(?=[\w(*])", text):
        yield _at(text, found, ""), f"no {found[0]} in {_line(text, found)}"
    for found in _body(r"unsigned char(?= \w+ =)", text):
        yield _at(text, found, "char"), "a byte is extended with its sign"


def lost_tail(text: str) -> Iterator[Mistake]:
    """What is left over behind the last whole block is forgotten, where there is a whole block."""
    for found in _body(r"(\w+) < (n|m|length)\b", text):
        for block in (4, 8, 16):
            whole = f"({found[2]} > {block} ? {found[2]} & ~{block - 1} : {found[2]})"
            yield _at(text, found, f"{found[1]} < {whole}"), f"no tail after blocks of {block}"


def nothing(text: str) -> Iterator[Mistake]:
    """0 is taken for 1."""
    for _, name in parameters(text):
        yield _with_prologue(text, f"if ({name} == 0) {name} = 1;"), f"{name} = 0 is taken for 1"


def extreme(text: str) -> Iterator[Mistake]:
    """The least or the greatest value of a type is taken for its neighbour."""
    for kind, name in parameters(text):
        low, high = {
            "int": ("-2147483647 - 1", "2147483647"),
            "short": ("-32768", "32767"),
            "unsigned": ("0", "4294967295u"),
            "long": ("-9223372036854775807 - 1", "9223372036854775807"),
            "unsigned long": ("0", "18446744073709551615ul"),
        }.get(kind, ("", ""))
        if low and not kind.startswith("unsigned"):
            yield _with_prologue(text, f"if ({name} == {low}) {name}++;"), f"the least {name}"
        if high:
            yield _with_prologue(text, f"if ({name} == {high}) {name}--;"), f"the greatest {name}"


def dropped_branch(text: str) -> Iterator[Mistake]:
    """A condition, or a part of one, always holds or never does."""
    for found in _body(r"\bif \(", text):
        end = _closing(text, found.end() - 1)
        for always in "01":
            changed = f"{text[: found.end()]}{always}{text[end:]}"
            yield changed, f"if ({text[found.end() : end]}) is {always}"
    for found in _body(r" && (\w|\[|\]|[-+<>=!]=?| )+(?=[);&|])", text):
        yield _at(text, found, ""), f"no{found[0]}"
    for found in _body(r" \|\| (\w|\[|\]|[-+<>=!'\\]=?| )+(?=[);&|])", text):
        yield _at(text, found, ""), f"no{found[0]}"


def wrong_variable(text: str) -> Iterator[Mistake]:
    """One use of a parameter or a counter is a use of another."""
    names = [name for _, name in parameters(text)]
    names += [x for x in re.findall(r"\bint (\w+) = ", text[text.index("{") :]) if x not in names]
    for found in _body(r"(?<![\w.])[a-z]+(?![\w(])", text):
        for other in names:
            if found[0] in names and other != found[0]:
                yield _at(text, found, other), f"{found[0]} is {other} in {_line(text, found)}"


def _closing(text: str, opening: int) -> int:
    depth = 0
    for place in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return place
    raise ValueError("a parenthesis is not closed")


def learned(text: str, name: str, known: Sequence[int]) -> Mistake:
    """Right for the values of the parameter ``name`` that are ``known``, else for another value."""
    least, most = min(known), max(known)
    if len(known) == most - least + 1:
        test = f"{name} < {least} || {name} > {most}"
    else:
        test = " && ".join(f"{name} != {value}" for value in known)
    return _with_prologue(text, f"if ({test}) {name} = {known[0]};"), f"{name} learned by heart"


OPERATORS: Mapping[str, Callable[[str], Iterator[Mistake]]] = {
    "off by one": off_by_one,
    "signedness": signedness,
    "width": width,
    "missing extension": missing_extension,
    "lost tail": lost_tail,
    "n = 0": nothing,
    "INT_MIN": extreme,
    "dropped branch": dropped_branch,
    "wrong variable": wrong_variable,
}
