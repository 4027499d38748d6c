"""Which texts are answers to a region prompt, decided line by line while they are written.

All that is needed stands in the prompt (:mod:`gccllm.region_prompt`): how many exits there are,
whether control may fall out of the end, which symbols and which kinds of registers the region
names. What passes here passes :func:`gccllm.asm.region_text.parse_lines` for that region, and is
text that may be given to the assembler: plain instructions, local labels and numbers. Whether the
operands suit the mnemonic is for the assembler to say (:mod:`gccllm.proposers.answer_assembly`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from gccllm.asm.lines import split_statement, symbols_of
from gccllm.region_prompt import Facts

__all__ = ["KEEP_ANSWER", "Fault", "Grammar", "Reading"]

KEEP_ANSWER = "keep"
"""the answer that leaves a region as gcc made it"""

_LABEL = re.compile(r"([LD]\d{1,4}):")
_PREFIX = r"(?:(?:rep|repe|repz|repne|repnz|lock|notrack) +)?"
_INSTRUCTION = re.compile(rf"\t{_PREFIX}([a-z][a-z0-9]{{1,23}})(?:\t(\S.*))?")
_ALIGN = re.compile(r"\t\.(?:p2align[ \t]+[0-6]|(?:balign|align)[ \t]+(?:1|2|4|8|16|32|64))")
_NUMBER = r"-?(?:0x[0-9a-f]{1,16}|\d{1,20})"
_DATUM = re.compile(
    rf"\t\.(?:byte|value|short|word|long|int|quad)[ \t]+{_NUMBER}(?:, ?{_NUMBER}){{0,63}}"
    r"|\t\.zero[ \t]+\d{1,4}"
    rf"|{_ALIGN.pattern}"
)
_REGISTER = re.compile(r"%([a-z]+[0-9]*[a-z]?)")
_OPERANDS = re.compile(
    rf"""(?:
      %[a-z]+[0-9]*[a-z]?(?![\w.$])
    | \$?{_NUMBER}(?![\w.$])
    | \{{(?:%k[1-7]|z|1to(?:2|4|8|16)|r[nduz]-sae|sae)\}}
    | \$?(?:[A-Za-z_][\w.$]*|\.L[\w.$]*)(?:@[A-Za-z]{{3,8}})?(?![\w.$@])
    | [-+*(),\ ]
    )*""",
    re.VERBOSE,
)
_LEAVING = re.compile(
    r"(?:call|ret|leave|enter|int|syscall|sysenter|hlt|iret|lret|ljmp|lcall|push|pop)[a-z0-9]{0,2}"
)
_END_WORDS = ("jmp", "jmpq")
_PRIVATE = re.compile(r"[LXD]\d+")


def _registers() -> frozenset[str]:
    wide = "ax bx cx dx si di bp sp".split()
    names = [prefix + x for x in wide for prefix in ("r", "e", "")]
    names += "al bl cl dl ah bh ch dh sil dil bpl spl rip".split()
    names += [f"r{n}{suffix}" for n in range(8, 16) for suffix in ("", "d", "w", "b")]
    names += [f"{kind}mm{n}" for kind in "xyz" for n in range(32)] + [f"k{n}" for n in range(8)]
    return frozenset(names)


_REGISTERS = _registers()
_VECTORS = {"x86-64-v3": "xy", "x86-64-v4": "xyzk"}
_HIGHEST_WITHOUT_V4 = 15


@dataclass(frozen=True)
class Fault:
    """Why an answer is none. ``line`` is the first bad line, from 0, or the number of lines where
    something is missing behind them; ``culprit`` the part of the line that must not stand there,
    "" for the whole of it; ``why`` is for a person."""

    line: int
    culprit: str
    why: str


@dataclass(frozen=True)
class Grammar:
    """The answers to one prompt. ``exits``: how many, ``falls``: control may leave at the end.

    ``symbols`` (with their @suffix) and ``words`` (of instructions that leave or move the stack)
    are those that the region itself uses; ``level`` is the instruction set, ``vectors`` the kinds
    of vector and mask registers that it has or the region uses: "x", "y", "z", "k".
    """

    exits: int
    falls: bool
    level: str
    symbols: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    vectors: frozenset[str] = frozenset("x")

    @classmethod
    def of_prompt(cls, prompt: str) -> Grammar:
        """Raises ValueError for text that is no region prompt."""
        facts = Facts.parse(prompt)
        symbols: set[str] = set()
        words: set[str] = set()
        last = ""
        for line in facts.code:
            if not line.startswith("\t"):
                continue
            before, operands = split_statement(line)
            last = before.split()[-1]
            words.add(last)
            symbols.update(x + at for x, at in symbols_of(operands) if not _PRIVATE.fullmatch(x))
        vectors = _VECTORS.get(facts.level, "x") + "".join(
            re.findall(r"%([xyz](?=mm)|k(?=[0-7]))", "\n".join(facts.code))
        )
        return cls(
            exits=len(facts.exits),
            falls=last not in _END_WORDS,
            level=facts.level,
            symbols=frozenset(symbols),
            words=frozenset(x for x in words if _LEAVING.fullmatch(x)),
            vectors=frozenset(vectors),
        )

    def never(self, tokens: Iterable[str]) -> list[str]:
        """Those of ``tokens`` (pieces of text) that stand in no answer: they name exits or
        registers that there are not."""
        return [
            x
            for x in tokens
            if any(not self.has_register(n) for n in _REGISTER.findall(x))
            or any(int(n) >= self.exits for n in re.findall(r"(?<![\w.$%])X(\d+)", x))
        ]

    def has_register(self, name: str) -> bool:
        """``name`` without its %: is there such a register at this level?"""
        if name not in _REGISTERS:
            return False
        vector = re.fullmatch(r"([xyz])mm(\d+)", name)
        if vector is None:
            return name[0] != "k" or "k" in self.vectors
        high = int(vector[2]) > _HIGHEST_WITHOUT_V4
        return vector[1] in self.vectors and (not high or self.level == "x86-64-v4")

    def fault(self, text: str) -> Fault | None:
        """The first fault of a whole answer, None for a good one; ``keep`` is good."""
        if text.strip() == KEEP_ANSWER:
            return None
        reading = Reading(self)
        for line in text.removesuffix("\n").split("\n") if text else ():
            found = reading.feed(line)
            if found is not None:
                return found
        return reading.finish()


@dataclass
class Reading:
    """One answer as far as it has been read."""

    grammar: Grammar
    count: int = 0
    _defined: set[str] = field(default_factory=set)
    _used: dict[str, int] = field(default_factory=dict)
    """label → the line of its first use"""
    _code: int = 0
    _word: str = ""
    _data: bool = False

    def feed(self, line: str) -> Fault | None:
        """Take the next line, without its newline; what is wrong with it, if anything."""
        number = self.count
        self.count += 1
        label = _LABEL.fullmatch(line)
        if label is not None:
            return self._label(number, label[1])
        if self._data:
            good = _DATUM.fullmatch(line) is not None
            return None if good else Fault(number, "", "not a constant")
        if _ALIGN.fullmatch(line):
            return None
        found = _INSTRUCTION.fullmatch(line)
        if found is None:
            return Fault(number, "", "neither an instruction nor a label")
        self._code += 1
        self._word = found[1]
        return self._instruction(number, found[1], found[2] or "")

    def finish(self) -> Fault | None:
        """What the whole lacks, now that no line follows."""
        missing = [x for x in self._used if x not in self._defined]
        if missing:
            first = min(missing, key=lambda x: self._used[x])
            return Fault(self._used[first], first, "no such label")
        if not self._code:
            return Fault(0, "", "no instructions")
        if not self.grammar.falls and self._word not in _END_WORDS:
            return Fault(self.count, "", "control must not run off the end")
        return None

    def _label(self, number: int, name: str) -> Fault | None:
        if name in self._defined:
            return Fault(number, f"{name}:", "a label is defined twice")
        if name[0] == "L" and self._data:
            return Fault(number, f"{name}:", "code behind constants")
        self._data = name[0] == "D"
        self._defined.add(name)
        return None

    def _instruction(self, number: int, word: str, operands: str) -> Fault | None:
        if _LEAVING.fullmatch(word) and word not in self.grammar.words:
            return Fault(number, word, "leaves the region or moves the stack")
        if _OPERANDS.fullmatch(operands) is None:
            return Fault(number, "", "not operands")
        for register in _REGISTER.findall(operands):
            if not self.grammar.has_register(register):
                return Fault(number, f"%{register}", "no such register")
        jumps = word.startswith(("j", "loop"))
        if jumps and re.fullmatch(r"[LX]\d{1,4}", operands) is None:
            return Fault(number, "", "a jump goes to a label")
        for name, suffix in symbols_of(operands):
            if not _PRIVATE.fullmatch(name):
                if name + suffix not in self.grammar.symbols:
                    return Fault(number, name, "a symbol that the region does not name")
            elif name[0] == "X":
                if int(name[1:]) >= self.grammar.exits or not jumps:
                    return Fault(number, name, "no such exit")
            elif name[0] == "L" and not jumps:
                return Fault(number, name, "a label is only jumped to")
            else:
                self._used.setdefault(name, number)
        return None
