"""Is a function that a candidate offers gcc's own after all, its constants included?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gccllm.asm.normalise import function_text
from gccllm.asm.unit import Unit
from gccllm.harness.constants import constant

__all__ = ["unchanged"]

_LOCAL = re.compile(r"\.L[\w.$]*")


def unchanged(base: Unit, donor: Unit, name: str) -> bool:
    """The same code, with the same data behind its local labels. False where that can't be said."""
    if name not in base.functions or name not in donor.functions:
        return False
    if function_text(base, name) != function_text(donor, name):
        return False
    ours, theirs = list(_data(base, name)), list(_data(donor, name))
    return ours == theirs and None not in ours


def _data(unit: Unit, name: str) -> Iterator[tuple[str, ...] | None]:
    """What the local labels of other places stand for, in the order of their use; None for what
    is no constant, or holds addresses."""
    function = unit.functions[name]
    text = "\n".join(unit.lines[i] for i in function.indices())
    for label in dict.fromkeys(_LOCAL.findall(text)):
        if label in function.constants:
            data = unit.objects.get(unit.aliases.get(label, label))
            known = data is not None and data.read_only
            lines = tuple(constant(unit, data.names[0])) if data is not None and known else ()
            body = tuple(x for x in lines if not x.endswith(":"))
            yield None if not body or any(".L" in x for x in body) else body
