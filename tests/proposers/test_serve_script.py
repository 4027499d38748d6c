"""The command that scripts/serve-vllm would run; vLLM itself is not needed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "serve-vllm"


def serve(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    scrubbed = {k: v for k, v in os.environ.items() if k != "GCCLLM_API_KEY"}
    return subprocess.run(
        [SCRIPT, *words], capture_output=True, text=True, timeout=20, env={**scrubbed, **env}
    )


def test_help_says_what_to_do_next() -> None:
    done = serve("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "GCCLLM_MODEL='openai:http://127.0.0.1:8000/v1#MODEL'" in done.stdout


def test_the_default_is_the_published_model_on_this_machine_alone() -> None:
    words = serve("--dry-run").stdout.split()
    assert words[:3] == ["vllm", "serve", "LLM4Code/Superoptimizer_Qwen7B"]
    assert words[words.index("--host") + 1] == "127.0.0.1"
    assert words[words.index("--served-model-name") + 1] == "LLM4Code/Superoptimizer_Qwen7B"


def test_options_are_handed_on() -> None:
    line = serve("./m", "--port", "9", "--gpus", "2", "--dry-run", "--", "--dtype", "half").stdout
    assert "vllm serve ./m" in line
    assert "--port 9" in line
    assert "--tensor-parallel-size 2" in line
    assert line.rstrip().endswith("--dtype half")


def test_the_key_is_not_on_the_command_line() -> None:
    assert "secret" not in serve("--dry-run", GCCLLM_API_KEY="secret").stdout


@pytest.mark.parametrize("words", [("--port",), ("--frobnicate",), ("a", "b")])
def test_nonsense_is_refused(words: tuple[str, ...]) -> None:
    done = serve(*words, "--dry-run") if words != ("--port",) else serve(*words)
    assert done.returncode == 2
    assert done.stderr.startswith("serve-vllm: ")


def test_without_vllm_it_says_what_to_install(tmp_path: Path) -> None:
    done = serve(PATH=f"{tmp_path}:/usr/bin:/bin")
    assert done.returncode == 2
    assert "pip install 'gccllm[serve]'" in done.stderr
