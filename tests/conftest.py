"""What holds for every test: nothing of the user's environment or caches comes in or is touched."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

STEERING = ("GCC", "COLLECT_", "CCACHE_", "MAKE")
"""beginnings of the names of variables that steer gcc, gcc-llm (GCCLLM_…), ccache or make"""
STEERING_WORDS = {
    "CC",
    "CFLAGS",
    "COMPILER_PATH",
    "CPATH",
    "C_INCLUDE_PATH",
    "DEPENDENCIES_OUTPUT",
    "LDFLAGS",
    "LIBRARY_PATH",
    "MFLAGS",
    "SUNPRO_DEPENDENCIES",
}
SHARED = ("runner-*", "probe-*", "harness-*", "differential-*", "sandbox-*.json")
"""what the sandbox compiles and finds out once; the rest of a store belongs to one test"""


@pytest.fixture(scope="session", autouse=True)
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The environment scrubbed, and the store folder of whatever is set up for the session."""
    # A job in a shell's background ignores it, and hands that on to all its children.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(STEERING) or name in STEERING_WORDS:
                patch.delenv(name)
        patch.setenv("HOME", str(folder / "home"))
        patch.setenv("XDG_CACHE_HOME", str(folder / "xdg"))
        patch.setenv("GCCLLM_STORE", str(folder / "store"))
        for path in ("home", "xdg", "store"):
            (folder / path).mkdir()
        yield folder / "store"


@pytest.fixture(autouse=True)
def own_store(
    shared_cache: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """An empty store for each test, in GCCLLM_STORE; the compiled sandbox runner is there."""
    store = tmp_path_factory.mktemp("store")
    monkeypatch.setenv("GCCLLM_STORE", str(store))
    _link(shared_cache, store)
    yield store
    _link(store, shared_cache)


def _link(source: Path, target: Path) -> None:
    for pattern in SHARED:
        for path in source.glob(pattern):
            if not (target / path.name).exists():
                os.link(path, target / path.name)
