"""Which of several constants with one name a donor's is: the one that holds the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gccllm.asm.splice import Spliced, splice
from gccllm.asm.unit import parse
from tests.asm.tools import compile_unit

ASSERTS = """#include <assert.h>
int g(int);
int first(int a) { assert(a > 0); return g(a) + 1; }
int second(int *a, int n) {
    int s = 0;
    assert(n > 0);
    for (int i = 0; i < n; i++) s += a[i];
    return s;
}
int thirds(int a) { assert(a < 9); return g(a) + 3; }
"""


@pytest.mark.parametrize("level", ["-O1", "-Os"])
@pytest.mark.parametrize("name", ["first", "second", "thirds"])
def test_each_function_keeps_its_own_name_for_assert(name: str, level: str, tmp_path: Path) -> None:
    source = tmp_path / "asserts.c"
    source.write_text(ASSERTS)
    base, donor = parse(compile_unit(source, "-O3")), parse(compile_unit(source, level))
    done = splice(base, donor, [name], tag="t", foreign=True)
    assert isinstance(done, Spliced), done
    function = parse(done.text).functions[name]
    lines = [parse(done.text).lines[i] for part in function.ranges for i in part]
    (named,) = set(re.findall(r"__PRETTY_FUNCTION__\.\d+", "\n".join(lines)))
    assert re.search(rf'^{re.escape(named)}:\n\t\.string\t"{name}"$', done.text, re.MULTILINE)
