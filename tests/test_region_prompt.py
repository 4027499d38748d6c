"""The prompt of the embedded model."""

from __future__ import annotations

import pytest

from gccllm.asm.unit import parse
from gccllm.families.layouts import layouts
from gccllm.process import run
from gccllm.region_prompt import region_prompt
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
def prompts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Shape of the region → its prompt, for the function above."""
    tools = Toolchain()
    done = run([tools.cc, "-S", "-O2", "-xc", "-", "-o", "-"], stdin=SOURCE.encode(), timeout=30.0)
    unit = parse(done.stdout.decode())
    found: dict[str, str] = {}
    for layout in layouts(tools, unit, "f", tmp_path_factory.mktemp("prompts") / "f.o"):
        for region in layout.regions:
            text = region_prompt(layout.unit, region, "x86-64-v3", layout.constants(region))
            found.setdefault(region.shape.value, text)
    return found


def test_the_head_says_what_may_be_used(prompts: dict[str, str]) -> None:
    head = prompts["loop"].splitlines()[:4]
    assert head[0] == "<|isa|>x86-64-v3"
    assert head[1].startswith("<|live_in|>%r")
    assert "%rdi:32" in head[1]
    assert ":32=5" in head[1], "what is known at the entry is said"
    assert head[2].startswith("<|live_out|>X0 %r")
    assert head[3].startswith("<|free|>%r")
    assert head[3].endswith("%zmm0-15")


def test_labels_and_names_are_canonical(prompts: dict[str, str]) -> None:
    for text in prompts.values():
        around = text.partition("<|region|>")[0] + text.partition("<|/region|>")[2]
        assert "f:" not in around.splitlines()
        labels = [x[:-1] for x in around.splitlines() if x.endswith(":") and x[0] == "."]
        assert labels == [x for x in labels if x[2:].isdigit()]
    assert any(x.splitlines()[4] == "F:" for x in prompts.values())
