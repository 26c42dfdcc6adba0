# Each target works as the first command after `git clone`, on a machine with Python 3.11, make and a registry.
# Second runs reuse everything.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
PACKAGES := $(wildcard protocol worker committee coordinator pot anvil contracts migrations tests benchmarks)
FAST := not slow and not gpu

# Arguments for the program behind a target, e.g. make demo ARGS="--rounds 30"
ARGS ?=

# slither and halmos want older libraries than the project.
AUDIT := .venv-audit

.PHONY: help venv tools demo test test-all lint format forge browser snapshots audit mutate bench clean distclean
.DEFAULT_GOAL := help

help:
	@echo "make demo      train a model on a whole local network and audit it"
	@echo "make test      lint, type check, contract tests, and every test that is not slow"
	@echo "make test-all  the same with the slow tests and long fuzzing"
	@echo "make bench     measure the published figures"
	@echo "make audit     coverage, static analysis and proofs of the contracts"
	@echo "make lint | format | forge | snapshots | mutate | tools | clean | distclean"

$(VENV)/.runtime: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and was not found on PATH." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	$(PIP) --editable ".[dev]"
	@touch $@

venv: $(VENV)/.dev

tools: $(VENV)/.runtime
	$(BIN)/python -m anvil.toolchain

demo: tools
	$(BIN)/pot demo $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PACKAGES)

format: $(VENV)/.dev tools
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	$(BIN)/python tests/run_forge.py --format

forge: $(VENV)/.dev tools
	$(BIN)/python tests/run_forge.py
	$(BIN)/python -m contracts.compile --check

# Chromium for the tests of the pages; says what is missing where it cannot be had.
browser: $(VENV)/.dev
	$(BIN)/python -m anvil.browser

# Tests of pure code share the cores; those that start networks have them to themselves. pytest comes last, so that
# its closing line is the last thing printed.
test: lint forge browser
	@$(BIN)/python -m pytest -m "$(FAST)" --numprocesses 2 --dist loadfile tests/unit tests/simulation
	@$(BIN)/python -m pytest -m "$(FAST)" $(ARGS) tests/integration tests/e2e tests/browser

# Measure gas and sizes of the contracts anew, on purpose.
snapshots: $(VENV)/.dev tools
	$(BIN)/python tests/run_forge.py --snapshots

$(AUDIT)/.ready: contracts/audit/requirements.txt
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

audit: $(VENV)/.dev tools $(AUDIT)/.ready
	$(BIN)/python -m contracts.audit.coverage
	$(BIN)/python -m contracts.audit.slither
	$(BIN)/python -m contracts.audit.symbolic

# Takes an hour or more: run it when the libraries or the money paths change.
mutate: $(VENV)/.dev tools
	$(BIN)/python -m contracts.audit.mutate $(ARGS)

test-all: lint tools audit browser
	$(BIN)/python tests/run_forge.py --profile ci
	$(BIN)/python -m contracts.compile --check
	$(BIN)/python tests/run_model_check.py
	$(BIN)/python tests/run_core_coverage.py
	@$(BIN)/python -m pytest $(ARGS)

bench: $(VENV)/.dev tools
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf build dist .coverage htmlcov .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -rf contracts/out contracts/out-py contracts/cache
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -not -path './$(AUDIT)/*' -not -path './node_modules/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV) $(AUDIT) node_modules .pot/toolchain
