"""Hatchling build hook: the compiler driver's shell front and shim go where gcc will find them.

``PREFIX/bin/gcc-llm`` is the front, ``PREFIX/libexec/gccllm/{cc1,collect2}`` is the shim: built
from ``wrapper/shim`` where the machine has a C compiler, else the same in plain sh.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SECONDS = 120


def build_shim(root: Path, output: Path) -> bool:
    """Compile ``wrapper/shim`` of ``root`` to ``output``; False where no compiler can."""
    if not sys.platform.startswith("linux"):
        return False
    argv = [str(root / "scripts" / "build-shim"), str(output)]
    try:
        return subprocess.run(argv, timeout=SECONDS).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


class ShimHook(BuildHookInterface[Any]):
    """Adds the front, the shim and the man page to a wheel (editable or not)."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fill ``shared_scripts`` and ``shared_data``; a compiled shim binds the wheel."""
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        self.folder = tempfile.mkdtemp(prefix="gccllm-build-")
        shim = Path(self.folder) / "cc1"
        if build_shim(root, shim):
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{platform}"
        else:
            shutil.copy(root / "wrapper" / "libexec" / "cc1", shim)
        shim.chmod(0o755)
        scripts = build_data["shared_scripts"]
        scripts[str(root / "wrapper" / "bin" / "gcc-llm")] = "gcc-llm"
        data = build_data["shared_data"]
        # Two names are two copies in a wheel: it holds no links.
        data[str(shim)] = "libexec/gccllm/cc1"
        twin = shim.with_name("collect2")
        shutil.copy(shim, twin)
        data[str(twin)] = "libexec/gccllm/collect2"
        data[str(root / "docs" / "gcc-llm.1")] = "share/man/man1/gcc-llm.1"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was built on the way."""
        folder = getattr(self, "folder", None)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
