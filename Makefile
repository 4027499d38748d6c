# Everything goes through .venv; `make setup` builds it and is what every other target starts with.
VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin
STAMP := $(VENV)/.gccllm-setup
SOURCES := pyproject.toml hatch_build.py gccllm/__init__.py $(wildcard wrapper/*/*) docs/gcc-llm.1
PYTEST_ARGS ?= -n 2

.PHONY: setup setup-train test check lint types imports bench demo clean

setup: $(STAMP)

$(STAMP): $(SOURCES) scripts/setup
	PYTHON=$(PYTHON) VENV=$(VENV) scripts/setup
	touch $@

# torch first and pinned to the build for CPUs, else pip would fetch the one for GPUs.
setup-train: $(STAMP)
	$(BIN)/pip install -q --constraint constraints/cpu.txt --extra-index-url https://download.pytorch.org/whl/cpu torch
	$(BIN)/pip install -q --constraint constraints/cpu.txt -e '.[dev,local,train]'

test: $(STAMP)
	$(BIN)/python -m pytest -q --cov --cov-report=term $(PYTEST_ARGS)

check: lint types imports

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python -m bench.overhead
	$(BIN)/python -m bench.control --trials 200
	$(BIN)/python -m bench.model

demo: $(STAMP)
	$(BIN)/python scripts/demo.py

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage
