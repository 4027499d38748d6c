"""Folders of C programs with recordings, to and fro: as a dataset, and rows as programs again."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from gccllm.errors import UsageError
from gccllm.recordings import Expected, save_case
from trainer.corpus.program_rows import ProgramRow
from trainer.corpus.program_splits import grouped, save_dataset, split
from trainer.corpus.program_trial import LIBRARIES, Demands, Wanted
from trainer.corpus.programs import JudgedProgram
from trainer.corpus.trials import Lot, try_lots

__all__ = ["make_programs_dataset", "programs_in", "unfold"]


def programs_in(folder: Path) -> list[Wanted]:
    """Every NAME.c with NAME.tests/ beside it, in subfolders too; programs below one another's
    names are told apart by their folders. Raises UsageError if there is none."""
    found = []
    for source in sorted(folder.rglob("*.c")):
        tests = source.with_suffix(".tests")
        if tests.is_dir():
            name = "-".join(source.relative_to(folder).with_suffix("").parts)
            found.append(Wanted(name, source, tests, folder.resolve().name))
    if not found:
        raise UsageError(f"no NAME.c with NAME.tests/ in {folder}")
    return found


def make_programs_dataset(
    wanted: Sequence[Wanted],
    demands: Demands,
    out: Path,
    *,
    held: int | None = 0,
    seed: int = 0,
    jobs: int = 1,
    stop: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda line: None,
) -> str | None:
    """Try the programs and write those that pass as a dataset; → its Table 1, or None where
    ``stop()`` ended it first. ``held`` programs are for evaluation; None: the splits that
    ``wanted`` names are kept. Raises UsageError where none passes."""
    lots = [Lot(x.name, (x,)) for x in wanted]
    tried = try_lots(lots, demands, out, jobs=jobs, stop=stop, say=say)
    if tried is None:
        return None
    rows = grouped(list(tried.rows()))
    if not rows:
        why = ", ".join(f"{n} {x}" for x, n in tried.left_out.items())
        raise UsageError(f"no program passed: {why or 'see above'}")
    chosen = rows if held is None else split(rows, held, seed)
    about = {"origin": wanted[0].origin, "programs tried": str(len(wanted)), "seed": str(seed)}
    return save_dataset(out, chosen, tried.left_out, about)


def unfold(row: ProgramRow, folder: Path) -> JudgedProgram:
    """Write a row's program as NAME.c and NAME.tests/ into ``folder``; what is there under the
    name is replaced. Options are the row's flags, or -O3 where those are not known.

    Raises UsageError for a name that is none for a file, RecordingError for a bad test.
    """
    if not row.name or Path(row.name).name != row.name or row.name.startswith("."):
        raise UsageError(f"{row.name!r} is no name for a program")
    folder.mkdir(parents=True, exist_ok=True)
    source, tests = folder / f"{row.name}.c", folder / f"{row.name}.tests"
    shutil.rmtree(tests, ignore_errors=True)
    source.write_text(row.c_code, encoding="utf-8")
    for number, (given, output, extra) in enumerate(
        zip(row.inputs, row.outputs, row.extras, strict=True)
    ):
        expected = Expected(output.encode(), extra.exit_status)
        save_case(tests, str(number), given.encode(), extra.args, expected)
    return JudgedProgram(
        name=row.name,
        source=source,
        tests=tests,
        functions=(),
        options=tuple(row.flags.split()) or ("-O3",),
        libraries=LIBRARIES,
    )
