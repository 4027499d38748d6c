from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hostile.court import Court


@pytest.fixture(scope="session")
def court(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    """The judge of program.c, open."""
    with Court(tmp_path_factory.mktemp("court"), define="REACHES") as made:
        yield made


@pytest.fixture(scope="session")
def plain_court(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    """The same, where ``work`` reaches nothing but puts: all of its blocks can be run."""
    with Court(tmp_path_factory.mktemp("plain")) as made:
        yield made
