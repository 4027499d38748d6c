"""A model behind a server: the real HTTP path, from gcc-llm's link step to the shipped program."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.endtoend.project import FAST, INPUTS, Project

FENCED = "Here it is.\n```assembly\n%s```\n"


class Model:
    """Answers by the number of messages in the conversation; keeps what it was asked."""

    def __init__(self, first: str, later: str) -> None:
        self.first, self.later = first, later
        self.asked: list[dict[str, Any]] = []
        model = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer({"object": "list", "data": [{"id": "tiny", "object": "model"}]})

            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                request = json.loads(self.rfile.read(size))
                model.asked.append(request)
                text = model.first if len(request["messages"]) == 1 else model.later
                choice = {
                    "index": 0,
                    "message": {"role": "assistant", "content": text},
                    "finish_reason": "stop",
                }
                self.answer({"id": "1", "object": "chat.completion", "choices": [choice]})

            def answer(self, body: object) -> None:
                data = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    @property
    def spec(self) -> str:
        return f"openai:http://127.0.0.1:{self.server.server_address[1]}/v1#tiny"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def right(project: Project) -> str:
    return FENCED % project.unit(FAST)


@pytest.fixture
def wrong(project: Project) -> str:
    return FENCED % project.unit(FAST.replace(">> 56", ">> 55"))


@pytest.fixture
def serve(request: pytest.FixtureRequest) -> Iterator[list[Model]]:
    running: list[Model] = []
    yield running
    for model in running:
        model.close()


def build(project: Project, model: Model, **more: str) -> dict[str, Any]:
    project.build(GCCLLM_PROPOSERS="model", GCCLLM_MODEL=model.spec, GCCLLM_SAMPLES="2", **more)
    return project.record()


def test_a_right_answer_is_shipped(project: Project, right: str, serve: list[Model]) -> None:
    model = Model(right, right)
    serve.append(model)
    record = build(project, model)
    assert record["outcome"] == "optimized", record
    assert record["model"] == model.spec
    assert {x["proposer"] for x in record["functions"] if x["assurance"]} == {"model"}
    for name, text in INPUTS.items():
        expected = (project.tests / f"{name}.out").read_bytes()
        assert project.run_program(project.tree / "slow", text) == expected
    prompt = model.asked[0]["messages"][0]["content"]
    assert "x = 88172645463325252ul;" in prompt, "the C source is in the prompt"
    assert "count:" in prompt, "and so is gcc's assembly"


def test_wrong_answers_leave_gcc(project: Project, wrong: str, serve: list[Model]) -> None:
    model = Model(wrong, wrong)
    serve.append(model)
    record = build(project, model)
    assert (record["outcome"], record["reason"]) == ("fallback", "nothing-faster")
    assert record["counts"] == {"wrong-output": 2}
    assert project.built == project.expected


def test_prose_is_malformed(project: Project, serve: list[Model]) -> None:
    model = Model("I would use popcnt here.", "")
    serve.append(model)
    record = build(project, model)
    assert record["counts"] == {"malformed": 2}
    assert project.built == project.expected


def test_the_verdict_goes_back_to_the_model(
    project: Project, right: str, wrong: str, serve: list[Model]
) -> None:
    model = Model(wrong, right)
    serve.append(model)
    record = build(project, model, GCCLLM_REFINE="1")
    assert record["outcome"] == "optimized", record
    later = [x for x in model.asked if len(x["messages"]) > 1]
    assert later
    assert "differs" in later[0]["messages"][-1]["content"]
