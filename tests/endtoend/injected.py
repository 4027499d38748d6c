"""Faults at chosen steps of the link: a Python that does what the shim asks, until the step comes.

``Injected.build`` runs gcc-llm with GCCLLM_PYTHON set to a script that replaces one function of
gccllm by one that first does the damage. Nothing in the product knows of it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.endtoend.project import Project

__all__ = ["FAULTS", "Injected"]

FAULTS = {
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "interrupted": "os.killpg(os.getsid(0), signal.SIGINT); time.sleep(5)",
    "terminated": "os.killpg(os.getsid(0), signal.SIGTERM); time.sleep(5)",
    "out of memory": "raise MemoryError",
    "address space": "resource.setrlimit(resource.RLIMIT_AS, (1 << 26, 1 << 26))",
    "disk full": "resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))",
    "no descriptors": "resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))",
    "sandbox gone": "end(children(os.getpid()))",
    "clock back": "time.time = lambda: 0.0",
    "clock ahead": "later = time.monotonic() + 1e6; time.monotonic = lambda: later",
    "store locked": "lock()",
}
"""fault → what is done, as Python"""

_INJECTOR = """
import importlib, os, resource, signal, sqlite3, time

def children(parent):
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{{name}}/stat") as file:
                if int(file.read().rsplit(")", 1)[1].split()[1]) == parent:
                    found += [int(name), *children(int(name))]
        except OSError:
            pass
    return found

def end(numbers):
    for number in numbers:
        try:
            os.kill(number, signal.SIGKILL)
        except ProcessLookupError:
            pass

held = []

def lock():
    os.makedirs({store!r}, exist_ok=True)
    held.append(sqlite3.connect({store!r} + "/store.sqlite", isolation_level=None))
    held[0].execute("BEGIN EXCLUSIVE")

module, _, path = {step!r}.partition(":")
owner = importlib.import_module(module)
*parents, name = path.split(".")
for part in parents:
    owner = getattr(owner, part)
original = getattr(owner, name)
done = []

def replaced(*given, **named):
    if not done:
        done.append(True)
        with open({mark!r}, "w"):
            pass
        {fault}
    return original(*given, **named)

setattr(owner, name, replaced)
"""
_SCRIPT = """#!/bin/sh
[ "$4" = link ] || exec '{python}' "$@"
code=$3
shift 3
exec '{python}' -I -c "$(cat '{injector}')
$code" "$@"
"""


class Injected:
    """A project whose link meets a fault. ``step``: "module:function" or "module:Class.method"."""

    def __init__(self, project: Project, step: str, fault: str) -> None:
        self.project = project
        root = project.store.parent
        self.mark = root / "injected"
        injector, self.python = root / "injector.py", root / "python"
        text = FAULTS[fault]
        injector.write_text(
            _INJECTOR.format(step=step, store=str(project.store), mark=str(self.mark), fault=text)
        )
        self.python.write_text(_SCRIPT.format(python=sys.executable, injector=injector))
        self.python.chmod(0o755)

    def build(self) -> subprocess.CompletedProcess[bytes]:
        """gcc-llm in a group of its own; must end by itself."""
        environment = self.project.environment(GCCLLM_PYTHON=str(self.python), GCCLLM_BUDGET="20")
        child = subprocess.Popen(
            [str(self.project.gcc_llm.front), "-O3", "slow.c", "-o", "slow"],
            cwd=self.project.tree,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            out, err = child.communicate(timeout=150)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            raise
        if not self.mark.exists():
            # The clock's own rule: on a busy machine a candidate may not be shown to be faster.
            assert self.project.record()["reason"] in ("nothing-faster", "not-assured")
            pytest.skip("the step never came: nothing passed the clock")
        return subprocess.CompletedProcess(child.args, child.returncode, out, err)

    def running(self) -> list[str]:
        """Command lines of processes that still belong to the build, after a moment."""
        found: list[str] = []
        for _ in range(40):
            found = list(self._running())
            if not found:
                break
            time.sleep(0.05)
        return found

    def _running(self) -> list[str]:
        place = str(self.project.store.parent).encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                line = (folder / "cmdline").read_bytes()
                environment = (folder / "environ").read_bytes()
            except OSError:
                continue
            if place in line or place in environment:
                found.append(line.replace(b"\0", b" ").decode(errors="replace"))
        return found
