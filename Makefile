# Everything here works on a machine that has only Python 3.11 or newer and make.
# `make demo` serves the agent template, `make test` is what CI runs; `make help` lists the rest.

VENV ?= .venv
BIN := $(VENV)/bin
# The releases that everything was tried with, with their hashes; `make lock` writes it. Empty: the newest there are.
LOCK ?= tests/requirements.txt
PYTEST_ARGS ?=
# How many processes run the tests, which wait more than they compute.
JOBS ?= 4
BENCH_ARGS ?=
SOAK_ARGS ?=

# The first interpreter that is new enough; a shim that answers with an error does not count.
# Looked up only when a virtual environment must be made. `make PYTHON=/path/to/python` overrides it.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then echo $$p; break; fi; done)

PIP := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test again test-newest lint lock format bench soak conformance reference wheel clean
.DELETE_ON_ERROR:

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.installed  ## Serve the agent template, offline, and ask it two questions
	@$(BIN)/python tests/tools/demo.py

test: lint  ## Lint, type-check and test, as CI does
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

again: $(VENV)/.dev  ## Run what failed once more, one after the other
	$(BIN)/python -m pytest --last-failed --last-failed-no-failures none $(PYTEST_ARGS) || [ $$? -eq 5 ]  # 5: nothing did

test-newest:  ## Test with the newest release of every dependency, in an environment of its own
	$(MAKE) VENV=build/newest LOCK= build/newest/.dev
	build/newest/bin/python -m pip list --format freeze --exclude-editable >build/newest/releases.txt
	build/newest/bin/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

lock: $(VENV)/.made  ## Write tests/requirements.txt anew: the newest releases, with their hashes
	@$(PIP) install --quiet uv
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-annotate --python-version 3.11 \
		--custom-compile-command 'make lock' --extra ai --extra postgres --extra testing --group dev \
		--output-file tests/requirements.txt pyproject.toml

lint: $(VENV)/.dev  ## Check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(VENV)/.dev  ## Format the code and repair what can be repaired
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: $(VENV)/.dev  ## Compare CPU, memory and latency with other servers (BENCH_ARGS="--quick")
	$(BIN)/python -m tests.benchmarks $(BENCH_ARGS)

soak: $(VENV)/.dev  ## Break connections ten thousand times and compare what came (SOAK_ARGS="--seed 1 --faults 500")
	$(BIN)/python -m tests.soak $(SOAK_ARGS)

conformance: $(VENV)/.dev  ## Run the WebSocket conformance suite against the transport
	$(BIN)/python -m pytest tests/conformance $(PYTEST_ARGS)

reference: $(VENV)/.installed  ## Write the pages of docs/reference that are made from the code
	$(BIN)/python tests/tools/reference.py

wheel: $(VENV)/.installed  ## Build the wheel into build/dist
	$(PIP) wheel -q --no-deps --wheel-dir build/dist .

clean:  ## Remove what was built, the virtual environment too
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp a step: a second run does nothing. A half-made or moved environment is made anew.
$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "gsws needs Python 3.11 or newer; none was found on PATH." >&2; \
		echo "Name one with: make PYTHON=/path/to/python3.11" >&2; exit 4; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments: its module venv or ensurepip is missing." >&2; \
		echo "On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 4; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(BIN)/python -c 'import pip' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install --quiet --upgrade 'pip>=25.1'
	@touch $@

# With a lock, pip takes the releases of the lock and nothing else; each must have the hash that it had.
$(VENV)/.installed: $(VENV)/.made pyproject.toml gsws/__about__.py $(LOCK)
	@echo "installing gsws into $(VENV)"
ifeq ($(LOCK),)
	@$(PIP) install --quiet --upgrade --upgrade-strategy eager --editable '.[ai]'
else
	@sed -e '/^ *--hash/d' -e 's/ *\\$$//' $(LOCK) >$(VENV)/constraints.txt
	@$(PIP) install --quiet --constraint $(VENV)/constraints.txt --editable '.[ai]'
endif
	@touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml gsws/__about__.py $(LOCK)
	@echo "installing gsws and the development tools into $(VENV)"
ifeq ($(LOCK),)
	@$(PIP) install --quiet --upgrade --upgrade-strategy eager --group dev --editable '.[ai,postgres,testing]'
else
	@$(PIP) install --quiet --require-hashes --no-deps --requirement $(LOCK)
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
endif
	@touch $(VENV)/.installed $@
