"""Every wrong rewrite of twelve kernels is caught, and no right one is accused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gccllm.asm.code import functions_of
from gccllm.asm.region_text import render
from gccllm.asm.regions import Region, regions
from gccllm.asm.unit import Unit, parse
from gccllm.harness import ComparisonKind, Harness
from gccllm.harness.compare import widest_vectors
from tests.asm.tools import assemble
from tests.harness.kernels import KERNELS, lines_of

SOURCE = Path(__file__).parent / "kernels.s"
FEW = 2000
MANY = 100_000

Found = tuple[Unit, Mapping[str, Region]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    text = SOURCE.read_text()
    unit = parse(text)
    code = functions_of(assemble(text, tmp_path_factory.mktemp("kernels") / "kernels.o"))
    return unit, {name: regions(unit, name, code)[0] for name in KERNELS}


@pytest.fixture(scope="module")
def harness() -> Iterator[Harness]:
    with Harness() as opened:
        yield opened


def fitting(variants: Mapping[str, str], wide: Mapping[str, int]) -> dict[str, list[str]]:
    return {x: lines_of(t) for x, t in variants.items() if wide.get(x, 16) <= widest_vectors()}


@pytest.mark.parametrize("name", KERNELS)
def test_wrong_variants_are_caught(name: str, found: Found, harness: Harness) -> None:
    unit, region = found[0], found[1][name]
    wrong = fitting(KERNELS[name].wrong, KERNELS[name].wide)
    base = render(unit, region).splitlines()
    results = harness.compare(region, unit, base, [*wrong.values()], states=FEW, seed=1)
    caught = {ComparisonKind.DIFFERS, ComparisonKind.FAULTED, ComparisonKind.HUNG}
    missed = {x: r for x, r in zip(wrong, results, strict=True) if r.kind not in caught}
    assert not missed
    assert all(r.detail and r.state for r in results)


@pytest.mark.parametrize("name", KERNELS)
def test_right_variants_are_not_accused(name: str, found: Found, harness: Harness) -> None:
    unit, region = found[0], found[1][name]
    right = fitting(KERNELS[name].right, KERNELS[name].wide)
    base = render(unit, region).splitlines()
    results = harness.compare(region, unit, base, [base, *right.values()], states=MANY, seed=2)
    for label, result in zip(("itself", *right), results, strict=True):
        assert result.kind is ComparisonKind.EQUAL, (label, result)
        assert result.run + result.skipped == MANY
        assert result.run > MANY // 4


def test_a_state_is_replayed_by_its_seed(found: Found, harness: Harness) -> None:
    unit, region = found[0], found[1]["sum"]
    base = render(unit, region).splitlines()
    wrong = lines_of(KERNELS["sum"].wrong["no tail"])
    alone = harness.compare(region, unit, base, [wrong], states=FEW, seed=7)
    together = harness.compare(region, unit, base, [base, wrong], states=FEW, seed=7)
    other = harness.compare(region, unit, base, [wrong], states=FEW, seed=8)
    assert alone[0] == together[1]
    assert alone[0].state != other[0].state
