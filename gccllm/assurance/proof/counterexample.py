"""A solver's answer as a machine state, run natively to see whether the versions really differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gccllm.assurance.proof.contract import Contract
from gccllm.assurance.proof.evaluate import Evaluation
from gccllm.assurance.proof.flags import PLACES
from gccllm.assurance.proof.native import PAGE, Concrete, Outcome, run_code
from gccllm.assurance.proof.node import ordered
from gccllm.assurance.proof.pairs import Goal
from gccllm.assurance.proof.smtlib import Script
from gccllm.assurance.proof.solvers import Answer
from gccllm.assurance.proof.state import GENERAL, STACK, State
from gccllm.sandbox.base import Sandbox
from gccllm.toolchain import Toolchain

__all__ = ["Model", "Replay", "read_model", "replay"]


@dataclass(frozen=True)
class Replay:
    """``differs``: what is different, "" where nothing is or where it can't be told; ``why`` then
    says more."""

    state: Concrete
    differs: str = ""
    why: str = ""


@dataclass(frozen=True)
class Model:
    """``holds``: our own evaluation agrees that the conditions are true. ``pages``: what the
    baseline touches."""

    state: Concrete
    pages: Sequence[int]
    holds: bool


def read_model(script: Script, answer: Answer, goal: Goal, start: State) -> Model:
    """The state that a solver found, in numbers."""
    numbers: dict[str, int] = {}
    memory: dict[int, int] = {}
    for name, term in script.names.items():
        if term.op == "var":
            numbers[term.args[0]] = answer.values.get(name, 0)
    for name, term in script.names.items():
        if term.op == "select":
            seen = Evaluation(numbers, lambda a: memory.get(a, 0))
            memory[seen.of(term.args[1])] = answer.values.get(name, 0)
    evaluation = Evaluation(numbers, lambda a: memory.get(a, 0))
    holds = all(evaluation.of(x) for x in goal.conditions)
    for variable, term in goal.fixed.items():
        numbers[variable.args[0]] = evaluation.of(term)
    final = Evaluation(numbers, lambda a: memory.get(a, 0))
    general = {name: final.of(start.registers[name]) for name in GENERAL}
    vectors = [final.of(start.registers[f"ymm{i}"]) for i in range(16)]
    for node in ordered([start.frame]):
        if node.op == "store":
            memory[final.of(node.args[1])] = final.of(node.args[2])
    flags = sum(numbers.get(name, 0) << place for name, place in PLACES.items())
    ends = {
        evaluation.of(x.address) + at
        for x in goal.touched
        if evaluation.of(x.guard)
        for at in (0, x.size - 1)
    }
    stack = final.of(STACK)
    ends |= {stack - PAGE, stack, stack + PAGE // 2}
    pages = sorted({x // PAGE * PAGE for x in ends if 0 <= x < 1 << 47})
    return Model(Concrete(general, flags, vectors, memory), pages, holds)


def replay(
    tools: Toolchain,
    sandbox: Sandbox | None,
    code: Mapping[int, tuple[bytes, bool]],
    entries: tuple[int, int],
    exits: Mapping[int, int],
    contracts: Mapping[int, Contract],
    model: Model,
) -> Replay:
    """Both versions from the model's state. Raises SandboxError, ToolchainError."""
    state = model.state
    mapped = set(model.pages)
    memory = {a: b for a, b in state.memory.items() if a // PAGE * PAGE in mapped}
    outcomes = run_code(
        tools,
        code,
        [state],
        [(entry, 0) for entry in entries],
        model.pages,
        memory=memory,
        sandbox=sandbox,
    )
    if isinstance(outcomes, str):
        return Replay(state, why=outcomes)
    if not outcomes or outcomes[0].signal or outcomes[0].place not in exits:
        return Replay(state, why="the baseline does not get through it")
    if len(outcomes) < 2:
        return Replay(state, "it does not end")
    first, second = outcomes
    if second.signal or second.place not in exits:
        return Replay(state, f"signal {second.signal} at {second.address:#x}")
    leaving = exits[first.place]
    if exits[second.place] != leaving:
        return Replay(state, f"leaves by exit {exits[second.place]}, not {leaving}")
    found = _difference(contracts[leaving], first, second)
    return Replay(state, found, "" if found else "both versions do the same")


def _difference(contract: Contract, first: Outcome, second: Outcome) -> str:
    for name, bits in contract.general.items():
        a, b = (x.state.general[name] & ((1 << bits) - 1) for x in (first, second))
        if a != b:
            return f"{name} is {b:#x}, not {a:#x}"
    for name, bits in contract.vectors.items():
        number = int(name[3:])
        a, b = (x.state.vectors[number] & ((1 << bits) - 1) for x in (first, second))
        if a != b:
            return f"{name} is {b:#x}, not {a:#x}"
    for name in sorted(contract.flags & set(PLACES)):
        a, b = (x.state.flags >> PLACES[name] & 1 for x in (first, second))
        if a != b:
            return f"{name} is {b}, not {a}"
    stack = first.state.general["rsp"]
    for page, content in first.memory.items():
        other = second.memory[page]
        for i in range(PAGE if content != other else 0):
            dead = contract.frame_from is not None and stack - (1 << 16) <= page + i < stack
            if content[i] != other[i] and not dead:
                return f"the byte at {page + i:#x} is {other[i]:#x}, not {content[i]:#x}"
    return ""
