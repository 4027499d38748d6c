"""A small data folder of real assembly, and the tokeniser and nano model that go with it."""

from __future__ import annotations

import importlib.util
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gccllm.asm.normalise import function_text
from gccllm.asm.unit import parse
from gccllm.process import run
from trainer.pairs import KEEP_ANSWER, Pair, write_shard

EXAMPLES = Path(__file__).parents[2] / "examples"
NEEDED = ("torch", "transformers", "tokenizers", "pyarrow", "ctranslate2", "tensorboard")
_PLAIN = re.compile(r"\t(?:mov|add|sub|lea|cmp|test|imul|xor|and|or|sal|sar|shr)\w*\t")
_BY_ONE = re.compile(r"\t(add|sub)([lq])\t\$1, (%\w+)$")


@pytest.fixture(scope="session")
def functions(shared_cache: Path) -> list[str]:
    """Canonical text of every function of the examples, as gcc -O3 makes them."""
    found: list[str] = []
    for source in sorted(EXAMPLES.glob("*.c")):
        made = run(["gcc", "-S", "-O3", "-w", "-o", "-", str(source)], timeout=60)
        assert made.ok, made.error_line()
        unit = parse(made.stdout.decode())
        for name in unit.functions:
            lines = function_text(unit, name).splitlines()
            found.append("".join(f"{x}\n" for x in lines if not re.match(r"\s*\.(?!L)", x)))
    assert len(found) > 20
    return found


@pytest.fixture(scope="session")
def data(functions: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shards. A region is three plain lines; its answer writes ``inc`` and ``dec`` for
    additions of 1, and where there is none leaves it. Skips where the [train] extra is missing."""
    for name in NEEDED:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is missing; it comes with [train]")
    pairs = list(_pairs(functions))
    random.Random(1).shuffle(pairs)
    folder = tmp_path_factory.mktemp("data")
    write_shard(folder / "a.parquet", pairs[:200])
    write_shard(folder / "more" / "b.parquet", pairs[200:])
    return folder


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Two threads that wait for each other on busy cores take ten times as long."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="session")
def tokenizer_folder(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from trainer.tokenizer import train_from

    folder = tmp_path_factory.mktemp("tokenizer") / "tokenizer"
    train_from(data, folder, 1024)
    return folder


@pytest.fixture(scope="session")
def trained_run(
    data: Path, tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A nano that has learned enough for its answers to be more than noise: 120 steps."""
    from trainer.sft import Budget, Settings, train

    out = tmp_path_factory.mktemp("trained")
    budget = Budget(steps=120)
    train(Settings(data, tokenizer_folder, out, budget, size="nano", rows=4, length=256, every=60))
    return out


def _pairs(functions: list[str]) -> Iterator[Pair]:
    kept = 0
    for number, text in enumerate(functions):
        lines = text.splitlines()
        for at in range(2, len(lines) - 5):
            region = lines[at : at + 3]
            if not all(_PLAIN.match(x) for x in region):
                continue
            new = [_BY_ONE.sub(_shorter, x) for x in region]
            if new == region:
                kept += 1
                if kept % 8:
                    continue
            registers = sorted(set(re.findall(r"%\w+", " ".join(region))))
            prompt = "\n".join(
                [
                    "<|isa|>x86-64",
                    f"<|live_in|>{' '.join(registers)}",
                    f"<|live_out|>{' '.join(registers)}",
                    "<|free|>",
                    *lines[at - 2 : at],
                    "<|region|>",
                    *region,
                    "<|/region|>",
                    *lines[at + 3 : at + 5],
                    "",
                ]
            )
            yield Pair(
                prompt,
                KEEP_ANSWER if new == region else "".join(f"{x}\n" for x in new),
                family="by-one",
                package="",
                isa="x86-64",
                split="valid" if number % 8 == 0 else "train",
                provenance={"function": number, "line": at},
            )


def _shorter(match: re.Match[str]) -> str:
    word = {"add": "inc", "sub": "dec"}[match[1]]
    return f"\t{word}{match[2]}\t{match[3]}"
