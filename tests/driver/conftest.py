from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.driver.installed import Installed, install
from tests.driver.place import Place


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """gcc-llm with the compiled shim."""
    if shutil.which("gcc") is None:
        pytest.skip("no gcc")
    return install(tmp_path_factory.mktemp("compiled") / "prefix", compiled=True)


@pytest.fixture(scope="session", params=["compiled", "sh"])
def either(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """gcc-llm with the compiled shim, then with the one in sh."""
    if shutil.which("gcc") is None:
        pytest.skip("no gcc")
    kind = str(request.param)
    prefix = tmp_path_factory.mktemp(kind) / "prefix"
    return install(prefix, compiled=kind == "compiled")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place of its own for each test."""
    return Place(tmp_path)
