"""``gccllm stats``: what gcc-llm did so far, counted."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from gccllm.commands.common import cell, existing_store, make_console
from gccllm.errors import StoreError
from gccllm.types import VerdictKind

__all__ = ["MEANINGS", "meaning", "stats"]

MEANINGS = {
    "outcome:optimized": "programs made faster",
    "outcome:applied": "programs that got stored rewrites at their link",
    "outcome:fallback": "programs left as gcc made them, after trying",
    "outcome:no-tests": "links without recordings or without carried units",
    "apply:applied": "units replaced by a stored rewrite at compile time",
    "apply:too-weak": "stored rewrites that are less sure than -fllm-assurance asks",
    "apply:no-rewrite": "units with known instructions but no rewrite for this ISA",
    "lock:applied": "units that got the rewrites of a lock file",
    "lock:bad-lock": "a lock file could not be read",
    "lock:damaged": "blocks of a lock file that do not hold together, left out",
    "lock:no-entry": "units that a lock file has nothing for",
    "lock:other-compiler": "units whose rewrites were locked for another compiler",
    "lock:refused": "units whose locked rewrites a gate or a rule refused",
    "lock:stale": "units that are no longer what their rewrites were locked for",
    "lock:too-weak": "locked rewrites that are less sure than -fllm-assurance asks",
    "reason:bad-lock": "a lock file could not be read",
    "reason:bad-option": "an option or a GCCLLM_ variable made no sense",
    "reason:bad-recording": "a recording could not be read",
    "reason:baseline-fails": "gcc's own program failed its recordings",
    "reason:baseline-unjudged": "gcc's own program could not be judged",
    "reason:driver-failed": "gccllm itself failed; -fllm-verbose shows where",
    "reason:io-error": "a file could not be read or written",
    "reason:lock-checked": "a lock file was judged again; gcc's program ships",
    "reason:lock-no-entry": "the lock file has nothing for the program's units",
    "reason:lock-not-linked": "the program with locked rewrites could not be linked",
    "reason:lock-other-compiler": "the rewrites were locked for another compiler",
    "reason:lock-refused": "a gate or a rule refused locked rewrites",
    "reason:lock-stale": "the units are no longer what their rewrites were locked for",
    "reason:lock-too-weak": "locked rewrites are less sure than -fllm-assurance asks",
    "reason:no-free-lane": "every timing core was busy",
    "reason:no-proposer": "there was nobody to ask for candidates",
    "reason:no-recordings": "no recordings were named for the program",
    "reason:no-sandbox": "no sandbox works here; see gccllm doctor",
    "reason:no-units": "no object was compiled with recordings announced",
    "reason:not-assured": "what was faster did not reach the assurance that was asked for",
    "reason:not-replaceable": "the linked program could not be replaced",
    "reason:nothing-faster": "no candidate passed the judge",
    "reason:proposer-unusable": "a proposer could not work (server down, package missing)",
    "reason:sandbox-broke": "the sandbox broke down",
    "reason:toolchain": "gcc, as or ld could not be used as needed",
    "reason:unreproducible": "the program could not be rebuilt from what it carries",
    "link:bad-option": "an option or a GCCLLM_ variable made no sense",
    "link:stored-too-weak": "stored rewrites that are less sure than -fllm-assurance asks",
    "link:store-unusable": "the store could not be opened",
    "driver-crashed": "gccllm failed; gcc's result was kept",
    "driver-killed": "gccllm took too long or was ended; gcc's result was kept",
    "no-python": "the Python that has gccllm was not found",
    "no-work-folder": "no temporary folder could be made",
    "special-output": "the assembly went to a pipe or a device: left alone",
}

_SHORT = {
    "blocks-never-run": "functions with new code that no examination entered",
    "coverage-unknown": "functions whose blocks could not be counted",
    "never-entered": "functions that no run called",
    "differential-undecided": "functions that could be examined alone, without a pass",
}


def stats(
    as_json: Annotated[bool, typer.Option("--json", help="as one JSON object")] = False,
) -> None:
    """Show all counters: outcomes, reasons for falling back, verdicts.

    \b
    Examples:
      gccllm stats
      gccllm stats --json | jq '."verdict:accepted"'
    """
    with existing_store() as store:
        counters = store.counters()
    if as_json:
        typer.echo(json.dumps(counters, indent=1))
        return
    if not counters:
        raise StoreError(f"nothing was counted yet in the store at {store.folder}")
    table = Table("what", "count", "meaning")
    for name, count in counters.items():
        shown = name.removeprefix("shim:")
        table.add_row(cell(shown), str(count), cell(meaning(shown)))
    make_console().print(table)


def meaning(name: str) -> str:
    """One line about a counter; nothing for one of another version."""
    kind, _, word = name.partition(":")
    if kind == "verdict":
        return {x.value: x.meaning for x in VerdictKind}.get(word, "")
    if kind == "assurance":
        return _SHORT.get(word, f"functions refused by the ladder: {word}")
    if kind == "ladder":
        rung, _, what = word.partition("-")
        return f"{rung}: {'no time was left for it' if what == 'no-time' else 'it failed'}"
    return MEANINGS.get(name, "")
