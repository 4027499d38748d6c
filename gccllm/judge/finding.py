"""What a gate says when it refuses: a stable rule, a place, and the offending thing.

Every rule of every gate stands here with one line of explanation, so that reports, counters and
rewards can rely on the words.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["RULES", "Finding", "beyond"]


@dataclass(frozen=True)
class Finding:
    """One reason for refusal.

    ``rule`` is a key of :data:`RULES`. ``line`` is the line (from 1) in the text gate, the byte
    offset in its section for an instruction or relocation, and 0 where there is no place.
    ``detail`` names the offender without its place, so that a candidate's findings can be compared
    with those of its baseline.
    """

    rule: str
    line: int
    detail: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.detail}"


def beyond(findings: Collection[Finding], known: Collection[Finding]) -> list[Finding]:
    """``findings`` without those whose rule and detail are among ``known``, each of them once."""
    seen = {(one.rule, one.detail) for one in known}
    kept: list[Finding] = []
    for one in findings:
        if (one.rule, one.detail) not in seen:
            seen.add((one.rule, one.detail))
            kept.append(one)
    return kept


_TEXT_RULES = {
    "too-large": "more text, lines, characters in a line or operands than assembly needs",
    "character": "a carriage return, NUL, control or non-ASCII character",
    "string": "an unterminated string, or an escape that gcc does not write",
    "marker": "a comment that the assembler takes as an order (#NO_APP, a line marker)",
    "separator": "statements joined by a semicolon",
    "syntax": "a statement that is neither a label, a known directive nor an instruction",
    "assignment": "a symbol is given a value with =",
    "directive": "a directive that is not on the allow-list",
    "directive-form": "an allowed directive with operands it may not have",
    "not-in-baseline": "a directive that is allowed only word for word as the baseline has it",
    "section": "a section that is neither harmless nor the baseline's",
    "data-in-text": "data among the instructions",
    "alignment": "an alignment above 64 bytes, or one with fill bytes",
    "zero-fill": "more zeros than a mebibyte beyond the baseline's",
    "duplicate-label": "a label that is defined twice",
    "shadows-import": "a definition takes the place of a function or object from elsewhere",
}
_OBJECT_RULES = {
    "not-elf": "not an x86-64 ELF file of the expected kind",
    "symbol-added": "a global symbol that the baseline does not define",
    "symbol-missing": "a global symbol of the baseline is gone",
    "symbol-changed": "binding, type, visibility, size or place of a global symbol differs",
    "symbol-kind": "an indirect function, a unique symbol or another kind that C has no use for",
    "symbol-version": "a symbol version",
    "import-added": "a symbol from elsewhere that neither the baseline nor compilers ask for",
    "section-added": "a section that is neither harmless nor the baseline's",
    "section-changed": "flags, type or entry size of a section differ",
    "section-missing": "a section with the program's data is gone",
    "section-duplicated": "two sections of one name",
    "section-writable-code": "a section that is both writable and executable",
    "section-executable": "an executable section that is not text",
    "data-grew": "a section of writable data is larger than the baseline's",
    "data-changed": "the contents of a section of data differ from the baseline's",
    "executable-stack": "the note that keeps the stack non-executable is missing or says otherwise",
    "relocation-kind": "a kind of relocation that the baseline and compilers do not use",
    "relocation-target": "a relocation against the offset table or a place inside an instruction",
    "undecodable": "bytes in a text section that are no instruction",
    "privileged": "an instruction that only the kernel may execute",
    "system-call": "an instruction that enters the kernel or changes the code segment",
    "clock": "an instruction that reads a clock or a performance counter",
    "cpu-probe": "an instruction that asks which CPU or core this is",
    "random": "an instruction that reads random numbers",
    "segment": "a segment register is loaded, or memory is reached through fs or gs",
    "thread-area": "thread-local memory where the baseline uses none, or a write to the canary",
    "transaction": "hardware transactions and lock elision",
    "processor-state": "an instruction that saves or replaces processor or floating-point state",
    "cache-control": "cache flushing and other control over the memory hierarchy",
    "waiting": "an instruction that waits for an event",
    "flags": "the direction flag is set, or the flags register is pushed or popped",
    "stack-frame": "the enter instruction",
    "trap": "a breakpoint",
    "branch-target": "a branch into the middle of an instruction or out of its section",
    "mid-instruction": "a symbol in the middle of an instruction",
    "cpu-feature": "an instruction set extension that the target does not promise",
}
_EXECUTABLE_RULES = {
    "segment-writable-code": "a segment that is both writable and executable",
    "segment-changed": "the kinds of segments differ from the baseline's",
    "interpreter": "another program interpreter",
    "dynamic": "needed libraries, search paths or other dynamic entries differ",
    "entry": "the program starts elsewhere",
    "indirect-function": "an indirect function that the baseline lacks",
    "copy-relocation": "a copy relocation that the baseline lacks",
    "export-added": "a dynamic symbol is defined that the baseline does not define",
    "start-up": "constructors or destructors were added or removed",
}
RULES: Mapping[str, str] = MappingProxyType({**_TEXT_RULES, **_OBJECT_RULES, **_EXECUTABLE_RULES})
"""Every rule of the three gates → one line of explanation."""
