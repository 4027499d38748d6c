"""Whole programs evaluated: systems of every kind on one program, protocols, tables, a server."""

from __future__ import annotations

import csv
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from gccllm.errors import UsageError
from gccllm.judge.baseline import Admitted
from gccllm.process import run
from gccllm.program import Build
from gccllm.prompts import answer_text
from gccllm.recordings import Case, Expected
from gccllm.sandbox.base import RunInput
from gccllm.sandbox.fake import FakeSandbox
from trainer.cli import app
from trainer.programs.evaluate import ProgramPlan, evaluate_programs
from trainer.programs.hyperfine import Hyperfine, find_hyperfine
from trainer.programs.protocols import PaperProtocol
from trainer.programs.systems import system_of
from trainer.programs.tables import best_of, counts_up_to, prefixes, render_tables, results_of

pytest.importorskip("matplotlib")
SOURCE = """#include <stdio.h>
int main(void) {
    unsigned n, c = 0;
    if (scanf("%u", &n) != 1) return 1;
    for (unsigned i = 0; i < n; i++) COUNT
    printf("%u\\n", c);
    return 0;
}
"""
SLOW = SOURCE.replace("COUNT", "for (unsigned x = i * 5; x; x >>= 1) c += x & 1;")
FAST = SOURCE.replace("COUNT", "c += __builtin_popcount(i * 5);")
SAME = SOURCE.replace("COUNT", "for (unsigned x = i * 5; x; x /= 2) c += x % 2;")
WRONG = SOURCE.replace("COUNT", "c += i;")
COUNTS = (0, 1, 200_000)


def assembled(text: str, folder: Path) -> str:
    source = folder / "source.c"
    source.write_text(text)
    made = run(["gcc", "-S", "-O3", "-mpopcnt", "-w", str(source), "-o", "-"], timeout=60)
    assert made.ok, made.error_line()
    return made.stdout.decode()


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One program, ``ones``, that counts bits one by one."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "ones.c").write_text(SLOW)
    tests = folder / "ones.tests"
    tests.mkdir()
    for count in COUNTS:
        (tests / f"{count}.in").write_text(f"{count}\n")
        total = sum(bin(i * 5).count("1") for i in range(count))
        (tests / f"{count}.out").write_text(f"{total}\n")
    return folder


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Answers to it: wrong, then no assembly, then right and fast."""
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "ones.s").write_text(assembled(WRONG, folder))
    (folder / "ones.1.s").write_text("main:\n\tnonsense\t%eax\n")
    (folder / "ones.2.s").write_text(assembled(FAST, folder))
    return folder


def lines_of(out: Path) -> dict[tuple[str, str, int], dict[str, str]]:
    with (out / "programs.csv").open() as file:
        return {(x["system"], x["protocol"], int(x["answers"])): x for x in csv.DictReader(file)}


@pytest.mark.slow
def test_systems_beside_each_other(
    examples: Path, scripts: Path, server: tuple[str, Any], tmp_path: Path
) -> None:
    """Doing nothing is worth 1 under both; a right rewrite is found among wrong ones, and measured
    under both; a server that is wrong each time gains nothing; the same call again asks nobody."""
    out, said = tmp_path / "out", list[str]()
    systems = ("do-nothing", f"hand=scripted:{scripts}", "compilers", f"chat=openai:{server[0]}")
    plan = ProgramPlan(out, systems, examples=examples, samples=3, ablation=("do-nothing", "hand"))
    results = evaluate_programs(plan, said.append)
    assert results["programs"] == ["ones"]
    lines = lines_of(out)
    for protocol in ("paper", "honest"):
        nothing = lines["do-nothing", protocol, 1]
        assert (nothing["verdict"], nothing["speedup"]) == ("unchanged", "1.0")
        wrong, fast = lines["hand", protocol, 1], lines["hand", protocol, 3]
        assert (wrong["compiles"], wrong["passes"], wrong["speedup"]) == ("True", "False", "1.0")
        assert (fast["passes"], fast["faster"]) == ("True", "True")
        assert float(fast["speedup"]) > 1.0
        chat = lines["chat", protocol, 3]
        assert (chat["compiles"], chat["passes"], chat["speedup"]) == ("True", "False", "1.0")
        assert results["control"][protocol]["programs"] == 1
    assert lines["hand", "honest", 3]["low"] != ""
    assert float(lines["hand", "honest", 3]["control"]) == 1.0
    curve = results["systems"]["hand"]["protocols"]["honest"]["curve"]
    assert [curve[n]["test_pass"]["value"] for n in ("1", "2", "3")] == [0.0, 0.0, 1.0]
    text = (out / "results.md").read_text()
    assert "## Table 2, protocol paper" in text
    assert "A/A: gcc's own against a copy" in text
    assert "## Table 3, rewards" in text
    assert "## Best of N, protocol honest" in text
    assert "isa: `native (x86-64" in text
    assert (out / "speedups.png").stat().st_size > 1000
    assert (out / "best-of-n.png").stat().st_size > 1000
    assert "popcnt" in (out / "assembly" / "ones" / "hand-2.s").read_text()
    assert "main:" in (out / "assembly" / "ones" / "baseline.s").read_text()
    count = len(said)
    assert evaluate_programs(plan, said.append) == results
    assert len(said) == count
    with pytest.raises(UsageError, match="other settings"):
        evaluate_programs(replace(plan, samples=2))
    with pytest.raises(UsageError, match="other settings"):
        evaluate_programs(replace(plan, systems=systems[1:], ablation=("hand",)))
    more = evaluate_programs(
        replace(plan, systems=(*systems, f"late=scripted:{scripts}")), said.append
    )
    assert more["systems"]["hand"] == results["systems"]["hand"]
    assert "late" in more["systems"]
    assert all("late" in x for x in said[count:]), "the others are not asked again"


@pytest.mark.slow
def test_what_is_right_on_the_recordings_alone(examples: Path, tmp_path: Path) -> None:
    """The paper's protocol calls it faster; the honest one examines it first."""
    trap = FAST.replace('printf("%u', 'if (n == 2) c++;\n    printf("%u')
    assert trap != FAST
    (tmp_path / "ones.s").write_text(assembled(trap, tmp_path))
    plan = ProgramPlan(tmp_path / "out", (f"trap=scripted:{tmp_path}",), examples=examples)
    evaluate_programs(plan)
    lines = lines_of(tmp_path / "out")
    assert lines["trap", "paper", 1]["faster"] == "True"
    honest = lines["trap", "honest", 1]
    assert (honest["passes"], honest["faster"], honest["speedup"]) == ("True", "False", "1.0")


class Server(BaseHTTPRequestHandler):
    """Answers what it was told to, by the number of messages; keeps what it was asked."""

    answers: dict[int, str]
    asked: list[list[dict[str, str]]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.asked.append(body["messages"])
        text = self.answers[len(body["messages"])]
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        content = json.dumps({"choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Any]]:
    """A chat that answers wrong at first, and right when it is told so."""
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    handler: Any = type("Handler", (Server,), {})
    handler.answers = {
        1: answer_text(assembled(WRONG, tmp_path)),
        3: answer_text(assembled(FAST, tmp_path)),
    }
    handler.asked = []
    serving = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{serving.server_address[1]}/v1#tiny", handler
    serving.shutdown()
    serving.server_close()
    thread.join()


@pytest.mark.slow
def test_a_chat_with_and_without_assembly_and_told_what_was_wrong(
    examples: Path, server: tuple[str, Any], tmp_path: Path
) -> None:
    url, handler = server
    out = tmp_path / "out"
    arguments = ["eval-programs", f"chat=openai:{url}", "--examples", str(examples), "--refine"]
    arguments += ["1", "--prompt", "with-o3", "--prompt", "c-only", "--protocol", "honest"]
    done = CliRunner().invoke(app, [*arguments, "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "## Table 4, with and without gcc's assembly in the prompt" in done.stdout
    assert "## After rounds of refinement, protocol honest" in done.stdout
    lines = lines_of(out)
    for name in ("chat", "chat, c-only"):
        assert lines[name, "honest", 1]["verdict"] in {"wrong-output", "wrong-exit"}
        assert lines[name, "honest", 2]["faster"] == "True"
    shown = ["```assembly\n\t.file" in x[0]["content"] for x in handler.asked]
    assert shown == [True, True, False, False]
    assert [len(x) for x in handler.asked] == [1, 3, 1, 3]
    assert "The verdict on this code: wrong-output" in handler.asked[1][2]["content"]


def test_who_can_not_be_asked_has_failed(examples: Path, tmp_path: Path) -> None:
    plan = ProgramPlan(
        tmp_path, ("gone=openai:http://127.0.0.1:9/v1#x", "local:/no/such/model"),
        examples=examples, protocols=("honest",),
    )  # fmt: skip
    results = evaluate_programs(plan)
    for name in ("gone", "local:/no/such/model"):
        system = results["systems"][name]
        assert system["protocols"]["honest"]["curve"]["1"]["compile_pass"]["value"] == 0.0
        assert system["failures"]
    assert "no server at http://127.0.0.1:9/v1" in (tmp_path / "results.md").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"protocols": ("best",)}, "no protocol 'best'"),
        ({"systems": ()}, "no system to ask"),
        ({"systems": ("do-nothing", "do-nothing")}, "two systems are called 'do-nothing'"),
        ({"systems": ("nonsense",)}, "unknown model 'nonsense'"),
        ({"systems": ("none",)}, "doing nothing is called do-nothing"),
        ({"ablation": ("other",)}, "no system 'other' for the ablation"),
        ({"examples": None}, "no programs"),
    ],
)
def test_what_makes_no_sense(
    changes: dict[str, Any], message: str, examples: Path, tmp_path: Path
) -> None:
    plan = ProgramPlan(tmp_path / "out", ("do-nothing",), examples=examples)
    with pytest.raises(UsageError, match=message):
        evaluate_programs(replace(plan, **changes))


def test_names_and_specs() -> None:
    (named,) = system_of("x=openai:http://h/v1?a=b#m")
    assert (named.name, named.chats) == ("x", True)
    assert system_of("openai:http://h/v1?a=b#m")[0].name == "openai:http://h/v1?a=b#m"
    both = system_of("m=openai:http://h/v1#m", ("with-o3", "c-only"))
    assert [x.name for x in both] == ["m", "m, c-only"]
    assert [x.name for x in system_of("compilers", ("with-o3", "c-only"))] == ["compilers"]


def judge_of(times: dict[str, list[float]], outputs: bytes = b"1\n") -> Any:
    """As much of a judge as a protocol needs, with programs whose times are given."""
    case = Case("a", RunInput(), Expected(b"1\n", stderr=b""))
    made = {
        name: [FakeSandbox.result(outputs if name == "candidate" else b"1\n", user=x) for x in all_]
        for name, all_ in times.items()
    }
    sandbox = FakeSandbox(made)

    def opened(programs: dict[str, Path], limits: Any) -> Any:
        return sandbox.open(programs, [case.given] * 2, limits=limits)

    build = Build(Path("baseline"), {})
    arena = SimpleNamespace(open=opened, core=None)
    from gccllm.sandbox.base import RunLimits

    baseline = SimpleNamespace(build=build, cases=(case, case), limits=RunLimits)
    return SimpleNamespace(arena=arena, baseline=baseline)


ADMITTED = Admitted({}, Build(Path("candidate"), {}), 2)


def test_the_papers_protocol_discards_warm_ups_and_clips_each_test() -> None:
    slow = [9.0, 9.0, 9.0, *[0.2] * 10]
    first, second = [9.0, 9.0, 9.0, *[0.1] * 10], [9.0, 9.0, 9.0, *[0.4] * 10]
    found = PaperProtocol().measure(
        judge_of({"baseline": slow, "candidate": first + second}), ADMITTED
    )
    assert found.ratio == pytest.approx((2.0 + 0.5) / 2)
    assert found.speedup == pytest.approx((2.0 + 1.0) / 2)
    assert found.faster
    assert found.detail == "own loop"


def test_a_timed_run_that_goes_wrong_counts_as_one() -> None:
    judge = judge_of({"baseline": [0.2], "candidate": [0.1]}, outputs=b"2\n")
    found = PaperProtocol().measure(judge, ADMITTED)
    assert (found.speedup, found.faster, found.detail) == (1.0, False, "case a: a timed run failed")


FAKE_HYPERFINE = """#!/bin/sh
for word; do
  case $word in
    --help) echo HELP; exit ;;
    --export-json=*) out=${word#*=} ;;
    --input=*) cat "${word#*=}" > /dev/null || exit 1 ;;
    --warmup=3 | --runs=10 | --shell=SHELL | --) ;;
    -*) exit 2 ;;
  esac
  last=$word
done
touch /root/escaped 2>/dev/null && exit 3
mean=0.5
case $last in
  "/x/baseline 'a b'"*) ;;
  *candidate*) mean=0.25 ;;
esac
case $last in *"< '"*" put'" | *"< /dev/null") ;; *"<"*) exit 4 ;; esac
echo '{"results": [{"mean": '$mean'}]}' > "$out"
"""


@pytest.mark.parametrize(("told", "shell"), [("--input", "none"), ("--shell", "/bin/sh")])
def test_hyperfine_where_it_is_installed(
    told: str, shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Called as the paper's code calls it, but confined: it can write its result and nothing. It
    is given stdin by --input, or by a shell where it is too old for that."""
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is missing")
    program = tmp_path / "hyperfine"
    program.write_text(FAKE_HYPERFINE.replace("HELP", f"'{told}'").replace("SHELL", shell))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    found = find_hyperfine()
    assert found is not None
    assert found.path == program
    stdin = tmp_path / "in put"
    stdin.write_text("1")
    given = RunInput(("a b",), stdin)
    assert found.mean(Path("/x/baseline"), given) == 0.5
    assert found.mean(Path("/x/candidate"), given) == 0.25
    measured = PaperProtocol(found).measure(
        judge_of({"baseline": [1.0], "candidate": [1.0]}), ADMITTED
    )
    assert (measured.speedup, measured.detail) == (2.0, "hyperfine")
    if found.takes_input:
        assert found.mean(Path("/x/candidate"), RunInput((), tmp_path / "none")) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_hyperfine() is None
    assert Hyperfine(Path("/no/such"), found.bwrap).mean(program, RunInput()) is None


def answer(round_: int = 0, passes: bool = True, glance: float = 1.0) -> dict[str, Any]:
    return {"round": round_, "passes": passes, "compiles": True, "glance": glance, "verdict": "x"}


def test_the_best_of_the_first() -> None:
    answers = [answer(passes=False), answer(glance=1.5), answer(glance=2.0), answer(1, glance=3.0)]
    assert [best_of(answers, n) for n in range(5)] == [-1, -1, 1, 2, 3]
    assert prefixes(answers) == [1, 2, 3, 4]
    assert counts_up_to(6) == [1, 2, 4, 6]
    assert counts_up_to(0) == []


def test_tables_of_what_is_known() -> None:
    measured = {"speedup": 2.0, "ratio": 1.9, "faster": True}
    control = {"honest": {"speedup": 1.0, "ratio": 0.99, "faster": False}}
    base = {"control": control, "tests": 3}
    common = {"failure": "", "seconds": 1.0}
    entries: dict[str, dict[str, Any]] = {
        "p baseline": base,
        "q baseline": base,
        "p m": {
            **common, "chats": True, "answers": [answer(glance=2.0)],
            "measured": {"0": {"honest": measured}},
        },
        "q m": {**common, "chats": True, "answers": [], "measured": {}},
        "p part": {**common, "chats": False, "answers": [], "measured": {}},
        "z m": {"dropped": "no such"},
    }  # fmt: skip
    results = results_of({"a": 1}, entries, ["m", "part"], ["honest"], [])
    m = results["systems"]["m"]["protocols"]["honest"]["curve"]["1"]
    assert (m["programs"], m["compile_pass"]["value"], m["average"]["value"]) == (2, 0.5, 1.5)
    assert m["percentiles"] == (1.25, 1.5, 1.75)
    part = results["systems"]["part"]["protocols"]["honest"]["curve"]["1"]
    assert (part["programs"], part["test_pass"]["value"]) == (1, 1.0)
    assert results["control"]["honest"]["unclipped"]["value"] == pytest.approx(0.99)
    text = render_tables(results)
    assert "- dropped: z: no such" in text
    assert "| m | 1 | 50.0" in text
