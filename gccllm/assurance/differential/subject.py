"""What all candidates of one function share: its calls as states, settled, and what they have in
common."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gccllm.assurance.differential.dwarf import Types
from gccllm.assurance.differential.layout import Layout, Signature, Unsupported
from gccllm.assurance.differential.recording import Call, Global
from gccllm.assurance.differential.relations import (
    Ranges,
    Relation,
    constant_globals,
    grown,
    ranges_of,
    relations_of,
)
from gccllm.assurance.differential.states import State, settled, state_of
from gccllm.assurance.differential.wire import Question, settlements

__all__ = ["Frame", "Subject", "frame_of", "make_subject"]

MOST_STATES = 192
MOST_INPUT = 16 << 20
_CONSTANT = Layout("constant", 1, 1, ())


@dataclass(frozen=True)
class Frame:
    """``layouts[0]`` is the argument block; pointers name the others by their numbers."""

    signature: Signature
    layouts: tuple[Layout, ...]
    variables: tuple[Global, ...]


@dataclass(frozen=True)
class Subject:
    """``states``: the settled ones of the ``captured`` calls that were noted."""

    frame: Frame
    captured: int
    states: tuple[State, ...]
    ranges: Ranges
    relations: tuple[Relation, ...]

    def question(
        self, versions: int, constants: Sequence[int], *, seed: int, pairs: int, seconds: float
    ) -> Question:
        return Question(
            self.frame.signature,
            self.frame.layouts,
            self.states,
            versions,
            seed,
            pairs,
            seconds,
            self.ranges,
            constants,
            self.relations,
            len(self.frame.variables),
        )


def frame_of(types: Types, function: str, data: Sequence[tuple[str, int]]) -> Frame:
    """``data``: (symbol, size) of the globals. Raises Unsupported."""
    signature = types.signature(function)
    chosen = [(symbol, size, types.variable(symbol)) for symbol, size in data]
    known = list(types.layouts)
    variables = []
    for symbol, size, layout in chosen:
        if layout not in known:
            known.append(layout)
        variables.append(Global(symbol, size, known.index(layout) + 1))
    layouts = [_shifted(x) for x in (signature.block, *known)]
    return Frame(replace(signature, block=layouts[0]), (*layouts, _CONSTANT), tuple(variables))


def _shifted(layout: Layout) -> Layout:
    """The argument block comes first, so every other number grows by one."""
    return replace(layout, leaves=tuple(replace(x, target=x.target + 1) for x in layout.leaves))


def make_subject(
    frame: Frame,
    calls: Sequence[Call],
    run: Callable[[Question], bytes],
    versions: int,
    seconds: float,
) -> Subject:
    """``run`` puts a question to the harness, for up to ``seconds`` of CPU time. Raises
    Unsupported where nothing is left."""
    if not calls:
        raise Unsupported("no run of the recordings calls it")
    states = _distinct(calls, frame.layouts)
    question = Question(frame.signature, frame.layouts, states, versions, seconds=seconds)
    answers = list(settlements(run(question)))
    if not answers:
        raise Unsupported(
            f"none of {len(states)} captured calls can be repeated: they need memory that was not"
            " captured, or call what the harness does not (input, output, pointers to functions)"
        )
    cut = [settled(states[i], pieces, frame.layouts) for i, pieces in answers]
    relations = relations_of(cut, frame.layouts)
    whole = [states[i] for i, _ in answers]
    cut = [grown(x, y, relations, frame.layouts) for x, y in zip(cut, whole, strict=True)]
    constant = frozenset(constant_globals(cut))
    cut = [_with_constants(x, constant, len(frame.layouts) - 1) for x in cut]
    return Subject(frame, len(calls), tuple(cut), ranges_of(cut, frame.layouts), tuple(relations))


def _distinct(calls: Sequence[Call], layouts: Sequence[Layout]) -> list[State]:
    """Different states, a sample where there are many: the first ones, then by chance."""
    order = list(calls)
    late = order[MOST_STATES // 4 :]
    random.Random(0).shuffle(late)
    found: dict[bytes, State] = {}
    left = MOST_INPUT
    for call in (*order[: MOST_STATES // 4], *late):
        state = state_of(call, layouts)
        if state is None or len(found) == MOST_STATES:
            continue
        size = sum(len(x.data) for x in state.objects)
        digest = hashlib.sha256(b"".join(x.data for x in state.objects)).digest()
        if size <= left and digest not in found:
            found[digest] = state
            left -= size
    return list(found.values())


def _with_constants(state: State, constant: frozenset[int], layout: int) -> State:
    """Globals that never change get a layout without leaves: the harness leaves them alone."""
    objects = tuple(
        replace(x, layout=layout) if x.variable in constant else x for x in state.objects
    )
    return State(objects, state.links)
