"""Pairs from packages: real compilers and harness on a C file of our own, no archive needed."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gccllm.errors import UsageError
from gccllm.harness.compare import Harness
from gccllm.proposers.idioms import Wirer
from gccllm.toolchain import Toolchain
from trainer.corpus.builds import BUILDS, baseline, compiled
from trainer.corpus.commands import app
from trainer.corpus.debian import (
    HELD_OUT_PACKAGES,
    PACKAGES,
    Source,
    SourceMissing,
    c_files,
    fetch,
    include_options,
    packages_named,
    preprocess,
)
from trainer.corpus.levels import LEVELS, features_of, level_of
from trainer.corpus.mining import Finding, Miner
from trainer.corpus.packages import (
    PackagePlan,
    make_package_shards,
    mine_file,
    store_shard,
)
from trainer.corpus.timing import Assumed, Timer
from trainer.pairs import KEEP_ANSWER, Pair, read_pairs

needs_parquet = pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is None, reason="[train] is missing: pyarrow"
)
LARGEST = """
int largest(const int *a, int n) {
    int m = a[0];
    for (int i = 1; i < n; i++) if (a[i] > m) m = a[i];
    return m;
}
"""
HELD, TRAINED = HELD_OUT_PACKAGES[0], "zlib"


def plan_in(folder: Path, *packages: str, parts: int = 1, keep_share: float = 0.6) -> PackagePlan:
    """Time limits that a busy machine does not reach."""
    return PackagePlan(
        folder / "pairs", folder / "cache", 1, packages, parts, keep_share, 120.0, 240.0
    )


def miner_of(tools: Toolchain, harness: Harness, speedup: float) -> Miner:
    return Miner(tools, harness, Assumed(speedup), region_seconds=120.0, function_seconds=240.0)


def put_source(folder: Path, package: str, files: dict[str, str]) -> Path:
    """A source as the script leaves it behind, so that nothing is fetched."""
    source = folder / "cache" / f"{package}.unpacked" / f"{package}-1.0"
    (source / "debian").mkdir(parents=True)
    (source / "debian" / "changelog").write_text(f"{package} (1.0-3) unstable; urgency=low\n")
    for name, text in files.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    (folder / "cache" / f"{package}.path").write_text(f"{source}\n")
    return source


@pytest.fixture(scope="module")
def tools() -> Toolchain:
    return Toolchain()


@pytest.fixture(scope="module")
def harness(shared_cache: Path, tools: Toolchain) -> Iterator[Harness]:
    with Harness(toolchain=tools) as open_harness:
        yield open_harness


@pytest.fixture(scope="module")
def findings(
    tools: Toolchain, harness: Harness, tmp_path_factory: pytest.TempPathFactory
) -> list[Finding]:
    """What is found for LARGEST when all that is equal counts as twice as fast."""
    folder = tmp_path_factory.mktemp("largest")
    unit = baseline(tools, LARGEST, folder)
    assert unit is not None
    gcc = [x for x in BUILDS if x.compiler == "gcc" and x.level == "x86-64-v2"]
    others = list(compiled(tools, LARGEST, gcc, folder))
    assert len(others) == 1
    miner = miner_of(tools, harness, 2.0)
    return list(miner.findings(unit, "largest", others, folder / "unit.o"))


def test_a_build_for_a_wider_level_is_found_and_equal(
    tools: Toolchain, harness: Harness, findings: list[Finding]
) -> None:
    better = [x for x in findings if x.best["x86-64-v2"] is not None]
    assert better
    wirer = Wirer(harness, features_of(tools.cc, LEVELS[-1]))
    for found in better:
        answer = found.best["x86-64-v2"]
        assert answer is not None
        assert answer.level == "x86-64-v2"
        assert not answer.family
        (result,) = wirer.compare(found.layout, found.region, [answer.lines], states=3000, seed=99)
        assert result.equal, result.detail
    texts = ["\n".join(x.best["x86-64-v2"].lines) for x in better if x.best["x86-64-v2"]]
    assert any("pmaxsd" in x for x in texts)


def test_an_answer_is_not_had_below_its_level(findings: list[Finding]) -> None:
    assert all(x.best["x86-64"] is None for x in findings)


def test_what_is_not_faster_gives_keep_pairs_only(
    tools: Toolchain, harness: Harness, tmp_path: Path
) -> None:
    counts: Counter[str] = Counter()
    (shard,) = plan_in(tmp_path, TRAINED).shards()
    miner = miner_of(tools, harness, 1.0)
    found = list(mine_file(tools, miner, shard, LARGEST, "largest.c", counts))
    assert found
    assert all(pair.keeps for _, pair in found)
    assert {pair.split for _, pair in found} <= {"train", "valid"}
    assert miner.counts["improved"] == 0
    assert miner.counts["regions"] == len(found)


def test_pairs_of_a_held_out_package_are_held_out(
    tools: Toolchain, harness: Harness, tmp_path: Path
) -> None:
    (shard,) = plan_in(tmp_path, HELD).shards()
    miner = miner_of(tools, harness, 2.0)
    pairs = [x for _, x in mine_file(tools, miner, shard, LARGEST, "largest.c", Counter())]
    assert {x.split for x in pairs} == {"heldout-package"}
    assert {x.package for x in pairs} == {HELD}
    better = [x for x in pairs if not x.keeps]
    assert better
    assert all(x.prompt.startswith(f"<|isa|>{x.isa}\n") for x in better)
    assert all(x.provenance["from"] and x.provenance["speedup"] == 2.0 for x in better)


@pytest.mark.slow
@needs_parquet
def test_an_interrupted_run_goes_on(shared_cache: Path, tmp_path: Path) -> None:
    other = LARGEST.replace("largest", "other").replace("a[i] > m", "a[i] > m + 3")
    put_source(tmp_path, HELD, {"a.c": LARGEST, "b.c": other, "tests/t.c": LARGEST})
    plan = plan_in(tmp_path, HELD, parts=2)
    first, second = plan.shards()
    first.path.parent.mkdir()
    first.path.write_bytes(b"made before")
    told = dict(make_package_shards(plan, 1))
    assert list(told) == [second.path]
    assert first.path.read_bytes() == b"made before"
    first.path.unlink()
    pairs = list(read_pairs(plan.out))
    assert pairs
    assert {x.provenance["version"] for x in pairs} == {"1.0-3"}
    assert {x.provenance["file"] for x in pairs} <= {"a.c", "b.c"}
    assert json.loads(second.path.with_suffix(".json").read_text()) == told[second.path]
    assert not dict(make_package_shards(plan_in(tmp_path, HELD, parts=2), 1)).keys() & told.keys()


def a_pair(answer: str, number: int) -> Pair:
    prompt = f"<|isa|>x86-64\n<|region|>\nL0:\n\tincq\t%r{number}\n<|/region|>\n"
    return Pair(prompt, answer, "", TRAINED, "x86-64", "train", {"number": number})


@needs_parquet
def test_a_region_is_in_one_shard_only(tmp_path: Path) -> None:
    first, second = plan_in(tmp_path, TRAINED, parts=2).shards()
    found = [(f"key{n}", a_pair("\tincq\t%rax\n", n)) for n in range(3)]
    assert len(store_shard(first, found[:2], Counter())) == 2
    counts: Counter[str] = Counter()
    (left,) = store_shard(second, found, counts)
    assert left.provenance["number"] == 2
    assert counts["pairs in another shard"] == 2
    # Made again it has what it had.
    assert len(store_shard(first, found[:2], Counter())) == 2


@needs_parquet
def test_keep_pairs_are_capped_and_say_the_real_proportion(tmp_path: Path) -> None:
    (shard,) = plan_in(tmp_path, TRAINED, keep_share=0.5).shards()
    found = [(f"b{n}", a_pair("\tincq\t%rax\n", n)) for n in range(20)]
    found += [(f"k{n}", a_pair(KEEP_ANSWER, n)) for n in range(300)]
    pairs = store_shard(shard, found, Counter({"regions": 320, "improved": 20}))
    kept = [x for x in pairs if x.keeps]
    assert (len(pairs), len(kept)) == (40, 20)
    assert {(x.provenance["regions"], x.provenance["unimproved"]) for x in kept} == {(320, 300)}


def test_the_timer_tells_a_loop_from_nothing(
    shared_cache: Path, tools: Toolchain, findings: list[Finding]
) -> None:
    found = next(x for x in findings if x.region.kind == "loop")
    lines = found.text.splitlines()
    with Timer(tools) as timer:
        measured = timer.speedups(found.layout, found.region, [lines, ["\tjmp\tX0"], lines])
    assert len(measured) == 3
    # 0 is for what can't be told; how fast anything was is not for a test to say.
    assert all(x >= 0 for x in measured)


def test_a_header_that_only_a_build_makes_is_taken_for_empty(
    tools: Toolchain, tmp_path: Path
) -> None:
    files = {
        "src/a.c": '#include "made.h"\n#include <config.h>\n#ifdef HAVE_STRLEN\nint there;\n#endif',
        "src/config.h.in": "#undef HAVE_STRLEN\n#undef HAVE_STRLCPY\n",
        "src/b.c": "#include <../../outside.h>\n",
        "examples/c.c": "int c;\n",
    }
    put_source(tmp_path, TRAINED, files)
    source = fetch(TRAINED, tmp_path / "cache")
    assert (source.package, source.version) == (TRAINED, "1.0-3")
    first, second = c_files(source)
    options = include_options(source)
    assert "int there;" in preprocess(tools, source, first, options)
    assert preprocess(tools, source, second, options) == ""


def test_levels_and_names(tools: Toolchain) -> None:
    assert level_of(tools.cc, frozenset(("POPCNT",))) == "x86-64-v2"
    assert level_of(tools.cc, frozenset(("AVX2",))) == "x86-64-v3"
    assert level_of(tools.cc, frozenset(("no such thing",))) is None
    assert set(HELD_OUT_PACKAGES) < set(PACKAGES)
    assert len(set(PACKAGES)) == len(PACKAGES) >= 40
    assert packages_named(()) == PACKAGES
    with pytest.raises(UsageError, match="zlib"):
        packages_named(["nonsense"])


@needs_parquet
def test_the_command_says_what_it_made(shared_cache: Path, tmp_path: Path) -> None:
    put_source(tmp_path, TRAINED, {"a.c": "int f(int x) { return x * 3; }\n"})
    arguments = ["packages", "--out", str(tmp_path / "pairs"), "--cache", str(tmp_path / "cache")]
    done = CliRunner().invoke(app, [*arguments, "--package", TRAINED, "--parts", "1"])
    assert done.exit_code == 0, done.output
    assert "1/1 zlib-1-00.parquet" in done.stderr


@pytest.mark.network
def test_a_package_comes_from_the_archive(tmp_path: Path, tools: Toolchain) -> None:
    try:
        source: Source = fetch("tinycdb", tmp_path)
    except SourceMissing as error:
        pytest.skip(str(error))
    assert source.version
    files, options = c_files(source), include_options(source)
    assert any(preprocess(tools, source, x, options) for x in files)
