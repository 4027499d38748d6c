from __future__ import annotations

import pytest

from tests.driver.installed import Installed, install
from tests.endtoend.project import Project


@pytest.fixture(scope="session")
def gcc_llm(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """gcc-llm as installed, with the compiled shim."""
    return install(tmp_path_factory.mktemp("gcc-llm") / "prefix", compiled=True)


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory, gcc_llm: Installed) -> Project:
    """A small program with recordings, gcc's own build of it, and an empty store."""
    return Project(tmp_path_factory.mktemp("project"), gcc_llm)
