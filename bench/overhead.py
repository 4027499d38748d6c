"""What gcc-llm costs over plain gcc: CPU time (user + system of all children), interleaved runs.

Cases: ``pass`` (empty store: front and shim only), ``miss`` (an index without this unit), ``hit``
(an index with this unit; the rewrite is left to the installed driver, or to ``--python``).

    python -m bench.overhead --case pass --case miss --runs 40 --json overhead.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from gccllm.asm.normalise import fingerprint, unit_key
from gccllm.store import Rewrite, Store, UnitKey
from gccllm.toolchain import Toolchain
from gccllm.types import Speedup

__all__ = ["CASES", "Row", "measure"]

ROOT = Path(__file__).resolve().parents[1]
CASES = {"pass": 1.0, "miss": 2.0, "hit": 25.0}
"""Goal of each case: CPU milliseconds over plain gcc."""

SOURCE = """#include <stdio.h>
int work(const int *p, int n) { int s = 0; for (int i = 0; i < n; i++) s += p[i] * p[i]; return s; }
int main(int argc, char **argv) { printf("%d\\n", work(&argc, argc)); return 0; }
"""


@dataclass(frozen=True)
class Row:
    """One case. Times are CPU milliseconds a compilation; ``low``/``high`` bound the median of the
    paired differences at 95% (bootstrap)."""

    case: str
    runs: int
    gcc_ms: float
    gcc_llm_ms: float
    over_ms: float
    low: float
    high: float
    goal_ms: float


def cpu_of(argv: list[str], folder: Path, env: dict[str, str]) -> float:
    """CPU seconds of one command and all its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, cwd=folder, env=env, check=True, timeout=120)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def lay_out(prefix: Path) -> Path:
    """An installation of its own; returns its front."""
    libexec, front = prefix / "libexec" / "gccllm", prefix / "bin" / "gcc-llm"
    libexec.mkdir(parents=True)
    front.parent.mkdir()
    shutil.copy(ROOT / "wrapper" / "bin" / "gcc-llm", front)
    build = [str(ROOT / "scripts" / "build-shim"), str(libexec / "cc1")]
    subprocess.run(build, check=True, timeout=120)
    shutil.copy(libexec / "cc1", libexec / "collect2")
    return front


def fill_store(store: Path, case: str, folder: Path, env: dict[str, str]) -> None:
    """A store with nothing, with rewrites of other units, or with one of main.c's too."""
    store.mkdir()
    if case == "pass":
        return
    subprocess.run(["gcc", "-O3", "-S", "main.c"], cwd=folder, env=env, check=True, timeout=60)
    baseline = (folder / "main.s").read_bytes()
    text = baseline.decode()
    toolchain = Toolchain("gcc")
    rewrite = Rewrite(
        key=UnitKey(unit_key(text), toolchain.identity.digest, toolchain.isa("target", ()).name),
        fingerprint=fingerprint(baseline),
        unit="main",
        baseline_sha=hashlib.sha256(baseline).hexdigest(),
        baseline=text,
        text=text.replace("\tret\n", "\tnop\n\tret\n"),
        functions=("work",),
        proposer="bench",
        label="a nop",
        assurance="tests",
        speedup=Speedup(1.1, 1.1, 1.1, 20),
        evidence={},
        program="main",
    )
    with Store(store) as opened:
        if case == "hit":
            opened.put(rewrite)
        for number in range(50):
            other = UnitKey(str(number), rewrite.key.compiler, rewrite.key.isa)
            opened.put(
                replace(rewrite, key=other, fingerprint=random.Random(number).getrandbits(64))
            )


def interval(differences: list[float]) -> tuple[float, float]:
    """95% bootstrap interval of the median."""
    rng = random.Random(0)
    medians = sorted(
        statistics.median(rng.choices(differences, k=len(differences))) for _ in range(2000)
    )
    return medians[50], medians[1949]


def measure(case: str, runs: int, python: str) -> Row:
    """Compile one small file ``runs`` times with each compiler, in turn."""
    with tempfile.TemporaryDirectory(prefix="gccllm-bench-") as name:
        folder = Path(name)
        (folder / "main.c").write_text(SOURCE)
        front = lay_out(folder / "prefix")
        kept = {k: v for k, v in os.environ.items() if not k.startswith("GCCLLM")}
        env = {**kept, "GCCLLM_STORE": str(folder / "store"), "GCCLLM_PYTHON": python}
        fill_store(folder / "store", case, folder, env)
        times: dict[str, list[float]] = {"gcc": [], str(front): []}
        for run in range(runs + 2):
            order = list(times)
            random.Random(run).shuffle(order)
            for compiler in order:
                spent = cpu_of([compiler, "-O3", "-c", "main.c"], folder, env)
                if run >= 2:  # the first two fill caches
                    times[compiler].append(spent * 1e3)
        subprocess.run([str(front), "-O3", "-S", "main.c"], cwd=folder, env=env, check=True)
        if ("\tnop\n" in (folder / "main.s").read_text()) != (case == "hit"):
            raise SystemExit(f"{case}: a rewrite was applied where none is, or the reverse")
    plain, ours = times.values()
    differences = [ours[i] - plain[i] for i in range(runs)]
    low, high = interval(differences)
    return Row(
        case=case,
        runs=runs,
        gcc_ms=round(statistics.median(plain), 2),
        gcc_llm_ms=round(statistics.median(ours), 2),
        over_ms=round(statistics.median(differences), 2),
        low=round(low, 2),
        high=round(high, 2),
        goal_ms=CASES[case],
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--case", action="append", choices=list(CASES), help="default: all")
    parser.add_argument("--runs", type=int, default=40, help="pairs of runs a case (>= 20)")
    parser.add_argument("--python", default=sys.executable, help="the Python that has gccllm")
    parser.add_argument("--json", type=Path, help="write the rows here too")
    chosen = parser.parse_args()
    rows = [measure(x, max(20, chosen.runs), chosen.python) for x in chosen.case or CASES]
    print(f"{'case':6}{'gcc ms':>9}{'gcc-llm ms':>12}{'over ms':>9}   {'95%':14}{'goal':>6}")
    for row in rows:
        bounds = f"{row.low:.2f}…{row.high:.2f}"
        print(
            f"{row.case:6}{row.gcc_ms:9.2f}{row.gcc_llm_ms:12.2f}{row.over_ms:9.2f}   "
            f"{bounds:14}{row.goal_ms:6.0f}"
        )
    text = json.dumps([asdict(row) for row in rows], indent=2)
    if chosen.json is not None:
        chosen.json.write_text(text + "\n")
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
