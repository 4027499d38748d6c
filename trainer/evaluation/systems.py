"""Who is asked: models, and the two that they are held against, doing nothing and the teacher.

All answer through :class:`gccllm.proposers.decoding.Answers`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gccllm.errors import UsageError
from gccllm.proposers.answer_assembly import AnswerAssembler
from gccllm.proposers.answers import Sampling
from gccllm.proposers.decoding import Answer, Answers, Decoder
from gccllm.toolchain import Toolchain
from trainer.pairs import KEEP_ANSWER

__all__ = ["Fixed", "System", "opened_model"]


@dataclass(frozen=True)
class System:
    """A name for tables and whom to ask; ``masked`` holds answers to the grammar while they are
    made. ``teacher`` answers with what is known beforehand, and ``answers`` is not asked."""

    name: str
    answers: Answers
    masked: bool = True
    teacher: bool = False


class Fixed:
    """Answers with what it was given: prompt → answers in turn; ``keep`` to any other prompt.

    ``Fixed({})`` is doing nothing.
    """

    def __init__(self, known: Mapping[str, Sequence[str]]) -> None:
        self._known = known

    def answers(
        self,
        prompts: Sequence[str],
        sampling: Sampling,
    ) -> list[list[Answer]]:
        """See :class:`gccllm.proposers.decoding.Answers`; the last answer is repeated."""
        found = []
        for prompt in prompts:
            texts = list(self._known.get(prompt, ())) or [KEEP_ANSWER]
            padded = [texts[min(n, len(texts) - 1)] for n in range(sampling.samples)]
            found.append([Answer(x, 0.0, 0) for x in padded])
        return found


@contextmanager
def opened_model(folder: Path, tools: Toolchain) -> Iterator[Answers]:
    """A model folder, ready to be asked: one of CTranslate2's, or an ordinary Hugging Face one,
    which is then converted without quantisation (and gives the same greedy tokens as torch).

    Raises UsageError for a folder that is neither, ProposerError for one that can't be used.
    """
    assembler = AnswerAssembler(tools)
    if (folder / "model.bin").is_file():
        yield Decoder(folder, assembles=assembler.faults)
        return
    if not (folder / "config.json").is_file():
        raise UsageError(f"no model in {folder}")
    from trainer.export import export

    with tempfile.TemporaryDirectory(prefix="gccllm-eval-") as scratch:
        converted = Path(scratch) / "model"
        export(folder, converted, "float32")
        yield Decoder(converted, assembles=assembler.faults)
