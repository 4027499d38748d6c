"""The tokeniser loses nothing of real assembly and never merges across operands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gccllm.errors import UsageError
from trainer.pairs import SPECIAL, read_pairs
from trainer.tokenizer import load, train


@pytest.fixture
def tokenizer(tokenizer_folder: Path) -> Any:
    return load(tokenizer_folder)


def encode(tokenizer: Any, text: str) -> list[str]:
    tokens = tokenizer.convert_ids_to_tokens(tokenizer.encode(text, add_special_tokens=False))
    assert isinstance(tokens, list)
    return tokens


def back(tokenizer: Any, text: str) -> str:
    decoded = tokenizer.decode(tokenizer.encode(text, add_special_tokens=False))
    assert isinstance(decoded, str)
    return decoded


def test_every_function_comes_back(tokenizer: Any, functions: list[str]) -> None:
    for text in functions:
        assert back(tokenizer, text) == text


def test_every_pair_comes_back(tokenizer: Any, data: Path) -> None:
    for pair in read_pairs(data):
        for text in (pair.prompt, pair.answer):
            assert back(tokenizer, text) == text


@pytest.mark.parametrize(
    "text",
    [
        "\tlock cmpxchgq\t%rcx, (%rdi,%rax,8)\n",
        '\tmovq\t"größe 名"(%rip), %rax\n',
        "a\r\n\x00\x01\x7f\u2028 \t\t\n\n",
        "\tfld\t%st(1)\n\tvpaddd\t.LC0(%rip){1to16}, %zmm31, %zmm1{%k1}{z}\n",
        " , ,  <|isa|> <|end|><|end|> , <| %",
        "<0x41>",
        "",
    ],
)
def test_any_text_comes_back(tokenizer: Any, text: str) -> None:
    assert back(tokenizer, text) == text


def test_pieces_of_a_line(tokenizer: Any) -> None:
    line = "\n\tmovl\t$-1234, 8(%rsp,%r9,4)\n\taddl\t%eax, %r11d\n"
    tokens = encode(tokenizer, line)
    assert "".join(tokens) == line
    assert "%r11d" in tokens
    assert "%eax, " in tokens
    number = tokens[1 : tokens.index("(")]
    assert number[0].startswith("$-")
    assert all(sum(x.isdigit() for x in token) <= 3 for token in number), "in threes at most"
    assert "".join(number).partition(", ")[2] == "8"
    assert not any("%" in x[1:] for x in tokens)


@pytest.mark.parametrize(
    "name",
    ["%rax", "%r15b", "%xmm9", "%ymm15", "%sil", "L0", ".L41", "X3", "r11", ":512", "x86-64-v3"],
)
def test_registers_and_labels_are_one_token(tokenizer: Any, name: str) -> None:
    assert encode(tokenizer, name) == [name]


def test_special_tokens(tokenizer: Any) -> None:
    assert encode(tokenizer, "".join(SPECIAL)) == list(SPECIAL)
    assert (tokenizer.pad_token, tokenizer.eos_token) == ("<|pad|>", "<|end|>")
    assert tokenizer.pad_token_id == 0


def test_it_is_the_same_each_time(tokenizer: Any, data: Path, tmp_path: Path) -> None:
    from trainer.tokenizer import train_from

    assert train_from(data, tmp_path / "again", 1024) == len(tokenizer)
    assert load(tmp_path / "again").get_vocab() == tokenizer.get_vocab()


def test_transformers_loads_the_folder(tokenizer_folder: Path, functions: list[str]) -> None:
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(str(tokenizer_folder))
    assert back(loaded, functions[0]) == functions[0]


def test_a_folder_of_something_else_is_not_replaced(data: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="not replaced"):
        train(["\tret\n"], tmp_path, 1024)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_what_can_not_be_learned_from(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too small"):
        train(["\tret\n"], tmp_path / "x", 100)
    with pytest.raises(UsageError, match="no pairs"):
        train([], tmp_path / "x", 1024)
    with pytest.raises(UsageError, match="no tokeniser"):
        load(tmp_path)
    assert not (tmp_path / "x").exists()
