"""The prompt of the embedded model."""

from __future__ import annotations

import pytest

from gccllm.asm.ordering import ordered
from gccllm.asm.region_model import Region
from gccllm.asm.region_text import render
from gccllm.asm.renaming import RENAMABLE, registers_in
from gccllm.asm.unit import parse
from gccllm.families.layouts import Layout, layouts
from gccllm.process import run
from gccllm.region_prompt import Facts, RegionPrompt, region_prompt
from gccllm.toolchain import Toolchain

SOURCE = """
int f(unsigned x, int *p) {
    int n = 5;
    if (p[0]) goto other;
    while (x) { n += x & 1; x >>= 1; }
    return n;
other:
    p[1] = 3;
    return 7;
}
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Layout, Region, RegionPrompt]]:
    """The regions of the function above and their prompts."""
    tools = Toolchain()
    done = run([tools.cc, "-S", "-O2", "-xc", "-", "-o", "-"], stdin=SOURCE.encode(), timeout=30.0)
    unit = parse(done.stdout.decode())
    return [
        (layout, region, _prompt(layout, region))
        for layout in layouts(tools, unit, "f", tmp_path_factory.mktemp("prompts") / "f.o")
        for region in layout.regions
    ]


@pytest.fixture(scope="module")
def prompts(found: list[tuple[Layout, Region, RegionPrompt]]) -> dict[str, str]:
    """Shape of the region → its first prompt."""
    return {x.shape.value: prompt.text for _, x, prompt in reversed(found)}


def _prompt(layout: Layout, region: Region) -> RegionPrompt:
    return region_prompt(layout.unit, region, "x86-64-v3", layout.constants(region))


def test_the_head_says_what_may_be_used(prompts: dict[str, str]) -> None:
    head = prompts["loop"].splitlines()[:4]
    assert head[0] == "<|isa|>x86-64-v3"
    assert head[1].startswith("<|live_in|>%r")
    assert "%rdi:32" in head[1]
    assert ":32=5" in head[1], "what is known at the entry is said"
    assert head[2].startswith("<|live_out|>X0 %r")
    assert head[3].startswith("<|free|>%r")
    assert head[3].endswith("%zmm0-15")


def test_the_guard_stands_before_the_region(prompts: dict[str, str]) -> None:
    guarded = [x for x in prompts.values() if x.splitlines()[4] != "<|region|>"]
    assert guarded
    for text in guarded:
        compare, jump, mark = text.splitlines()[4:7]
        assert compare.startswith("\ttestl\t")
        assert jump.endswith("\tX")
        assert mark == "<|region|>"
    assert all(x.endswith("<|/region|>\n") for x in prompts.values())


def test_registers_are_named_in_the_order_of_appearance(
    found: list[tuple[Layout, Region, RegionPrompt]],
) -> None:
    for _, _, prompt in found:
        seen = dict.fromkeys(x for line in prompt.region for x in registers_in(line))
        named = [x for x in seen if x in RENAMABLE]
        assert named == list(RENAMABLE[: len(named)])


def test_answers_are_given_back_in_the_registers_of_the_region(
    found: list[tuple[Layout, Region, RegionPrompt]],
) -> None:
    assert any(old != new for _, _, x in found for old, new in x.names.items())
    for layout, region, prompt in found:
        own = render(layout.unit, region).splitlines()
        assert prompt.lines(prompt.answer(own)) == own
        assert ordered(prompt.answer(own).splitlines()) == prompt.region


def test_what_uses_registers_unnamed_is_no_answer_where_they_have_other_names() -> None:
    prompt = RegionPrompt("", {"rdi": "rsi", "rsi": "rdi"})
    assert prompt.lines("\tmovl\t%edi, %eax\n") == ["\tmovl\t%esi, %eax"]
    with pytest.raises(ValueError, match="unnamed"):
        prompt.lines("\trep stosq\n")
    assert RegionPrompt("", {}).lines("\trep stosq\n") == ["\trep stosq"]


def test_facts_are_read_back(found: list[tuple[Layout, Region, RegionPrompt]]) -> None:
    for _, _, prompt in found:
        assert Facts.parse(prompt.text).text == prompt.text
    odd = "<|isa|>x86-64-v4\n<|live_in|>\n<|live_out|>X0 / X1 %rax:8\n"
    odd += "<|free|>%rax %zmm3 %zmm5-17 %k0-7\n<|region|>\n\tjmp\tX0\n<|/region|>\n"
    facts = Facts.parse(odd)
    assert facts.exits == ({}, {"rax": "8"})
    assert {"zmm3", "zmm5", "zmm17", "k7", "rax"} <= facts.free
    assert facts.text == odd


@pytest.mark.parametrize("text", ["", "<|region|>\n<|/region|>\n", "\n" * 9])
def test_what_is_no_prompt(text: str) -> None:
    with pytest.raises(ValueError, match="not a region prompt"):
        Facts.parse(text)


def test_free_vectors_come_first() -> None:
    free = frozenset(f"zmm{n}" for n in range(8, 32))
    facts = Facts("x86-64-v4", {}, ({},), free, (), ("\tvpxor\t%xmm9, %xmm9, %xmm9",))
    names = facts.names()
    assert "<|free|>%zmm0-7 %zmm16-31\n" in facts.renamed(names).text
    prompt = RegionPrompt(facts.renamed(names).text, names)
    assert prompt.region == ["\tvpxor\t%xmm0, %xmm0, %xmm0"]
    assert prompt.lines("\tmovd\t%eax, %xmm1\n") == ["\tmovd\t%eax, %xmm8"]
    with pytest.raises(ValueError, match="unnamed"):
        prompt.lines("\tpblendvb\t%xmm0, %xmm1, %xmm2\n")


def test_comparisons_stay_where_their_flags_are_read_behind_the_region(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A copy of such a loop with its operands turned around is wrong behind it."""
    source = (
        "int f(long n, const short *a, const short *b)\n"
        "{ for (long i = 0; i < n; i++) if (b[i] != a[i]) return b[i] < a[i] ? -1 : 1; return 0; }"
    )
    tools = Toolchain()
    done = run([tools.cc, "-S", "-O3", "-xc", "-", "-o", "-"], stdin=source.encode(), timeout=30.0)
    unit = parse(done.stdout.decode())
    later = 0
    for layout in layouts(tools, unit, "f", tmp_path_factory.mktemp("flags") / "f.o"):
        for region in layout.regions:
            if any(x.flags for x in region.exits):
                own = render(layout.unit, region).splitlines()
                prompt = _prompt(layout, region)
                assert prompt.answer(own).splitlines() == prompt.region
                later += ordered(own) != own
    assert later
