"""Project_CodeNet as a dataset of whole programs, the way the paper made its own (section 3.2).

What is read of the corpus, in its own layout::

    data/pNNNNN/C/sNNNNNNNNN.c          submissions
    metadata/pNNNNN.csv                 who wrote what, in which language, and its fate
    derived/duplicates/C/clusters/*     near-duplicates
    derived/duplicates/identical_problem_clusters

Inputs come from elsewhere (those of AlphaCode: ``TESTS/pNNNNN/input.K.txt``); outputs are made by
running the programs. The first accepted submissions to each problem are tried, and those kept whose
time at -O0 is many times that at -O3.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gccllm.errors import UsageError
from trainer.corpus.duplicates import codenet_clusters, identical_problems
from trainer.corpus.program_splits import grouped, save_dataset, split, top
from trainer.corpus.program_trial import Demands, Wanted
from trainer.corpus.trials import Lot, try_lots

__all__ = ["CodeNet", "make_codenet", "submissions"]

ORIGIN = "codenet"
ACCEPTED, LANGUAGE = "Accepted", "C"


@dataclass(frozen=True)
class CodeNet:
    """Where the corpus and the inputs lie, and how many programs are wanted. ``a_problem``
    submissions to each problem are tried; ``most`` programs with the best ratios are kept, ``held``
    of them for evaluation, by groups drawn with ``seed``."""

    codenet: Path
    tests: Path
    a_problem: int = 10
    most: int = 8072
    held: int = 200
    seed: int = 0


def submissions(corpus: CodeNet) -> Iterator[Lot]:
    """A lot a problem that has tests: its first accepted C submissions, in the csv's order.

    Raises UsageError where there is no metadata or a file of it is damaged.
    """
    folder = corpus.codenet / "metadata"
    tables = sorted(x for x in folder.glob("p*.csv") if x.stem != "problem_list")
    if not tables:
        raise UsageError(f"no metadata/pNNNNN.csv in {corpus.codenet}: is it a Project_CodeNet?")
    for table in tables:
        tests = corpus.tests / table.stem
        if not any(tests.glob("input.*.txt")):
            continue
        names = _accepted(table)[: corpus.a_problem]
        sources = ((x, corpus.codenet / "data" / table.stem / LANGUAGE / f"{x}.c") for x in names)
        wanted = tuple(
            Wanted(name, path, tests, ORIGIN, table.stem) for name, path in sources if path.exists()
        )
        if wanted:
            yield Lot(table.stem, wanted)


def _accepted(table: Path) -> list[str]:
    try:
        with table.open(newline="", encoding="utf-8") as file:
            return [
                x["submission_id"]
                for x in csv.DictReader(file)
                if x["language"] == LANGUAGE and x["status"] == ACCEPTED
            ]
    except (KeyError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{table} is no table of submissions: {error!r}") from error


def make_codenet(
    corpus: CodeNet,
    demands: Demands,
    out: Path,
    *,
    jobs: int,
    stop: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda line: None,
) -> str | None:
    """Try the submissions, choose, split, and write the dataset into ``out``; → its Table 1, or
    None where ``stop()`` ended it first (the same call goes on).

    Raises UsageError where nothing is to be had.
    """
    lots = list(submissions(corpus))
    if not lots:
        raise UsageError(f"no problem of {corpus.codenet} has inputs in {corpus.tests}")
    tried = try_lots(lots, demands, out, jobs=jobs, stop=stop, say=say)
    if tried is None:
        return None
    rows = grouped(
        list(tried.rows()), codenet_clusters(corpus.codenet), identical_problems(corpus.codenet)
    )
    if not rows:
        raise UsageError("no submission met the demands: " + _why(tried.left_out))
    chosen = split(top(rows, corpus.most), corpus.held, corpus.seed)
    about = {
        "origin": ORIGIN,
        "codenet": str(corpus.codenet.resolve()),
        "tests": str(corpus.tests.resolve()),
        "least ratio": f"{demands.least_ratio:g}",
        "submissions tried": str(sum(len(x.wanted) for x in lots)),
        "seed": str(corpus.seed),
    }
    left_out = {**tried.left_out, "not among the best by ratio": len(rows) - len(chosen)}
    return save_dataset(out, chosen, {k: n for k, n in left_out.items() if n}, about)


def _why(left_out: dict[str, int]) -> str:
    return ", ".join(f"{n} {why}" for why, n in left_out.items()) or "none was tried"
