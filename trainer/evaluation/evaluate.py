"""The evaluation: raw answers of models beside nothing and the teacher, and the product's speedup.

Four sets of questions: new samples of families that are trained on ("valid"), families and
packages that are held out, and the programs of examples/. On each every system answers the same
prompts; each answer is judged on the program that its region belongs to and tried out beside gcc's
own lines (:mod:`trainer.evaluation.outcomes`). Then gcc-llm builds the programs with the model, the
templates and the compilers alone, and with all of them.

What is finished is written down at once, program by program; the same call goes on from there.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from typing import Any

from gccllm.harness.compare import Harness
from gccllm.lanes import lane
from gccllm.paths import cache_dir
from gccllm.toolchain import Toolchain
from trainer.evaluation.asking import TEACHER, Asking, Say
from trainer.evaluation.building import build_sets
from trainer.evaluation.markdown import render_markdown
from trainer.evaluation.plan import SETS, Plan
from trainer.evaluation.systems import Fixed, System, opened_model

__all__ = ["SETS", "Plan", "evaluate", "render_markdown"]

LANE_SECONDS = 60.0


def evaluate(plan: Plan, say: Say) -> dict[str, Any]:
    """Ask, judge, build, and write ``results.json`` and ``results.md`` into ``plan.out``; → what
    the JSON holds. ``say`` gets progress, a line at a time.

    Raises UsageError for folders that hold no data or models, and for an ``out`` of other settings;
    SandboxUnavailable where nothing can be run.
    """
    until = time.monotonic() + plan.budget
    tools = Toolchain()
    with ExitStack() as stack:
        systems = _systems(plan, tools, stack)
        core = stack.enter_context(lane(cache_dir(), LANE_SECONDS))
        harness = stack.enter_context(Harness(toolchain=tools))
        asking = Asking(plan, tools, harness, systems, core, until, say)
        for name in plan.sets:
            asking.ask(name)
    # gcc-llm takes a lane of its own, so ours is given back by now.
    results = {
        "settings": plan.settings(),
        "raw": {name: asking.summary(name) for name in plan.sets},
        "product": build_sets(plan, asking),
    }
    (plan.out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (plan.out / "results.md").write_text(render_markdown(results))
    return results


def _systems(plan: Plan, tools: Toolchain, stack: ExitStack) -> list[System]:
    nothing = Fixed({})
    systems = [System("nothing", nothing), System(TEACHER, nothing, teacher=True)]
    for name, folder in plan.models.items():
        model = stack.enter_context(opened_model(folder, tools))
        systems.append(System(name, model))
        if plan.unmasked:
            systems.append(System(f"{name}, unmasked", model, masked=False))
    return systems
