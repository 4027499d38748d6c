"""``gccllm-train eval``: measure models beside nothing, the teacher and each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gccllm.errors import UsageError

__all__ = ["evaluate_models"]


def evaluate_models(
    out: Annotated[Path, typer.Option(metavar="DIR", help="figures; a stopped run goes on here")],
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]DIR", help="a model folder; may be repeated to compare"),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="folder of *.parquet with pairs")
    ] = None,
    examples: Annotated[
        Path | None, typer.Option(metavar="DIR", help="folder of NAME.c with NAME.tests/")
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME", help="only this set of questions; may be repeated [all]"
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="programs of a set")] = 60,
    questions: Annotated[int, typer.Option(min=1, metavar="N", help="of a program")] = 6,
    samples: Annotated[int, typer.Option(min=1, metavar="N", help="answers to a question")] = 8,
    temperature: Annotated[float, typer.Option(help="of all answers but the first")] = 0.8,
    seed: Annotated[int, typer.Option(help="of the choice of questions and of answers")] = 0,
    unmasked: Annotated[
        bool, typer.Option(help="also ask without holding answers to the grammar")
    ] = True,
    product: Annotated[
        bool, typer.Option(help="also build the programs with gcc-llm, by each proposer")
    ] = True,
    product_model: Annotated[
        str, typer.Option(metavar="SPEC", help="-fllm-model of those builds")
    ] = "mini",
    product_budget: Annotated[
        float, typer.Option(metavar="SECONDS", help="-fllm-budget of those builds")
    ] = 45.0,
    product_limit: Annotated[
        int, typer.Option(min=0, metavar="N", help="programs of families to build")
    ] = 12,
    budget: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="stop after it; call again to go on")
    ] = None,
) -> None:
    """Ask models for rewrites, judge every answer, and build programs with gcc-llm.

    Sets of questions: valid, heldout-family, heldout-package (from --data) and examples. Figures go
    to results.json and results.md in --out; what is done is kept, so a stopped run goes on.

    \b
    Example:
      gccllm-train eval --model ppo=mini --model sft=sft/mini --data pairs --out results
    """
    from gccllm.proposers.answers import Sampling
    from gccllm.proposers.mini import UNLIKELY
    from trainer.evaluation.evaluate import SETS, Plan, evaluate
    from trainer.evaluation.product import Build

    wrong = [x for x in sets or () if x not in SETS]
    if wrong:
        raise UsageError(f"no set {wrong[0]!r}; there are {', '.join(SETS)}")
    chosen = tuple(sets or [x for x in SETS if _has(x, data, examples)])
    if not chosen:
        raise UsageError("nothing to ask: give --data, --examples or both")
    plan = Plan(
        out=out,
        models=_models(model or []),
        data=data,
        examples=examples,
        sets=chosen,
        limit=limit,
        most_questions=questions,
        sampling=Sampling(samples, seed, temperature, least=UNLIKELY),
        unmasked=unmasked,
        build=Build(product_model, budget=product_budget) if product else None,
        product_limit=product_limit,
        budget=float("inf") if budget is None else budget,
    )
    evaluate(plan, lambda text: typer.echo(text, err=True))
    typer.echo((out / "results.md").read_text())


def _has(name: str, data: Path | None, examples: Path | None) -> bool:
    return (examples if name == "examples" else data) is not None


def _models(given: list[str]) -> dict[str, Path]:
    """NAME=DIR, or DIR under its own name."""
    found: dict[str, Path] = {}
    for text in given:
        name, separator, folder = text.partition("=")
        path = Path(folder if separator else text)
        key = name if separator else path.name
        if key in found:
            raise UsageError(f"two models are called {key!r}; name them with NAME=DIR")
        found[key] = path
    return found
