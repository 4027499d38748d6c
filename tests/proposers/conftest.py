from __future__ import annotations

import pytest

from gccllm.proposers.weights import Weights
from tests.tiny_model import make


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, shared_cache: object) -> Weights:
    """The model of :mod:`tests.tiny_model`."""
    return make(tmp_path_factory.mktemp("tiny") / "model")
