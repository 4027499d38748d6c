"""The front: its own options, where it finds itself and the real compiler, what it never does."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.driver.installed import Installed, clean_environment

VARIABLES = {
    "-fllm-tests=a b": "GCCLLM_TESTS=a b",
    "-fllm-model=openai:http://x/v1#m": "GCCLLM_MODEL=openai:http://x/v1#m",
    "-fllm-proposers=model,idioms": "GCCLLM_PROPOSERS=model,idioms",
    "-fllm-isa=native": "GCCLLM_ISA=native",
    "-fllm-budget=5": "GCCLLM_BUDGET=5",
    "-fllm-samples=3": "GCCLLM_SAMPLES=3",
    "-fllm-refine=2": "GCCLLM_REFINE=2",
    "-fllm-assurance=differential": "GCCLLM_ASSURANCE=differential",
    "-fllm-report=r.json": "GCCLLM_REPORT=r.json",
    "-fllm-lock=a b.lock": "GCCLLM_LOCK=a b.lock",
    "-fllm-store=s=t": "GCCLLM_STORE=s=t",
    "-fllm-verbose": "GCCLLM_VERBOSE=1",
}


@pytest.fixture
def spy(tmp_path: Path) -> Path:
    """A compiler that prints its arguments, one a line, then its environment."""
    path = tmp_path / "spy"
    path.write_text("#!/bin/sh\nprintf '[%s]\\n' \"$@\"\nenv\n")
    path.chmod(0o755)
    return path


def spied(front: Path, spy: Path, *arguments: str, **more: str) -> tuple[list[str], list[str]]:
    done = subprocess.run(
        [str(front), *arguments],
        env=clean_environment({"GCCLLM_CC": str(spy), **more}),
        cwd=spy.parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    lines = done.stdout.splitlines()
    return [x for x in lines if x[:1] == "["], [x for x in lines if x[:1] != "["]


@pytest.mark.parametrize("option", VARIABLES)
def test_each_option_becomes_its_variable(installed: Installed, spy: Path, option: str) -> None:
    words, environment = spied(installed.front, spy, "-O3", option, "a b.c", "", "*", "-o", "x'y")
    assert words == ["[-O3]", "[a b.c]", "[]", "[*]", "[-o]", "[x'y]"]
    assert VARIABLES[option] in environment


def test_arguments_pass_untouched_and_the_front_is_told(installed: Installed, spy: Path) -> None:
    words, environment = spied(installed.front, spy, "a\\nb", "$(x)", " ", COMPILER_PATH="/mine")
    assert words == ["[a\\nb]", "[$(x)]", "[ ]"]
    assert f"GCCLLM_FRONT={installed.front}" in environment
    (path,) = [x for x in environment if x.startswith("COMPILER_PATH=")]
    assert path.endswith("/libexec/gccllm:/mine")


@pytest.mark.parametrize("how", ["option", "variable"])
def test_off_is_gcc_without_our_path(installed: Installed, spy: Path, how: str) -> None:
    option = ["-fno-llm"] if how == "option" else []
    more = {"GCCLLM": "off"} if how == "variable" else {}
    words, environment = spied(installed.front, spy, *option, "-fllm-budget=1", "-c", "a.c", **more)
    assert words == ["[-c]", "[a.c]"]
    assert not [x for x in environment if x.startswith("COMPILER_PATH=")]


@pytest.mark.parametrize("query", ["-v", "-###", "-print-prog-name=cc1", "--version", "-dumpspecs"])
def test_a_question_goes_to_gcc_itself(installed: Installed, spy: Path, query: str) -> None:
    words, environment = spied(installed.front, spy, query, "-fllm-isa=native")
    assert words == [f"[{query}]"]
    assert not [x for x in environment if x.startswith("COMPILER_PATH=")]


@pytest.mark.parametrize("option", ["-fllm-x", "-fllm-x=1", "-fllm-tests", "-fllm-isa=", "-fllmx"])
def test_an_unknown_option_is_an_error_like_gccs(
    installed: Installed, tmp_path: Path, option: str
) -> None:
    done = installed.run("-c", option, "a.c", cwd=tmp_path)
    first, hint = done.stderr.decode().splitlines()
    assert done.returncode == 1
    assert first == f"gcc-llm: error: unrecognized command-line option '{option}'"
    assert hint.startswith("gcc-llm: note: ")


def test_our_options_in_a_response_file_are_refused(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "r").write_text("-O2 -fllm-isa=native\n")
    done = installed.run("@r", "-c", "a.c", cwd=tmp_path)
    assert done.returncode == 1
    assert b"response file" in done.stderr


def test_found_through_links_and_path(installed: Installed, spy: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    first.symlink_to(installed.front)
    second.symlink_to("one")
    _, environment = spied(second, spy, "a.c")
    assert f"GCCLLM_FRONT={installed.front}" in environment
    done = subprocess.run(
        ["gcc-llm", "a.c"],
        env=clean_environment(
            {"GCCLLM_CC": str(spy), "PATH": f"{installed.front.parent}:{os.environ['PATH']}"}
        ),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert f"GCCLLM_FRONT={installed.front}" in done.stdout.splitlines()


def test_recursion_is_an_error(installed: Installed, tmp_path: Path) -> None:
    masked = tmp_path / "gcc"
    masked.symlink_to(installed.front)
    for name in (str(installed.front), str(masked)):
        done = installed.run("a.c", cwd=tmp_path, env={"GCCLLM_CC": name})
        assert done.returncode == 1
        assert b"gcc-llm itself" in done.stderr
    done = subprocess.run(
        [str(masked), "a.c"],
        env=clean_environment({"PATH": f"{tmp_path}:{os.environ['PATH']}"}),
        capture_output=True,
        timeout=30,
    )
    assert done.returncode == 1
    assert b"gcc-llm itself" in done.stderr


def test_without_its_shim_it_is_gcc(installed: Installed, spy: Path, tmp_path: Path) -> None:
    front = tmp_path / "alone" / "bin" / "gcc-llm"
    front.parent.mkdir(parents=True)
    shutil.copy(installed.front, front)
    words, environment = spied(front, spy, "-c", "a.c")
    assert words == ["[-c]", "[a.c]"]
    assert not [x for x in environment if x.startswith("COMPILER_PATH=")]


def test_the_checkout_runs_as_it_is(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    (tmp_path / "a.c").write_text("int main(void) { return 7; }\n")
    done = subprocess.run(
        [str(root / "wrapper" / "bin" / "gcc-llm"), "-O2", "a.c", "-o", "a"],
        cwd=tmp_path,
        env=clean_environment({"GCCLLM_STORE": str(tmp_path / "store")}),
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert subprocess.run([tmp_path / "a"]).returncode == 7
