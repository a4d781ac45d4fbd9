# Every proof of Alula, one word each. Needs make and Python 3.11, 3.12 or 3.13; the rest goes into .venv.
#
#   make demo     a typed workflow on real data            make bench    the figures, beside flytekit's
#   make check    format, lint, types, floors, unit tests  make docs     the code in the documents runs
#   make test     everything that can run here             make sim      10,000 seeds of faults, in virtual time
#   make lock     the locks, written again                 make chaos    real engines, killed 200 times and more
#   make verify   every fault at each call of plugins  make clean    away with what was made

.DEFAULT_GOAL := help
SHELL := /bin/sh

DEMO = $(BIN)/alula run examples/digits/pipeline.py main
DEMO_EXTRAS = pandera,sklearn,images,plots
BENCH = $(PY) -m bench $(BENCH_ARGS)

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
LEFT_OUT := .cache/left-out
CODE = $(wildcard src tests examples bench)
# Those that take long and wait most come first, so that no process is left alone with them in the end.
SLOW_TESTS = $(wildcard tests/integration/flytekit_tasks tests/integration/services tests/conformance tests/typing tests/acceptance tests/sim tests/integration)
TESTS = $(PY) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder
JOBS := 3
PIP = $(PY) -m pip --disable-pip-version-check install -qq --no-compile


# The first Python that the lock covers; failing that, a newer python3.
PYTHON ?= $(shell for below in 14 99; do for python in python3 python3.13 python3.12 python3.11; do \
  $$python -c "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, $$below))" 2>/dev/null \
  && echo $$python && exit; done; done)

.PHONY: help demo check test verify sim chaos bench docs lock clean

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

# Environments. A stamp says what is installed, so that the second run installs nothing.

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer found; say which with make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { echo "make: no venv; on Debian: apt-get install python3-venv"; exit 1; }
	@touch $@

$(VENV)/.demo: pyproject.toml requirements.lock | $(VENV)/.made
	@test -e $(VENV)/.all || echo "Installing what the demo needs into $(VENV) ..."
	@test -e $(VENV)/.all || $(PIP) -c requirements.lock hatchling editables
	@test -e $(VENV)/.all || $(PIP) -c requirements.lock --no-build-isolation -e '.[$(DEMO_EXTRAS)]'
	@touch $@

$(VENV)/.all: pyproject.toml requirements.lock | $(VENV)/.made
	@echo "Installing everything of requirements.lock into $(VENV) (torch included, so a minute or two) ..."
	@$(PIP) -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

# Proofs.

demo: $(VENV)/.demo
	@$(DEMO)

check: $(VENV)/.all
	@rm -f $(LEFT_OUT)
	$(BIN)/ruff format --check --quiet --output-format concise $(CODE)
	$(BIN)/ruff check --quiet --output-format concise $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --cache-dir .cache/import-linter
	ALULA_LEFT_OUT=$(LEFT_OUT) $(TESTS) $(wildcard tests/unit) tests/meta

test: check
	ALULA_LEFT_OUT=$(LEFT_OUT) ALULA_VERIFY_SECONDS=5 $(TESTS) $(SLOW_TESTS)
	@if test -s $(LEFT_OUT); then echo "Could not run here, and why:"; sort -u $(LEFT_OUT); \
	  else echo "Everything ran; nothing was left out."; fi

verify: $(VENV)/.all
	$(TESTS) tests/conformance/plugins

docs: $(VENV)/.all
	ALULA_VERIFY_SECONDS=5 $(PY) -m pytest tests/docs

bench: $(VENV)/.all
	@$(BENCH)

sim: $(VENV)/.all
	$(PY) -m alula.testing.sim --jobs 2 $(SIM_ARGS)

chaos: $(VENV)/.all
	$(PY) -m tests.chaos $(CHAOS_ARGS)

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
  --no-emit-index-url $(UPGRADE)

lock: $(VENV)/.made
	@$(PIP) uv
	$(COMPILE) --extra dev pyproject.toml -o requirements.lock
	@for wanted in requirements-*.in; do $(COMPILE) $$wanted -o $${wanted%.in}.lock || exit 1; done
	@for lock in requirements*.lock; do \
	  { echo "# Written by make lock (make lock UPGRADE=--upgrade for newer versions): docs/adr/0002-lock-without-hosts.md"; \
	    grep -v -E '^(#|nvidia-|cuda-|triton=)' $$lock; } > $$lock.new && mv $$lock.new $$lock; done

clean:
	rm -rf $(VENV) .envs .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
