"""Put a stored rewrite in the place of a unit that gcc has just emitted.

Two ways. The quick one reads ``STORE/applied/FINGERPRINT-CONTEXT``, a file with the very baseline
and what replaces it, left by the slow one; it needs no database and next to no imports. The slow
one asks the store, and where the text is not the very same (other debug options), splices the
rewritten functions into it anew, with all the rules that hold for splicing.

The context is everything beside the text that decides: which compiler, which instruction set, for
native and dispatch which CPU, and how sure a rewrite has to be.
"""

from __future__ import annotations

import os

from gccllm.paths import store_folder
from gccllm.replacing import replace_bytes

__all__ = ["apply_rewrite", "context"]

MAGIC = b"GCCLLMA1\n"


def apply_rewrite(out: str, print_in_hex: str, command: list[str]) -> str:
    """Apply what is stored for the unit in ``out``; returns a reason for the counters.

    Raises NotReplaceable, StoreError and others: then ``out`` is as gcc made it.
    """
    with open(out, "rb") as file:
        baseline = file.read()
    if not print_in_hex:
        from gccllm.asm.normalise import fingerprint

        print_in_hex = f"{fingerprint(baseline):016x}"
    here = context(os.environ, command)
    quick = _quick_file(print_in_hex, here)
    text = _quick(quick, here, baseline)
    if text is None:
        found = _slow(print_in_hex, baseline)
        if isinstance(found, str):
            return found
        text = found
        _leave_quick(quick, here, baseline, text)
    replace_bytes(out, text)
    return "apply:applied"


def context(environment: dict[str, str] | os._Environ[str], command: list[str]) -> str:
    """Compiler, instruction set, CPU (where it counts) and assurance, as one line."""
    cc1 = command[0] if command else ""
    try:
        state = os.stat(cc1)
        compiler = f"{os.path.realpath(cc1)} {state.st_mtime_ns} {state.st_size}"
    except OSError:
        compiler = cc1
    mode = environment.get("GCCLLM_ISA") or "target"
    machine = " ".join(sorted(x for x in command if x.startswith("-m")))
    wanted = environment.get("GCCLLM_ASSURANCE") or "fuzzed"
    return (
        f"{compiler} | {environment.get('COLLECT_GCC', '')} | {mode} | {machine} | {_cpu(mode)}"
        f" | {wanted}"
    )


def _cpu(mode: str) -> str:
    if mode == "target":
        return ""
    import re

    with open("/proc/cpuinfo", errors="replace") as file:
        text = file.read(8192)
    return " ".join(re.findall(r"^(?:model name|flags)\s*:\s*(.*)$", text, re.MULTILINE)[:2])


def _quick_file(print_in_hex: str, here: str) -> str:
    import binascii

    return f"{store_folder()}/applied/{print_in_hex}-{binascii.crc32(here.encode()):08x}"


def _quick(path: str, here: str, baseline: bytes) -> bytes | None:
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError:
        return None
    head = _head(here, baseline)
    return content[len(head) :] if content.startswith(head) else None


def _head(here: str, baseline: bytes) -> bytes:
    line = here.replace("\n", " ").encode("utf-8", "surrogateescape")
    return MAGIC + line + b"\n%d\n" % len(baseline) + baseline


def _leave_quick(path: str, here: str, baseline: bytes, text: bytes) -> None:
    """Best effort: without it the next compilation is slower, not other."""
    part = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(part, "wb") as file:
            file.write(_head(here, baseline) + text)
        os.replace(part, path)
    except OSError:
        try:
            os.unlink(part)
        except OSError:
            pass


def _slow(print_in_hex: str, baseline: bytes) -> bytes | str:
    """The new text, or the reason why there is none."""
    from pathlib import Path

    from gccllm.asm.normalise import unit_key
    from gccllm.assurance.levels import Assurance, sure_enough
    from gccllm.settings import Settings
    from gccllm.store import Store, UnitKey
    from gccllm.toolchain import Toolchain, assembler_options, collect_options

    settings = Settings.from_environment()
    toolchain = Toolchain(os.environ.get("COLLECT_GCC"))
    isa = toolchain.isa(settings.isa, collect_options(os.environ))
    text = baseline.decode("utf-8", "surrogateescape")
    with Store(Path(store_folder()), create=False) as store:
        key = UnitKey(unit_key(text), toolchain.identity.digest, isa.name)
        found = store.find(key)
    if found is None:
        return "apply:no-rewrite"
    if not sure_enough(found.assurance, Assurance(settings.assurance)):
        return "apply:too-weak"
    new = found.text
    if found.baseline != text:
        from gccllm.asm.splice import Refusal, splice
        from gccllm.asm.unit import parse

        done = splice(parse(text), parse(found.text), found.functions, tag=print_in_hex[:8])
        if isinstance(done, Refusal):
            return "apply:no-rewrite"
        new = done.text
    if isa.checked:
        from gccllm.asm.carry import Frame
        from gccllm.judge.placing import placed_alone

        options = collect_options(os.environ)
        more = tuple(f"-Wa,{x}" for x in assembler_options(os.environ))
        frame = Frame(found.unit, text, "", "", "", (*options, *more), "", "")
        ships = placed_alone(toolchain, frame, new, isa)
        if ships is None:
            return "apply:not-placed"
        new = ships
    return new.encode("utf-8", "surrogateescape")
