"""What a general model is asked, and how its answer is read.

The prompt is the published one, word for word (appendix A.2 of the paper and its data set, columns
``question`` and ``c_only_question``): the released weights were trained on exactly these bytes.
This module works on text alone; proposers and the trainer share it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gccllm.types import Candidate, Verdict, VerdictKind

__all__ = [
    "Malformed",
    "answer_text",
    "c_only_prompt",
    "conversation",
    "feedback_prompt",
    "paper_prompt",
    "parse_answer",
]

MAX_ANSWER_BYTES = 4 << 20

_TAIL = (
    "Only output the optimized assembly code. Do not include any other text. "
    "Do not write any comments in the assembly code. "
    "Wrap the assembly code in ```assembly``` tags.\n"
    "Optimized Assembly Code:\n"
)


@dataclass(frozen=True)
class Malformed:
    """An answer that holds no assembly in the expected form; ``reason`` is one line."""

    reason: str


def paper_prompt(c_source: str, assembly: str) -> str:
    """The published prompt with C and baseline. Newlines at the end of either are dropped first,
    because the template brings its own."""
    return (
        "Given the following C code and assembly code, your task is to generate highly optimized "
        "x86-64 assembly code.\n"
        f"C Code:\n\n```c\n{_block(c_source)}\n```\n\n"
        f"Assembly Code:\n\n```assembly\n{_block(assembly)}\n```\n\n{_TAIL}"
    )


def c_only_prompt(c_source: str) -> str:
    """The published variant without the baseline (the ablation of the paper's section 5.3)."""
    return (
        "Given the following C code, your task is to generate highly optimized "
        "x86-64 assembly code.\n"
        f"C Code:\n\n```c\n{_block(c_source)}\n```\n\n{_TAIL}"
    )


def answer_text(assembly: str) -> str:
    """Assembly in the form in which a model answers; :func:`parse_answer` takes it apart again."""
    return f"```assembly\n{_block(assembly)}\n```"


def _block(text: str) -> str:
    return text.rstrip("\n")


def parse_answer(text: str, *, truncated: bool = False) -> str | Malformed:
    """The assembly of an answer, newline-terminated, or why there is none.

    Accepted: exactly one fenced block, marked as assembly or not marked at all (text around it is
    ignored), or an answer without any fence in which every line is assembly. ``truncated`` says
    that the model stopped at its token limit; then only a closed block counts.
    A thinking model's leading ``<think>…</think>`` is no part of the answer.
    """
    if len(text) > MAX_ANSWER_BYTES:
        return Malformed("the answer is larger than 4 MiB")
    text = text.replace("\r\n", "\n")
    if text.lstrip().startswith("<think>"):
        end = text.find("</think>")
        if end < 0:
            return Malformed("truncated: it never stopped thinking")
        text = text[end + len("</think>") :]
    if not text.strip():
        return Malformed("the answer is empty")
    lines = text.split("\n")
    fences = [i for i, line in enumerate(lines) if line.lstrip().startswith("```")]
    if not fences:
        return _bare(lines, truncated)
    opening = lines[fences[0]].strip()[3:].strip()
    if len(fences) == 1:
        return Malformed("truncated: the code block has no end")
    if len(fences) > 2:
        return Malformed("more than one code block")
    if opening.lower() not in _LANGUAGES:
        return Malformed(f"the code block is marked {opening[:20]!r}, not assembly")
    if lines[fences[1]].strip() != "```":
        return Malformed("the code block does not end with a fence of its own")
    return _finish(lines[fences[0] + 1 : fences[1]])


_LANGUAGES = frozenset({"", "asm", "assembly", "gas", "s", "x86asm"})

_LABEL = re.compile(r"[.\w$]+:")
_DIRECTIVE = re.compile(r"\s*\.[a-z_][\w.]*(\s.*)?")
_COMMENT = re.compile(r"\s*#.*")
_ALONE = re.compile(
    r"\s*(ret|leave|hlt|ud2|nop|pause|endbr64|cltq|cqto|cltd|cwtl|vzeroupper"
    r"|cld|[lms]fence|(rep[nz]*e?\s+)?(movs|stos|scas|cmps|lods)[bwlq]|rep\s+ret)\s*(#.*)?"
)
_JUMP = re.compile(r"\s*(notrack\s+)?(j[a-z]{1,4}|call)q?\s+\*?[.\w$%()@,+-]+\s*(#.*)?")
# A register, an immediate or a memory operand: prose has none of these.
_OPERATION = re.compile(r"\s*(lock\s+)?[a-z][a-z0-9]*\s+[^#]*(%[a-z]|\$-?[\w.(]|\()[^#]*(#.*)?")


def _bare(lines: list[str], truncated: bool) -> str | Malformed:
    for line in lines:
        if line.strip() and not _is_assembly(line):
            return Malformed(f"no code block, and not assembly: {line.strip()[:60]!r}")
    if truncated:
        return Malformed("truncated: it stopped at the token limit")
    return _finish(lines)


def _is_assembly(line: str) -> bool:
    label = _LABEL.match(line)
    rest = line[label.end() :] if label else line
    if not rest.strip():
        return True
    shapes = (_DIRECTIVE, _COMMENT, _ALONE, _JUMP, _OPERATION)
    return any(shape.fullmatch(rest) for shape in shapes)


def _finish(lines: list[str]) -> str | Malformed:
    body = "\n".join(lines).strip("\n")
    if not body.strip():
        return Malformed("the code block is empty")
    if not any(_LABEL.match(line) for line in body.split("\n")):
        return Malformed("the assembly defines no label")
    return body + "\n"


def feedback_prompt(verdict: Verdict) -> str:
    """The user's turn after a judged answer: verdict and evidence in a few lines, and what is
    wanted now. Evidence values are cut to one short line each."""
    lines = [f"The verdict on this code: {verdict.kind.value} ({verdict.kind.meaning})."]
    if verdict.detail:
        lines.append(_clip(verdict.detail, 400))
    lines += [
        f"{name}: {_clip(str(value), 200)}"
        for name, value in list(verdict.evidence.items())[:MAX_EVIDENCE]
        if isinstance(value, (str, int, float))
    ]
    if verdict.speedup is not None:
        s = verdict.speedup
        lines.append(
            f"Measured speedup over the baseline: {s.ratio:.2f} ({s.low:.2f} to {s.high:.2f})."
        )
    if verdict.kind in _RIGHT:
        lines.append("Write a faster version of the assembly code that computes the same.")
    else:
        lines.append("Correct the assembly code; it must do exactly what the given assembly does.")
    return "\n".join(lines) + f"\n{_TAIL}"


MAX_EVIDENCE = 6
_RIGHT = frozenset({VerdictKind.ACCEPTED, VerdictKind.NOT_FASTER, VerdictKind.UNCHANGED})


def _clip(text: str, width: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"


def conversation(
    c_source: str, assembly: str | None, earlier: tuple[Candidate, Verdict] | None = None
) -> list[dict[str, str]]:
    """Chat messages (role, content): the paper's prompt alone (without ``assembly`` the variant
    that shows none), or followed by one earlier answer and what the judge made of it."""
    prompt = c_only_prompt(c_source) if assembly is None else paper_prompt(c_source, assembly)
    messages = [{"role": "user", "content": prompt}]
    if earlier is not None:
        candidate, verdict = earlier
        answer = answer_text(candidate.text) if candidate.text else "```assembly\n```"
        messages.append({"role": "assistant", "content": answer})
        messages.append({"role": "user", "content": feedback_prompt(verdict)})
    return messages
