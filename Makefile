# Everything goes through .venv; `make setup` builds it and is what every other target starts with.
VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin
STAMP := $(VENV)/.gccllm-setup
SOURCES := pyproject.toml hatch_build.py gccllm/__init__.py $(wildcard wrapper/*/*) docs/gcc-llm.1
PYTEST_ARGS ?= -n 2

.PHONY: setup setup-train test test-long test-train check lint types imports bench bench-examples bench-projects demo model clean

setup: $(STAMP)

$(STAMP): $(SOURCES) scripts/setup
	PYTHON=$(PYTHON) VENV=$(VENV) scripts/setup
	touch $@

# torch first and pinned to the build for CPUs, else pip would fetch the one for GPUs.
setup-train: $(STAMP)
	$(BIN)/pip install -q --constraint constraints/cpu.txt --extra-index-url https://download.pytorch.org/whl/cpu torch
	$(BIN)/pip install -q --constraint constraints/cpu.txt -e '.[dev,local,train]'

test: $(STAMP)
	$(BIN)/python -m pytest -q -m "not long" --cov --cov-report=term $(PYTEST_ARGS)

# What takes minutes: faults at every step of a link, training on whole programs.
test-long: $(STAMP)
	$(BIN)/python -m pytest -q -m long $(PYTEST_ARGS)

# Training, with torch, verl and Ray: supervised, PPO and GRPO for real on the CPU; what `make test` leaves out
# where they are not installed.
test-train: setup-train
	$(BIN)/python -m pytest -q tests/trainer tests/proposers/test_local.py $(PYTEST_ARGS)

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
	$(BIN)/python -m bench.dispatch

demo: $(STAMP)
	$(BIN)/python scripts/demo.py

# All examples, with each proposer alone and all together: the table in README.md.
bench-examples: $(STAMP)
	$(BIN)/python scripts/demo.py --all --alone

# Six Debian packages, each built ten ways: hours on a quiet machine. PROJECTS="lua zlib" does those alone.
bench-projects: $(STAMP)
	$(BIN)/python -m bench.projects --write docs/results-projects.md $(PROJECTS)

# The weights that ship, from nothing, on the CPU: supervised training, PPO, and more supervised training,
# averaged. Each step goes on where it was stopped, so it may be interrupted; 7 hours in all, on one core.
# `make model MINI=DIR` leaves the package as it is. See docs/MODEL.md.
MODEL := runs/mini
MINI := gccllm/models/mini
PAIRS := data/pairs
SAMPLES := 500
SFT_HOURS := 1.8
PROGRAMS := 800
HELD := 240
PPO_STEPS := 83
MORE_HOURS := 0.8
GENTLE_HOURS := 0.43
SHORT_HOURS := 0.3
LONG_HOURS := 0.75
CHECK := 500
TRAIN := $(BIN)/gccllm-train
SFT := $(TRAIN) sft --data $(PAIRS) --tokenizer $(MODEL)/tokenizer --prompt-weight 0.02 --recast 0.6 --threads 1

model: setup-train
	test -d $(PAIRS)/families || { $(TRAIN) data families --out $(MODEL)/families --count $(SAMPLES) \
	    --seed 4 && mkdir -p $(PAIRS) && mv $(MODEL)/families $(PAIRS)/families; }
	test -d $(MODEL)/tokenizer || $(TRAIN) tokenizer --data $(PAIRS) --out $(MODEL)/tokenizer
	test -d $(MODEL)/sft/model || $(SFT) --out $(MODEL)/sft --hours $(SFT_HOURS)
	test -d $(MODEL)/ppo/model || $(TRAIN) ppo --model $(MODEL)/sft/model --tokenizer $(MODEL)/tokenizer \
	    --tasks $(MODEL)/tasks --programs $(PROGRAMS) --seed 11 --held $(HELD) --out $(MODEL)/ppo --steps $(PPO_STEPS) \
	    --reward cgs --estimator rloo --doublings --even 1 --survey 4 --batch 8 --samples-per-prompt 8 \
	    --temperature 1.2 --actor-lr 5e-5 --prompt-length 384 --answer-length 256 --precision bf16 --every 45
	test -d $(MODEL)/more/model || $(SFT) --init $(MODEL)/ppo/model --even 1 --out $(MODEL)/more \
	    --hours $(MORE_HOURS) --lr 0.002
	test -d $(MODEL)/gentle/model || $(SFT) --init $(MODEL)/ppo/model --even 1 --out $(MODEL)/gentle \
	    --hours $(GENTLE_HOURS) --lr 0.0005
	test -d $(MODEL)/averaged || $(TRAIN) average $(MODEL)/more/model $(MODEL)/gentle/model --out $(MODEL)/averaged
	test -d $(MODEL)/short/model || $(SFT) --init $(MODEL)/averaged --even 1 --out $(MODEL)/short \
	    --hours $(SHORT_HOURS) --lr 0.0006 --seed 3
	test -d $(MODEL)/second || $(TRAIN) average $(MODEL)/averaged $(MODEL)/short/model --out $(MODEL)/second
	test -d $(MODEL)/long/model || $(SFT) --init $(MODEL)/second --even 1 --out $(MODEL)/long \
	    --hours $(LONG_HOURS) --lr 0.002 --seed 11
	test -d $(MODEL)/third || $(TRAIN) average $(MODEL)/second $(MODEL)/long/model --out $(MODEL)/third
	test -d $(MODEL)/one/model || $(SFT) --init $(MODEL)/third --even 1 --out $(MODEL)/one \
	    --hours $(LONG_HOURS) --lr 0.0016 --seed 21
	test -d $(MODEL)/other/model || $(SFT) --init $(MODEL)/third --even 1 --out $(MODEL)/other \
	    --hours $(LONG_HOURS) --lr 0.0012 --seed 22
	test -d $(MODEL)/shipped || $(TRAIN) average $(MODEL)/one/model $(MODEL)/other/model --out $(MODEL)/shipped
	$(TRAIN) export --model $(MODEL)/shipped --out $(MINI) --check $(PAIRS) --prompts $(CHECK)

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage
