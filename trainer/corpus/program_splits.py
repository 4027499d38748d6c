"""From rows to a dataset: the best by ratio, splits that share no problem and no copy, Table 1."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trainer.corpus.duplicates import Groups, code_fingerprint
from trainer.corpus.program_rows import ProgramRow, write_program_rows
from trainer.folders import replace_file

__all__ = ["PAPER_TABLE", "Shape", "grouped", "leaks", "save_dataset", "shape_of", "split", "top"]


@dataclass(frozen=True)
class Shape:
    """A line of the paper's Table 1: lines of code are those that are not blank."""

    programs: int
    tests: float
    c_lines: float
    assembly_lines: float


PAPER_TABLE: Mapping[str, Shape] = {
    "train": Shape(7872, 8.86, 22.3, 130.3),
    "val": Shape(200, 8.92, 21.9, 133.3),
}
"""of the paper: Table 1"""


def grouped(
    rows: Sequence[ProgramRow],
    clusters: Iterable[Sequence[str]] = (),
    problems: Iterable[Sequence[str]] = (),
) -> list[ProgramRow]:
    """The rows with ``group`` set. In one group are programs of one problem, of problems that are
    listed together, of one cluster of names, or with the same code but for names and numbers."""
    groups = Groups()
    for row in rows:
        keys = [f"problem {row.problem}"] if row.problem else []
        groups.merge([f"name {row.name}", f"code {code_fingerprint(row.c_code)}", *keys])
    for problem in problems:
        groups.merge(f"problem {x}" for x in problem)
    names = {x.name for x in rows}
    for cluster in clusters:
        groups.merge(f"name {x}" for x in cluster if x in names)
    return [replace(x, group=groups.of(f"name {x.name}")) for x in rows]


def top(rows: Sequence[ProgramRow], most: int) -> list[ProgramRow]:
    """The ``most`` rows that gain most from -O0 to -O3, the greatest first."""
    return sorted(rows, key=lambda x: (-x.ratio, x.name))[:most]


def split(rows: Sequence[ProgramRow], held: int, seed: int) -> list[ProgramRow]:
    """The rows with ``split`` set: whole groups, in an order drawn by ``seed``, are "val" until
    there are ``held`` rows (a group that would be too many stays in "train")."""
    sizes = Counter(x.group for x in rows)

    def drawn(group: str) -> str:
        return hashlib.sha256(f"{seed} {group}".encode()).hexdigest()

    chosen: set[str] = set()
    left = held
    for group in sorted(sizes, key=drawn):
        if sizes[group] <= left:
            chosen.add(group)
            left -= sizes[group]
    return [replace(x, split="val" if x.group in chosen else "train") for x in rows]


def leaks(rows: Iterable[ProgramRow]) -> dict[str, int]:
    """Split → programs of it whose code, but for names and numbers, is in "train" as well."""
    codes: dict[str, list[str]] = {}
    for row in rows:
        codes.setdefault(row.split, []).append(code_fingerprint(row.c_code))
    train = set(codes.pop("train", []))
    return {name: sum(x in train for x in found) for name, found in codes.items()}


def shape_of(rows: Sequence[ProgramRow]) -> Shape:
    """Averages over ``rows``; zeros for none."""
    count = len(rows)
    if not count:
        return Shape(0, 0.0, 0.0, 0.0)
    return Shape(
        count,
        sum(len(x.inputs) for x in rows) / count,
        sum(_lines(x.c_code) for x in rows) / count,
        sum(_lines(x.assembly) for x in rows) / count,
    )


def save_dataset(
    out: Path,
    rows: Sequence[ProgramRow],
    left_out: Mapping[str, int],
    about: Mapping[str, str],
) -> str:
    """Write a parquet file a split, ``dataset.json``, and Table 1 as ``dataset.md``; → the table.

    ``left_out``: reason → programs; ``about``: what made the dataset, for people.
    """
    by_split: dict[str, list[ProgramRow]] = {}
    for row in rows:
        by_split.setdefault(row.split, []).append(row)
    for name, chosen in by_split.items():
        write_program_rows(out / f"{name}.parquet", chosen)
    shapes = {name: shape_of(chosen) for name, chosen in by_split.items()}
    leaked = leaks(rows)
    content = {
        "about": dict(about),
        "splits": {name: vars(x) for name, x in shapes.items()},
        "left_out": dict(left_out),
        "leaks": leaked,
        "baselines": dict(Counter(x.baseline for x in rows)),
    }
    text = _table(shapes, left_out, leaked)
    replace_file(out / "dataset.json", lambda p: p.write_text(json.dumps(content, indent=1) + "\n"))
    replace_file(out / "dataset.md", lambda p: p.write_text(text))
    return text


def _table(
    shapes: Mapping[str, Shape], left_out: Mapping[str, int], leaked: Mapping[str, int]
) -> str:
    lines = [
        "| split | programs | tests | lines of C | lines of assembly |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, shape in shapes.items():
        lines.append(_line(name, shape))
        if name in PAPER_TABLE:
            lines.append(_line(f"{name}, paper's Table 1", PAPER_TABLE[name]))
    if left_out:
        shown = ", ".join(f"{n} {why}" for why, n in sorted(left_out.items(), key=lambda x: -x[1]))
        lines += ["", f"Left out: {shown}."]
    for name, count in leaked.items():
        lines += ["", f"{count} programs of {name} are in train too, but for names and numbers."]
    return "\n".join(lines) + "\n"


def _line(name: str, x: Shape) -> str:
    shown = f"{x.tests:.2f} | {x.c_lines:.1f} | {x.assembly_lines:.1f}"
    return f"| {name} | {x.programs:,} | {shown} |"


def _lines(text: str) -> int:
    return sum(1 for x in text.splitlines() if x.strip())
