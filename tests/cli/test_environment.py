"""What conftest.py promises to every test."""

from __future__ import annotations

import os
from pathlib import Path

from gccllm.paths import cache_dir
from tests.conftest import STEERING, STEERING_WORDS


def test_nothing_of_the_users_steers_a_test(own_store: Path, shared_cache: Path) -> None:
    left = {x for x in os.environ if x.startswith(STEERING) or x in STEERING_WORDS}
    assert left == {"GCCLLM_STORE"}
    assert cache_dir() == own_store
    for name in ("HOME", "XDG_CACHE_HOME"):
        folder = Path(os.environ[name])
        assert folder.parent == shared_cache.parent
        # Libraries may keep their own things there (fonts); we do not.
        assert not [x for x in folder.rglob("*") if "gccllm" in x.name]


def test_the_store_is_the_tests_own(own_store: Path) -> None:
    assert not (own_store / "store.sqlite").exists()
    assert own_store != Path(os.environ["HOME"]).parent / "store"
