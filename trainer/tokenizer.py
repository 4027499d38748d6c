"""The tokeniser of the embedded model: BPE that never merges across the operands of a line.

A line is first cut into pieces, and only characters of one piece are ever merged:

- the mnemonic with the newline and tab before it and the tab behind it;
- a register, with the comma and blank behind it if it is followed by another operand; in the
  prompt's head, where it has no ``%``, its name and its width (``:64``), and the ISA level;
- a local label (``L3``, ``.L12``, ``X0``, ``D1``), with the colon where it is defined;
- up to three digits of any other number, from its left (the first with the ``$`` and sign of an
  immediate, the last with the comma and blank behind it); a name;
- punctuation, blanks and newlines.

So registers and local labels are one of two tokens wherever they stand, which is what a small
model has to copy, and numbers are spelled in threes. There is no byte-level mapping: tokens
are readable text. What is not ASCII (names in other scripts) is spelled in bytes, so that every
text comes back as it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from gccllm.errors import UsageError
from trainer.folders import replace_folder
from trainer.pairs import END, PAD, SPECIAL, read_pairs

__all__ = ["PIECES", "build", "load", "save", "train", "train_from"]

PIECES = "|".join(
    (
        r"\n?\t[a-z][a-z0-9.]*(?: [a-z][a-z0-9.]*)*\t?",
        r"%[a-z]+[0-9]*[a-z]*(?:\([0-7]\))?,? ?",
        r"\.?[LXD]\d+:?(?![\w.$])",
        r"(?<![\w.$%])(?:r(?:[a-d]x|[sd]i|[sb]p|\d+)|[xyz]mm\d+|k[0-7])(?![\w.$]) ?",
        r":(?:8|16|32|64|128|256|512)(?!\d) ?",
        r"x86-64(?:-v[2-4])?",
        r"\$-?\d{1,3}(?:(?!\d), ?)?|\d{1,3}(?:(?!\d), )?",
        r"[A-Za-z_]+",
        r"\),? ?",
        r", ?",
        r" +",
        r"\n+",
        r"\t+",
        r"[\s\S]",
    )
)
"""the pieces as a regular expression (Oniguruma); together they match every text"""

SMALLEST = 512
_LABELS = 64
_NUMBERS = 10
_LEAST_SEEDS = 100
_LINES_A_SEED = 1000
_ASCII = [chr(x) for x in range(32, 127)] + ["\t", "\n"]
_BYTES = [x for x in range(256) if x >= 127 or (x < 32 and chr(x) not in "\t\n")]


def train_from(data: Path, out: Path, vocabulary: int) -> int:
    """Train on the split "train" of the data folder, save to the folder ``out``; → its size."""
    texts = (text for pair in read_pairs(data, "train") for text in (pair.prompt, pair.answer))
    return train(texts, out, vocabulary)


def train(texts: Iterable[str], out: Path, vocabulary: int) -> int:
    """Train on ``texts`` and save as a Hugging Face folder ``out``; → the number of tokens.

    There may be fewer than ``vocabulary``, where the texts don't give that many. Raises UsageError
    for a vocabulary under 512, without any text, or if ``out`` can't be written.
    """
    wrapped = _wrap(build(texts, vocabulary))
    replace_folder(out, lambda part: save(wrapped, part))
    return len(wrapped)


def build(texts: Iterable[str], vocabulary: int) -> Any:
    """Train a ``tokenizers.Tokenizer`` on ``texts``; for errors see :func:`train`."""
    from tokenizers import Tokenizer, models, trainers

    if vocabulary < SMALLEST:
        raise UsageError(f"a vocabulary of {vocabulary} is too small; the least is {SMALLEST}")
    draft = Tokenizer(models.BPE())
    draft.pre_tokenizer = _splitter()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(SPECIAL) - len(_BYTES),
        min_frequency=2,
        initial_alphabet=_ASCII,
        show_progress=False,
        special_tokens=[],
    )
    draft.train_from_iterator(_with_seeds(texts), trainer)
    learned = json.loads(draft.to_str())["model"]
    longer = sorted((number, x) for x, number in learned["vocab"].items() if len(x) > 1)
    ordered = [
        *SPECIAL,
        *(f"<0x{x:02X}>" for x in _BYTES),
        *_ASCII,
        *(x for _, x in longer if set(x) <= set(_ASCII)),
    ]
    known = {token: number for number, token in enumerate(ordered)}
    # Merges of other characters fall away: those are spelled in bytes.
    merges = [(a, b) for a, b in learned["merges"] if {a, b, a + b} <= known.keys()]
    return _assemble(known, merges)


def _assemble(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, models

    made = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, byte_fallback=True))
    made.pre_tokenizer = _splitter()
    made.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    made.add_special_tokens([AddedToken(x, normalized=False) for x in SPECIAL])
    return made


def _wrap(made: Any) -> Any:
    """A ``tokenizers.Tokenizer`` as the ``PreTrainedTokenizerFast`` that transformers knows."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token=PAD,
        eos_token=END,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )


def save(tokenizer: Any, folder: str) -> None:
    """Write a ``PreTrainedTokenizerFast`` into ``folder``, under the name that transformers 4 knows
    too, and without traces of where it was loaded from."""
    tokenizer.save_pretrained(folder)
    path = Path(folder) / "tokenizer_config.json"
    content = json.loads(path.read_text())
    for name in ("backend", "is_local", "local_files_only"):
        content.pop(name, None)
    content["tokenizer_class"] = "PreTrainedTokenizerFast"
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")


def load(folder: Path) -> Any:
    """The ``PreTrainedTokenizerFast`` of a folder. Raises UsageError if there is none of ours."""
    from transformers import PreTrainedTokenizerFast

    if not (folder / "tokenizer.json").is_file():
        raise UsageError(f"no tokeniser in {folder}; gccllm-train tokenizer makes one")
    loaded = PreTrainedTokenizerFast.from_pretrained(str(folder))
    missing = [x for x in SPECIAL if x not in loaded.get_vocab()]
    if missing:
        raise UsageError(f"the tokeniser in {folder} lacks {missing[0]}; it is not one of ours")
    return loaded


def _splitter() -> Any:
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Split(Regex(PIECES), behavior="isolated")


def _with_seeds(texts: Iterable[str]) -> Iterator[str]:
    """``texts`` without special tokens, then every register and label often enough to be one token.

    Raises UsageError if there are no texts.
    """
    lines = -1
    for text in texts:
        lines = max(lines, 0) + text.count("\n")
        for mark in SPECIAL:
            text = text.replace(mark, "\n")
        yield text
    if lines < 0:
        raise UsageError("no pairs of the split train to learn a vocabulary from")
    seeds = [f"%{name}{after}" for name in _registers() for after in ("", ", ")]
    seeds += [f"{x}{n}{after}" for x in ("L", ".L") for n in range(_LABELS) for after in ("", ":")]
    seeds += [f"{x}{n}" for x in "XD" for n in range(_LABELS // 8)]
    head = [x for x in _registers() if x[0] in "rz"] + [f":{8 << n}" for n in range(7)]
    seeds += [f"{x}{after}" for x in head for after in ("", " ")]
    seeds += ["x86-64", *(f"x86-64-v{n}" for n in (2, 3, 4))]
    for sign in ("", "$", "$-"):
        seeds += [f"{sign}{n}{after}" for n in range(_NUMBERS) for after in ("", ", ")]
    for seed in seeds:
        # As often as what stands in one line of a thousand: that comes before names.
        yield f"{seed}\n" * max(_LEAST_SEEDS, lines // _LINES_A_SEED)


def _registers() -> list[str]:
    """All general and vector registers that compilers name, in all widths."""
    wide = "ax bx cx dx si di bp sp".split()
    names = [f"{prefix}{x}" for x in wide for prefix in ("r", "e", "")]
    names += [f"{x}l" for x in wide] + "al bl cl dl ah bh ch dh".split()
    names += [f"r{n}{suffix}" for n in range(8, 16) for suffix in ("", "d", "w", "b")]
    names += [f"{kind}mm{n}" for kind in "xyz" for n in range(16)]
    return [x for x in names if x not in ("axl", "bxl", "cxl", "dxl")]
