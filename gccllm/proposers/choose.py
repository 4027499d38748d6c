"""From the words of -fllm-proposers and -fllm-model to proposers.

The modules of the proposers are imported only when they are chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from gccllm.errors import UsageError
from gccllm.events import count_event
from gccllm.proposers.base import Proposer
from gccllm.settings import DEFAULT_MODEL, DEFAULT_PROPOSERS

__all__ = ["DEFAULT_MODEL", "DEFAULT_PROPOSERS", "PROPOSERS", "make"]


def _compilers(_: str) -> Proposer | None:
    from gccllm.proposers.compilers import CompilersProposer

    return CompilersProposer()


def _idioms(_: str) -> Proposer | None:
    from gccllm.proposers.idioms import IdiomsProposer

    return IdiomsProposer()


def _model(spec: str) -> Proposer | None:
    """None for a model that does not exist here: ``none``, or the embedded one where it is not
    part of this installation."""
    kind, _, rest = spec.partition(":")
    if kind == "openai" and rest:
        from gccllm.proposers.openai import OpenAIProposer

        return OpenAIProposer.from_spec(rest)
    if kind == "local" and rest:
        from gccllm.proposers.local import LocalProposer

        return LocalProposer(rest)
    if kind == "mini" and (rest or spec == "mini"):
        return _mini(Path(rest) if rest else None)
    if spec == "none":
        return None
    raise UsageError(
        f"unknown model {spec!r}: use mini, mini:DIR, local:DIR-or-hub-name, openai:URL#MODEL "
        "or none"
    )


def _mini(folder: Path | None) -> Proposer | None:
    """The embedded model; None where this installation came without its weights."""
    from gccllm.proposers import weights

    if folder is None and not weights.present(weights.FOLDER):
        count_event("model-missing")
        return None
    from gccllm.proposers.mini import MiniProposer

    return MiniProposer(folder or weights.FOLDER)


PROPOSERS: dict[str, Callable[[str], Proposer | None]] = {
    "model": _model,
    "compilers": _compilers,
    "idioms": _idioms,
}
"""By name: a function from the model's spec to the proposer, or to None where there is none."""


def make(names: Sequence[str] = DEFAULT_PROPOSERS, model: str = DEFAULT_MODEL) -> list[Proposer]:
    """The proposers for ``names``, in that order, each once.

    ``scripted:DIR`` is a name too. A name of the default list that this installation lacks is
    left out, and so is ``model`` where there is none. Raises UsageError for any other name, for
    an unknown model, and where a list that the user chose leaves no proposer at all.
    """
    made = []
    for name in dict.fromkeys(x.strip() for x in names if x.strip()):
        proposer = _make(name, model)
        if proposer is not None:
            made.append(proposer)
    if not made and tuple(names) != DEFAULT_PROPOSERS and any(x.strip() for x in names):
        raise UsageError(
            f"-fllm-proposers={','.join(names)} with -fllm-model={model} leaves nothing that "
            "proposes: name a model, or add compilers"
        )
    return made


def _make(name: str, model: str) -> Proposer | None:
    kind, _, rest = name.partition(":")
    if kind == "scripted" and rest:
        from gccllm.proposers.scripted import ScriptedProposer

        return ScriptedProposer(rest)
    if name in PROPOSERS:
        return PROPOSERS[name](model)
    if name in DEFAULT_PROPOSERS:
        return None
    valid = ", ".join([*dict.fromkeys([*PROPOSERS, *DEFAULT_PROPOSERS]), "scripted:DIR"])
    raise UsageError(f"unknown proposer {name!r}: use {valid}")
