# mypy: disallow-untyped-decorators=False
"""Lanes of a court as Ray actors: on any node of the cluster that has room for them.

An actor holds a lane's process (:class:`trainer.ppo.service.Lane`), which has the deadline and can
be killed. An actor that dies, with its node perhaps, is started anew elsewhere and the question
asked once more; the step that waits for it is not lost. Programs are read by their paths, so the
run's folder lies where all nodes see it.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError

from gccllm.types import Verdict, VerdictKind
from trainer.ppo.service import Lane
from trainer.ppo.worker import How

__all__ = ["CHECKING", "TIMING", "RayLane", "ray_lanes"]

TIMING, CHECKING = "gccllm_timing", "gccllm_checking"
"""Ray resources: ``ray start --resources='{"gccllm_timing": 4, "gccllm_checking": 12}'``"""
GRACE_SECONDS = 30.0
"""beyond the lane's own deadline: for an actor to start, or for its node to be missed"""


class _Judge:
    """The actor: a lane on its node."""

    def __init__(self, how: How, deadline: float) -> None:
        self._lane = Lane(how, deadline)

    def ask(self, task: Any, answer: str) -> Verdict:
        return self._lane.ask(task, answer)

    def close(self) -> None:
        self._lane.close()


class RayLane:
    """One actor with one unit of the Ray resource ``resource``; for several threads."""

    def __init__(self, how: How, deadline: float, resource: str) -> None:
        self._how = how
        self._deadline = deadline
        self._resource = resource
        self._lock = threading.Lock()
        self._actor: Any = None

    @property
    def actor(self) -> Any:
        """The actor's handle, None before the first question."""
        return self._actor

    def ask(self, task: Any, answer: str) -> Verdict:
        """The verdict; unjudged if it does not come in time, or two actors died of it."""
        reason = ""
        with self._lock:
            for _ in range(2):
                try:
                    actor = self._actor or self._start()
                    asked = actor.ask.remote(task, answer)
                    verdict: Verdict = ray.get(asked, timeout=self._deadline + GRACE_SECONDS)
                    return verdict
                except GetTimeoutError:
                    self._end()
                    reason = f"no verdict in {self._deadline:.0f} seconds"
                    break
                except RayError as error:
                    self._end()
                    reason = f"the judge's actor ended: {type(error).__name__}"
        return Verdict(VerdictKind.UNJUDGED, reason)

    def close(self) -> None:
        """End the actor and its process."""
        with self._lock:
            if self._actor is not None:
                with suppress(RayError):
                    ray.get(self._actor.close.remote(), timeout=GRACE_SECONDS)
            self._end()

    def _start(self) -> Any:
        remote = ray.remote(_Judge).options(
            num_cpus=0, resources={self._resource: 1}, max_restarts=0
        )
        self._actor = remote.remote(self._how, self._deadline)
        return self._actor

    def _end(self) -> None:
        if self._actor is not None:
            with suppress(RayError):
                ray.kill(self._actor)
        self._actor = None


def ray_lanes(how: How, deadline: float, resource: str) -> list[RayLane]:
    """As many lanes as the cluster has of ``resource``; Ray has to be initialised."""
    count = int(ray.cluster_resources().get(resource, 0))
    return [RayLane(how, deadline, resource) for _ in range(count)]
