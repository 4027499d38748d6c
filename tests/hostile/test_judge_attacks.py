"""Attacks that get past the text: each gets the verdict that it must get from the real judge."""

from __future__ import annotations

import pytest

from gccllm.types import VerdictKind
from tests.hostile.catalogue import PAGE, page
from tests.hostile.court import Court, assembly
from tests.hostile.judged import IN_ASSEMBLY, IN_C, LADDER, ODD, RIGHT, Rewrite


@pytest.mark.parametrize("attack", IN_C, ids=lambda attack: attack.name)
def test_a_rewrite_in_c(court: Court, attack: Rewrite) -> None:
    found = court.verdict(court.compiled(attack.body))
    assert found.kind is attack.verdict, found
    if attack.rule:
        assert attack.rule in str(found.evidence), found


@pytest.mark.parametrize("attack", IN_ASSEMBLY, ids=lambda attack: attack.name)
def test_a_rewrite_in_assembly(court: Court, attack: Rewrite) -> None:
    found = court.verdict(assembly(attack.body), foreign=False)
    assert found.kind is attack.verdict, found
    if attack.rule:
        assert attack.rule in str(found.evidence), found


@pytest.mark.parametrize(("name", "text", "verdict"), ODD, ids=[x[0] for x in ODD])
def test_what_is_no_rewrite(court: Court, name: str, text: str, verdict: VerdictKind) -> None:
    assert court.verdict(text).kind is verdict, name


@pytest.mark.parametrize("attack", LADDER, ids=lambda attack: attack.name)
def test_what_recordings_do_not_show(plain_court: Court, attack: Rewrite) -> None:
    found = plain_court.climbed(plain_court.compiled(attack.body, "-O2"))
    assert found is not None
    # On a busy machine the time for inputs may be over first: then it is not assured.
    assert found.kind in (attack.verdict, VerdictKind.UNJUDGED), found
    assert found.kind is VerdictKind.UNJUDGED or found.evidence["counterexample"]


def test_the_ladder_lets_a_right_rewrite_stand(plain_court: Court) -> None:
    right = RIGHT.replace("i < rounds", "i != (rounds > 0 ? rounds : 0)")
    found = plain_court.climbed(plain_court.compiled(right, "-O2"))
    # Unless a busy machine leaves no time to run every block.
    assert found is None or found.kind is VerdictKind.UNJUDGED, found


def test_names_are_different() -> None:
    names = [x.name for x in (*IN_C, *IN_ASSEMBLY, *LADDER)] + [x[0] for x in ODD]
    assert len(names) == len(set(names))


def test_the_page_of_attacks_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "python -m tests.hostile.catalogue"
