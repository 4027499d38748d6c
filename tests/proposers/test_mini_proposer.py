"""The proposer: what of a model's answers becomes a candidate, in which order, and what not."""

from __future__ import annotations

import math
import re
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from gccllm.asm.splice import Spliced, splice
from gccllm.asm.unit import parse
from gccllm.errors import ProposerError, SandboxUnavailable
from gccllm.harness.compare import Harness
from gccllm.process import run
from gccllm.proposers import weights as weights_module
from gccllm.proposers.answers import Answer, Sampling
from gccllm.proposers.base import Attempt, Task, identity_of
from gccllm.proposers.choose import make
from gccllm.proposers.mini import HOTTER, TEMPERATURE, MiniProposer, shares_of
from gccllm.proposers.weights import Weights
from gccllm.toolchain import Toolchain
from gccllm.types import Candidate, HotFunction, Isa, Speedup, Verdict, VerdictKind

POPCOUNT = "int f(unsigned long x) { int n = 0; while (x) { n += x & 1; x >>= 1; } return n; }"
Write = Callable[[str], Sequence[str]]


@dataclass
class Scripted:
    """Answers by a function of the region's text; the n-th of them, from 1, is as likely as e**-n,
    and the first the one that is greedy. Where it writes none, ``keep`` is certain."""

    write: Write
    prompts: list[str] = field(default_factory=list)
    asked: list[tuple[float, bool]] = field(default_factory=list)

    def answers(
        self,
        prompts: Sequence[str],
        sampling: Sampling,
    ) -> list[list[Answer]]:
        assert sampling.masked, "the product holds the model to the grammar"
        self.prompts += prompts
        self.asked.append((sampling.temperature, sampling.greedy))
        found = []
        for prompt in prompts:
            region = prompt.split("<|region|>\n")[1].split("<|/region|>\n")[0]
            written = self.write(region)
            texts = [*written, *["keep"] * (sampling.samples + 1)]
            first = 1 if written else 0
            numbered = [Answer(x, -float(n), 10) for n, x in enumerate(texts, first)]
            found.append(
                numbered[: sampling.samples]
                if sampling.greedy
                else numbered[1 : sampling.samples + 1]
            )
        return found


def slower(region: str) -> str:
    """The same in more instructions."""
    return re.sub(r"\n\t", "\n\tnop\n\t", region, count=1)


def wrong(region: str) -> str:
    return region.replace("\tshrq\t%rdi", "\tshrq\t$2, %rdi")


def task_of(folder: Path, source: str = POPCOUNT, *, samples: int = 48) -> Task:
    tools = Toolchain()
    argv = [tools.cc, "-O3", "-S", "-x", "c", "-", "-o", "-"]
    done = run(argv, timeout=30, stdin=source.encode())
    assert done.ok, done.stderr
    return Task(
        unit="unit",
        baseline=done.stdout.decode(),
        functions=(HotFunction("f", 1.0),),
        isa=tools.isa("target", ()),
        scratch=folder,
        deadline=time.monotonic() + 120.0,
        samples=samples,
    )


def proposer(write: Write) -> tuple[MiniProposer, Scripted]:
    scripted = Scripted(write)
    return MiniProposer(source=lambda folder: scripted), scripted


def test_what_holds_is_offered_the_rest_is_counted(tmp_path: Path, own_store: Path) -> None:
    model, _ = proposer(lambda x: [wrong(x), "keep", x, slower(x), slower(slower(x))])
    task = task_of(tmp_path, samples=60)
    found = list(model.propose(task))
    assert found
    for candidate in found:
        assert (candidate.proposer, candidate.unit, candidate.functions) == (
            "model",
            "unit",
            ("f",),
        )
        assert candidate.text.count("\tnop\n") > task.baseline.count("\tnop\n")
        done = splice(parse(task.baseline), parse(candidate.text), ["f"], tag="t")
        assert isinstance(done, Spliced)
        assert "$2, %rdi" not in candidate.text
    assert len({x.label for x in found}) == len(found)
    assert model.counts["offered"] == len(found)
    assert model.counts["copy"] > 0
    assert model.counts["keep"] > model.counts["copy"]
    assert model.counts["differs"] > 0
    assert (
        sum(model.counts[x] for x in ("keep", "copy", "differs", "offered"))
        == (model.counts["answers"])
    )
    events = (own_store / "events").read_text().split()
    assert events.count("model-dropped:differs") == model.counts["differs"]


def test_the_likeliest_of_a_region_comes_first(tmp_path: Path) -> None:
    model, _ = proposer(lambda x: [slower(x), slower(slower(x)), slower(slower(slower(x)))])
    found = list(model.propose(task_of(tmp_path)))
    places = [re.fullmatch(r"(.*), sample (\d) \((.*)\)", x.label) for x in found]
    by_region: dict[str, list[str]] = {}
    for match in places:
        assert match is not None
        by_region.setdefault(match[1], []).append(match[2])
        assert match[3] == ("greedy" if match[2] == "1" else f"temperature {TEMPERATURE:g}")
    assert set(map(tuple, by_region.values())) == {("1", "2", "3")}


@pytest.mark.parametrize("level", ["x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"])
def test_the_prompt_names_the_level(tmp_path: Path, level: str) -> None:
    model, scripted = proposer(lambda x: [])
    features = Toolchain().isa("target", (f"-march={level}",)).features
    task = replace(task_of(tmp_path), isa=Isa("target", "test", features))
    assert list(model.propose(task)) == []
    assert scripted.prompts
    assert len(set(scripted.prompts)) == len(scripted.prompts)
    assert all(x.startswith(f"<|isa|>{level}\n") for x in scripted.prompts)


def test_innermost_loops_are_asked_about_first(tmp_path: Path) -> None:
    model, scripted = proposer(lambda x: [])
    source = (
        "int f(int *p, int n, int m) { int s = 0; for (int i = 0; i < n; i++) {"
        " for (int j = 0; j < m; j++) s = s * 31 + p[j] / 7; s ^= i; } return s; }"
    )
    assert list(model.propose(task_of(tmp_path, source))) == []
    regions = [x.split("<|region|>\n")[1].split("<|/region|>")[0] for x in scripted.prompts]
    assert "imul" in regions[0]
    assert "xorl" not in regions[0]
    assert any("xorl" in x for x in regions[1:])


def test_text_that_no_assembler_may_see_is_malformed(tmp_path: Path) -> None:
    """Whoever answers: a server may be older, or not what it says."""
    hostile = ['\t.incbin\t"/etc/passwd"\n', "\tsyscall\n", "\tjmp\tmain\n", "L0:\nL0:\n", "\x00"]
    model, _ = proposer(lambda x: hostile)
    assert list(model.propose(task_of(tmp_path, samples=5))) == []
    assert model.counts["malformed"] == model.counts["answers"] > 0


def test_without_a_sandbox_the_judge_decides(
    tmp_path: Path, own_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def enter(self: Harness) -> Harness:
        raise SandboxUnavailable("none here")

    monkeypatch.setattr(Harness, "__enter__", enter)
    model, _ = proposer(lambda x: [wrong(slower(x))])
    assert len(list(model.propose(task_of(tmp_path)))) == model.counts["offered"] > 0
    assert "model-unscreened" in (own_store / "events").read_text()


def attempt(candidate: Candidate, kind: VerdictKind, ratio: float | None = None) -> Attempt:
    speedup = None if ratio is None else Speedup(ratio, ratio, ratio, 5)
    return Attempt(candidate, Verdict(kind, speedup=speedup))


def test_refinement_is_hotter_and_repeats_nothing(tmp_path: Path) -> None:
    model, scripted = proposer(lambda x: [slower(x), slower(slower(x))])
    task = task_of(tmp_path)
    first = list(model.propose(task))
    assert set(scripted.asked) == {(TEMPERATURE, True), (TEMPERATURE, False)}
    again = replace(task, attempts=tuple(attempt(x, VerdictKind.WRONG_OUTPUT) for x in first))
    scripted.asked.clear()
    assert list(model.propose(again)) == []
    assert {heat for heat, _ in scripted.asked} == {TEMPERATURE + HOTTER}
    assert model.counts["again"] == len(first)
    scripted.write = lambda x: [slower(slower(slower(x)))]
    scripted.asked.clear()
    third = list(model.propose(again))
    assert third
    assert {heat for heat, _ in scripted.asked} == {TEMPERATURE + 2 * HOTTER}
    assert all("round 3" in x.label for x in third)
    assert [x.text for x in model.propose(task)], "a new search begins anew"


def test_regions_that_were_won_are_asked_last_and_not_hotter(tmp_path: Path) -> None:
    model, scripted = proposer(lambda x: [slower(x)])
    task = task_of(tmp_path)
    first = list(model.propose(task))
    every = set(scripted.prompts)
    tried = [attempt(first[0], VerdictKind.NOT_FASTER, 1.4)]
    tried += [attempt(x, VerdictKind.NOT_FASTER, 0.8) for x in first[1:]]
    scripted.prompts.clear()
    scripted.asked.clear()
    list(model.propose(replace(task, attempts=tuple(tried))))
    assert scripted.asked[-2:] == [(TEMPERATURE, True), (TEMPERATURE, False)]
    assert {heat for heat, _ in scripted.asked[:-2]} == {TEMPERATURE + HOTTER}
    assert set(scripted.prompts) == every
    assert scripted.prompts[-1] not in scripted.prompts[:-2]


@pytest.mark.parametrize(
    ("first", "shares"),
    [
        ([], []),
        ([Answer("keep", -0.001, 1)], [0]),
        ([Answer("\tnop\n", -9.0, 4)], [8]),
        ([Answer("keep", -0.001, 1), Answer("\tnop\n", -1.0, 4)], [0, 5]),
        ([Answer("\tnop\n", -1.0, 4)] * 3, [3, 3, 2]),
        ([Answer("keep", math.log(0.5), 1), Answer("\tnop\n", -1.0, 4)], [4, 4]),
        ([Answer("\tnop\n", math.log(0.9), 4)] * 2, [1, 1]),
        ([Answer("\tnop\n", -0.001, 4)], [0]),
    ],
)
def test_how_samples_are_shared(first: list[Answer], shares: list[int]) -> None:
    assert shares_of(first, 8) == shares


def test_a_rewrite_that_did_not_do_is_doubted() -> None:
    first = [Answer("\tnop\n", -0.001, 4), Answer("keep", -0.001, 1)]
    assert shares_of(first, 8, doubt=0.5) == [4, 0]
    assert shares_of(first, 0, doubt=0.5) == [0, 0]


def test_a_temperature_of_the_user_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GCCLLM_TEMPERATURE", "0.3")
    model, scripted = proposer(lambda x: [])
    assert list(model.propose(task_of(tmp_path))) == []
    assert {heat for heat, _ in scripted.asked} == {0.3}


def test_nothing_is_loaded_where_nothing_is_wanted(tmp_path: Path) -> None:
    def refuse(folder: Path) -> Scripted:
        raise AssertionError("loaded")

    model = MiniProposer(source=refuse)
    task = task_of(tmp_path)
    assert list(model.propose(replace(task, deadline=time.monotonic() - 1.0))) == []
    assert list(model.propose(replace(task, samples=0))) == []


@pytest.mark.parametrize(
    "text", ["", "no assembly\n", "f:\n\tret\n", "\t.text\nf:\n\tbogus\n\tret\n"]
)
def test_text_that_is_no_unit_yields_nothing(tmp_path: Path, text: str) -> None:
    model, scripted = proposer(lambda x: [slower(x)])
    assert list(model.propose(replace(task_of(tmp_path), baseline=text))) == []
    assert scripted.prompts == []


def test_the_real_thing_offers_only_what_assembles(tiny: Weights, tmp_path: Path) -> None:
    """A model that is mostly wrong, all the way: weights, decoding, harness, donor."""
    model = MiniProposer(tiny.folder)
    tools = Toolchain()
    task = task_of(tmp_path, samples=24)
    for candidate in model.propose(task):
        assert tools.assemble(candidate.text, tmp_path / "donor.o").ok
    assert model.counts["answers"] > 0
    assert model.counts["malformed"] == 0
    assert "not-assembled" not in model.counts


def test_damaged_weights_are_said_and_counted(
    tiny: Weights, tmp_path: Path, own_store: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny.folder, folder)
    (folder / "model.bin").write_bytes(b"\0" * 1000)
    (model,) = make(["model"], f"mini:{folder}")
    with pytest.raises(ProposerError, match=r"model\.bin is not the file"):
        list(model.propose(task_of(tmp_path)))
    assert (own_store / "events").read_text() == "model-unusable\n"


def test_chosen_by_its_name(
    tiny: Weights, tmp_path: Path, own_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (model,) = make(["model"], f"mini:{tiny.folder}")
    assert isinstance(model, MiniProposer)
    assert model.folder == tiny.folder
    monkeypatch.setattr(weights_module, "FOLDER", tiny.folder)
    assert [x.name for x in make(model="mini")] == ["model", "idioms", "compilers"]
    monkeypatch.setattr(weights_module, "FOLDER", tmp_path)
    assert [x.name for x in make(model="mini")] == ["idioms", "compilers"]
    assert (own_store / "events").read_text() == "model-missing\n"


def test_other_weights_are_another_proposer(tiny: Weights, tmp_path: Path) -> None:
    """So that what was searched for in vain is searched for again."""
    copy = tmp_path / "copy"
    shutil.copytree(tiny.folder, copy)
    same = identity_of(MiniProposer(copy))
    assert same == identity_of(MiniProposer(tiny.folder)) != ""
    (copy / "tokenizer.json").write_text("{}")
    weights_module.seal(copy, "tiny", {})
    assert identity_of(MiniProposer(copy)) != same
    assert identity_of(MiniProposer(tmp_path / "none")) == ""
