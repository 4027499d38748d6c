"""Each project in each variant: built in a tree of its own, trained where it wants that, tested."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.projects.catalogue import Project
from gccllm.process import Completed, run

__all__ = [
    "BASELINE",
    "CONTROL",
    "VARIANTS",
    "Built",
    "Effort",
    "Unbuilt",
    "Variant",
    "build_variant",
    "shell",
]

BUILD_SECONDS = 1800.0
OPTIMIZE_SPARE_SECONDS = 1800.0
BASELINE, CONTROL = "gcc -O3", "A/A"
NATIVE = "-O3 -march=native -ffp-contract=off"


class Unbuilt(Exception):
    """A variant that can't be had here, with the reason."""


@dataclass(frozen=True)
class Variant:
    """``kind``: plain, pgo, bolt or gccllm; the last with ``isa`` and ``assurance`` ("": the
    default). ``wider``: it may use more than the baseline's instructions."""

    cc: str
    flags: str = "-O3"
    kind: str = "plain"
    isa: str = ""
    wider: bool = False
    assurance: str = ""


VARIANTS: Mapping[str, Variant] = {
    BASELINE: Variant("gcc"),
    CONTROL: Variant("gcc", kind="copy"),
    "gcc native": Variant("gcc", NATIVE, wider=True),
    "gcc PGO": Variant("gcc", kind="pgo"),
    "clang -O3": Variant("clang-19"),
    "clang native": Variant("clang-19", NATIVE, wider=True),
    "gcc BOLT": Variant("gcc", kind="bolt"),
    "gcc-llm target": Variant("gcc-llm", kind="gccllm", isa="target"),
    "gcc-llm target tests": Variant("gcc-llm", kind="gccllm", isa="target", assurance="tests"),
    "gcc-llm native": Variant("gcc-llm", kind="gccllm", isa="native", wider=True),
    "gcc-llm dispatch": Variant("gcc-llm", kind="gccllm", isa="dispatch"),
}


@dataclass(frozen=True)
class Effort:
    """How gcc-llm searches: seconds, and which proposers ("" for all that there are)."""

    budget: float
    proposers: str = ""


@dataclass
class Built:
    """The program of a variant; ``seconds`` all that it took to make (training and search
    included), ``suite`` whether the project's own tests pass with it. ``told`` is what gcc-llm's
    record says, after the ``effort`` that was made; both empty for other variants."""

    program: Path
    seconds: float
    suite: bool
    told: dict[str, object] = field(default_factory=dict)
    effort: Effort | None = None
    elsewhere: str = ""
    """the processor without this machine's newer instructions, emulated, that it was right on"""


def shell(script: str, folder: Path, environment: Mapping[str, str], seconds: float) -> Completed:
    """Run sh in a project's folder."""
    return run(["sh", "-c", script], timeout=seconds, cwd=folder, env=environment)


def build_variant(
    project: Project, name: str, source: Path, inputs: Path, work: Path, effort: Effort
) -> Built:
    """Build it below ``work``, and run the project's own tests. Raises Unbuilt."""
    variant = VARIANTS[name]
    cc = _compiler(variant.cc)
    tree = work / re.sub(r"[^\w.]+", "-", name)
    if tree.exists():
        shutil.rmtree(tree)
    shutil.copytree(source, tree, symlinks=True)
    environment = _environment(cc, variant.flags, inputs, work)
    started = time.monotonic()
    told: dict[str, object] = {}
    if variant.kind == "pgo":
        _profiled(project, tree, environment)
    elif variant.kind == "bolt":
        _bolted(project, tree, environment)
    elif variant.kind == "gccllm":
        told = _optimized(project, variant, tree, environment, work, effort)
    else:
        _must(shell(project.build, tree, environment, BUILD_SECONDS), "build")
    seconds = time.monotonic() - started
    suite = shell(project.suite, tree, environment, BUILD_SECONDS).ok
    made = effort if variant.kind == "gccllm" else None
    return Built(tree / project.program, seconds, suite, told, made)


def _compiler(name: str) -> str:
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise Unbuilt(f"no {name}")
    return found


def _environment(cc: str, flags: str, inputs: Path, work: Path) -> dict[str, str]:
    kept = {x: value for x, value in os.environ.items() if not x.startswith(("GCCLLM", "MAKE"))}
    own = {"CC": cc, "CFLAGS": flags, "LDFLAGS": "", "IN": str(inputs), "LC_ALL": "C"}
    return {**kept, **own, "GCCLLM_PYTHON": sys.executable}


def _must(done: Completed, what: str) -> None:
    if not done.ok:
        raise Unbuilt(f"{what}: {done.error_line()}")


def _profiled(project: Project, tree: Path, environment: Mapping[str, str]) -> None:
    """gcc's own profile-guided optimisation, trained by the workload."""
    flags = environment["CFLAGS"]
    training = {
        **environment,
        "CFLAGS": f"{flags} -fprofile-generate -fprofile-update=single",
        "LDFLAGS": "-fprofile-generate",
    }
    _must(shell(project.build, tree, training, BUILD_SECONDS), "build for training")
    _must(shell(project.workload, tree, training, BUILD_SECONDS), "training")
    for path in [*tree.rglob("*.o"), *tree.rglob("*.a"), tree / project.program]:
        path.unlink(missing_ok=True)
    using = {**environment, "CFLAGS": f"{flags} -fprofile-use -Wno-missing-profile"}
    _must(shell(project.build, tree, using, BUILD_SECONDS), "build with the profile")


def _bolted(project: Project, tree: Path, environment: Mapping[str, str]) -> None:
    """BOLT over gcc's program: instrumented, trained by the workload, laid out anew."""
    bolt = next((x for x in ("llvm-bolt", "llvm-bolt-19") if shutil.which(x)), None)
    if bolt is None:
        raise Unbuilt("no llvm-bolt (Debian: apt install bolt-19)")
    linking = {
        **environment,
        "CFLAGS": f"{environment['CFLAGS']} -fno-reorder-blocks-and-partition",
        "LDFLAGS": "-Wl,--emit-relocs",
    }
    _must(shell(project.build, tree, linking, BUILD_SECONDS), "build")
    program, profile = tree / project.program, tree / "bolt.fdata"
    plain = program.with_name(f"{program.name}.plain")
    program.replace(plain)
    instrument = [bolt, str(plain), "-instrument", "-o", str(program)]
    instrument += [f"--instrumentation-file={profile}", "--instrumentation-file-append-pid"]
    # llvm-bolt looks for it in /usr/lib, and Debian's package has it below
    place = Path("/usr/lib")
    for runtime in sorted(place.glob("llvm-*/lib/libbolt_rt_instr.a"))[-1:]:
        instrument.append(f"--runtime-instrumentation-lib={runtime.relative_to(place)}")
    _must(run(instrument, timeout=BUILD_SECONDS), "llvm-bolt -instrument")
    _must(shell(project.workload, tree, environment, BUILD_SECONDS), "training")
    counts = sorted(str(x) for x in tree.glob("bolt.fdata*"))
    merge = shutil.which("merge-fdata") or shutil.which("merge-fdata-19")
    if merge is None or not counts:
        raise Unbuilt("BOLT's training left no profile, or merge-fdata is missing")
    merged = run([merge, *counts], timeout=BUILD_SECONDS)
    _must(merged, "merge-fdata")
    profile.write_bytes(merged.stdout)
    arguments = ["-reorder-blocks=ext-tsp", "-reorder-functions=hfsort", "-split-functions"]
    laid = run(
        [bolt, str(plain), "-o", str(program), f"-data={profile}", *arguments],
        timeout=BUILD_SECONDS,
    )
    _must(laid, "llvm-bolt")


def _optimized(
    project: Project,
    variant: Variant,
    tree: Path,
    environment: dict[str, str],
    work: Path,
    effort: Effort,
) -> dict[str, object]:
    """The search, and then the build that everybody has afterwards: it applies what was found."""
    store = work / "-".join(x for x in ("store", variant.isa, variant.assurance) if x)
    shutil.rmtree(store, ignore_errors=True)
    own = {**environment, "GCCLLM_STORE": str(store), "GCCLLM_ISA": variant.isa}
    own |= {"GCCLLM_ASSURANCE": variant.assurance} if variant.assurance else {}
    report = tree / "gccllm-report.json"
    log = tree / "gccllm-optimize.log"
    command = [
        _compiler("gccllm"),
        *("optimize", "-v", "--isa", variant.isa, "--budget", str(effort.budget)),
        *(("--assurance", variant.assurance) if variant.assurance else ()),
        *(("--proposers", effort.proposers) if effort.proposers else ()),
        *("--build", project.build, "--workload", project.workload, "--check", project.check),
        *("--tests", str(tree / "recording"), "--report", str(report), project.program),
    ]
    done = run(command, timeout=effort.budget + OPTIMIZE_SPARE_SECONDS, cwd=tree, env=own)
    log.write_bytes(done.stdout + done.stderr)
    if not report.exists():
        raise Unbuilt(f"gccllm optimize: {done.error_line()}")
    told: dict[str, object] = json.loads(report.read_text())
    for path in [*tree.rglob("*.o"), *tree.rglob("*.a"), tree / project.program]:
        path.unlink(missing_ok=True)
    _must(shell(project.build, tree, own, BUILD_SECONDS), "build with what was found")
    return told
