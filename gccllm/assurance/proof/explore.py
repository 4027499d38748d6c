"""All paths through one version of the code, the shortest first, joined where too many meet."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count

from gccllm.assurance.proof.errors import Unsupported
from gccllm.assurance.proof.node import Term
from gccllm.assurance.proof.state import State, merged
from gccllm.assurance.proof.stepping import Stepper

__all__ = ["Explorer", "Path"]

Feasible = Callable[[Term], bool]
MOST_STATES = 300
FIRST_ASKED = 8
FEW = 6
"""states that may wait before some are joined: apart they say more about the inputs"""


@dataclass(frozen=True)
class Path:
    """How control leaves: by which exit, in which state."""

    exit: int
    state: State


class Explorer:
    """Walks the paths from one entry to its exits (address → number).

    ``complete`` is how many jumps back all paths that were walked have at most: every path with
    that many or fewer has been yielded; None: there are no others. ``feasible`` is asked whether a
    loop can go on; it may err on the side of True. ``endless``: conditions under which a loop goes
    round with nothing changed, for ever; those paths are not yielded. ``cut``: conditions of the
    paths that were not walked to their ends.
    """

    def __init__(
        self, stepper: Stepper, exits: Mapping[int, int], feasible: Feasible, deadline: float
    ) -> None:
        self._stepper = stepper
        self._exits = exits
        self._feasible = feasible
        self._deadline = deadline
        self.complete: int | None = None
        self.endless: list[Term] = []
        self.cut: list[Term] = []

    def paths(self, entry: int, start: State, most_rounds: int) -> Iterator[Path]:
        """Raises Unsupported. Ends early, with ``complete`` set, at ``most_rounds`` jumps back, or
        when the time is over."""
        self.complete = None
        self.endless = []
        self.cut = []
        order = count()
        queue: list[tuple[int, int, int, State]] = [(start.rounds, entry, next(order), start)]
        while queue:
            rounds, address, _, state = heapq.heappop(queue)
            if address in self._exits:
                yield Path(self._exits[address], state)
                continue
            while len(queue) >= FEW and queue[0][:2] == (rounds, address):
                state = merged(heapq.heappop(queue)[3], state)
            late = time.monotonic() > self._deadline or len(queue) > MOST_STATES
            if rounds > most_rounds or late:
                self.complete = rounds - 1
                self.cut = [state.path, *(x[3].path for x in queue)]
                return
            for target, new in self._stepped(address, state):
                if target <= address:
                    new.rounds += 1
                    if new.came_before(target):
                        self.endless.append(new.path)
                        continue
                    if _worth_asking(new.rounds) and not self._feasible(new.path):
                        continue
                heapq.heappush(queue, (new.rounds, target, next(order), new))

    def _stepped(self, address: int, state: State) -> Iterator[tuple[int, State]]:
        for computed, target, new in self._stepper.step(address, state):
            if computed is not None:
                raise Unsupported("a computed jump")
            yield target, new


def _worth_asking(rounds: int) -> bool:
    """At powers of two and just behind them: counters of bits and bytes end there."""
    return rounds >= FIRST_ASKED and (rounds & (rounds - 1) == 0 or rounds - 1 & (rounds - 2) == 0)
