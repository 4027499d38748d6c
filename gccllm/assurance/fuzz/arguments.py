"""Other arguments for a program: numbers, options of other cases, dropped, doubled, swapped.

File names are kept as names: one may take another's place, be dropped or doubled, but is never
garbled, for a program that can't find its file says so and ends. And no new path is made up, so
none leads out of the case's folder.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gccllm.assurance.fuzz import blind
from gccllm.assurance.fuzz.inputs import Seedling
from gccllm.assurance.fuzz.numbers import Numbers
from gccllm.assurance.fuzz.text import Text, number_of

__all__ = ["ArgumentPool"]

_Args = tuple[str, ...]
_DIGITS = re.compile(r"\d+")
_LETTERS = range(0x30, 0x7B)
MOST_LETTERS = 64


@dataclass(frozen=True)
class _Context:
    """What one change may use: the case, the numbers to choose from, chance."""

    base: Seedling
    numbers: Numbers
    rng: random.Random


class ArgumentPool:
    """What the recorded command lines hold, and new ones made of it.

    ``letters`` are constants of the programs; those that are letters or digits are tried as
    options of one letter. ``spelled`` are options that stand in the programs' texts. Neither is
    tried where no recording has an option.
    """

    def __init__(
        self,
        cases: Sequence[Seedling],
        letters: Sequence[int] = (),
        spelled: Sequence[str] = (),
    ) -> None:
        self._cases = cases
        self._recorded = {arg for case in cases for arg in case.args}
        every = (arg for case in cases for arg in case.args if arg.startswith("-"))
        self._options = sorted(dict.fromkeys(every))
        found = dict.fromkeys(chr(x) for x in letters if x in _LETTERS and chr(x).isalnum())
        self._letters = list(found)[:MOST_LETTERS] if self._options else []
        self._spelled = list(spelled) if self._options else []
        self._ways: tuple[Callable[[_Args, _Context], tuple[_Args, str] | None], ...] = (
            *(self._number, self._number, self._number, self._text),
            *(self._drop, self._double, self._swap, self._other_name),
            *(self._option, self._option, self._letter, self._other_line),
            *(self._known, self._known) * bool(self._spelled),
        )

    def other(
        self, base: Seedling, numbers: Numbers, rng: random.Random
    ) -> tuple[tuple[str, ...], str] | None:
        """Other arguments for ``base``, and how they came about; None where nothing came of it."""
        args, steps = base.args, []
        context = _Context(base, numbers, rng)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            done = rng.choice(self._ways)(args, context)
            if done is not None and self._stays_inside(done[0], base):
                args = done[0]
                steps.append(done[1])
        return (args, "; ".join(steps)) if args != base.args else None

    def _stays_inside(self, args: _Args, base: Seedling) -> bool:
        """No path but those that the recording or the case's folder has."""
        known = {*self._recorded, *base.names}
        return all(x in known or not ("/" in x or ".." in x or "\0" in x) for x in args)

    def _number(self, args: _Args, of: _Context) -> tuple[_Args, str] | None:
        """A number, or one within an argument (-9, --level=3, 640x480), becomes another."""
        rng = of.rng
        places = [
            (index, found)
            for index, arg in enumerate(args)
            if not _names_file(arg, of.base)
            for found in _DIGITS.finditer(arg)
        ]
        if not places:
            return None
        index, found = rng.choice(places)
        arg = args[index]
        old = number_of(arg.encode("utf-8", "surrogateescape"))
        if old is not None and not arg.startswith("-"):
            new, kind = of.numbers.other(old, rng)
            return _with(args, index, str(new)), f"argument {index + 1}: {old} to {new} ({kind})"
        value, kind = of.numbers.other(int(found.group()), rng)
        if rng.random() < 0.5:
            value, kind = rng.randrange(10), "digit"
        changed = f"{arg[: found.start()]}{abs(value)}{arg[found.end() :]}"
        return _with(args, index, changed), f"argument {index + 1}: to {changed} ({kind})"

    def _text(self, args: _Args, of: _Context) -> tuple[_Args, str] | None:
        """One that is no file name, mutated as a text."""
        places = [i for i, x in enumerate(args) if not _names_file(x, of.base)]
        if not places:
            return None
        index = of.rng.choice(places)
        text = Text.of(args[index].encode("utf-8", "surrogateescape"))
        done = of.rng.choice((*blind.WORDS, *blind.BYTES))(text, of.numbers, of.rng)
        if done is None:
            return None
        changed = done[0].data.replace(b"\0", b"0").decode("utf-8", "surrogateescape")
        return _with(args, index, changed), f"argument {index + 1}: {done[1]}"

    def _drop(self, args: _Args, of: _Context) -> tuple[_Args, str] | None:
        if not args:
            return None
        index = of.rng.randrange(len(args))
        return args[:index] + args[index + 1 :], f"argument {index + 1} dropped"

    def _double(self, args: _Args, of: _Context) -> tuple[_Args, str] | None:
        if not args:
            return None
        index = of.rng.randrange(len(args))
        return args[: index + 1] + args[index:], f"argument {index + 1} twice"

    def _swap(self, args: _Args, of: _Context) -> tuple[_Args, str] | None:
        if len(args) < 2:
            return None
        one, other = of.rng.sample(range(len(args)), 2)
        swapped = _with(_with(args, one, args[other]), other, args[one])
        return swapped, f"arguments {one + 1} and {other + 1} swapped"

    def _other_name(self, args: _Args, of: _Context) -> tuple[_Args, str] | None:
        """A file name becomes another that is there."""
        places = [i for i, x in enumerate(args) if x in of.base.names]
        if not places:
            return None
        index, name = of.rng.choice(places), of.rng.choice(of.base.names)
        return _with(args, index, name), f"argument {index + 1}: to the name {name}"

    def _option(self, args: _Args, of: _Context) -> tuple[_Args, str] | None:
        """An option of any case, before the others or in the place of one."""
        if not self._options:
            return None
        option = of.rng.choice(self._options)
        places = [i for i, x in enumerate(args) if x.startswith("-")]
        if places and of.rng.random() < 0.4:
            index = of.rng.choice(places)
            return _with(args, index, option), f"argument {index + 1}: to {option}"
        index = 0 if of.rng.random() < 0.7 else of.rng.randrange(len(args) + 1)
        return (*args[:index], option, *args[index:]), f"with the option {option}"

    def _letter(self, args: _Args, of: _Context) -> tuple[_Args, str] | None:
        """An option of one letter that the programs compare something with."""
        if not self._letters:
            return None
        option = f"-{of.rng.choice(self._letters)}"
        places = [i for i, x in enumerate(args) if re.fullmatch(r"-\w", x)]
        if places and of.rng.random() < 0.5:
            index = of.rng.choice(places)
            return _with(args, index, option), f"argument {index + 1}: to {option}"
        return (option, *args), f"with the option {option}"

    def _known(self, args: _Args, of: _Context) -> tuple[_Args, str] | None:
        """An option that the program's texts name; one of a letter may say so several times."""
        option = of.rng.choice(self._spelled)
        times = of.rng.choice((1, 1, 1, 2, 4))
        if not option.startswith("--"):
            option = f"-{option[1:] * times}"
        places = [i for i, x in enumerate(args) if x.startswith("-")]
        if places and of.rng.random() < 0.3:
            index = of.rng.choice(places)
            return _with(args, index, option), f"argument {index + 1}: to {option}"
        return (option, *args), f"with the option {option}"

    def _other_line(self, args: _Args, of: _Context) -> tuple[_Args, str] | None:
        """The command line of another case; names of its files become names of this one's."""
        other = of.rng.choice(self._cases)
        if other.args == args:
            return None
        ours = [x for x in args if x in of.base.names] or list(of.base.names)
        made, turn = [], 0
        for arg in other.args:
            if arg in other.names and arg not in of.base.names and ours:
                made.append(ours[turn % len(ours)])
                turn += 1
            else:
                made.append(arg)
        return tuple(made), f"the arguments of {other.name}"


def _with(args: _Args, index: int, arg: str) -> _Args:
    return (*args[:index], arg, *args[index + 1 :])


def _names_file(arg: str, base: Seedling) -> bool:
    """Whether an argument is a name of the case's files, or ends with one (-oNAME, --in=NAME)."""
    return any(
        arg == name or arg.endswith(f"={name}") or (arg[:1] == "-" and arg[2:] == name)
        for name in base.names
    )
