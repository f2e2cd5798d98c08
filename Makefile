# What a person types: `make demo`, `make test`, `make ui`, `make bench`, `make bench-quality`.
# What the workflows in .github type, too: `make setup`, `make lint`.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# reclist pins libraries of 2023; it runs with today's, which is why it comes without its pins.
RECLIST := reclist==2.1.0

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long lint ui bench bench-quality clean

help: ## Show the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/installed ## Set up .venv, and nothing more

demo: $(VENV)/installed ## Land the real sample, build its latest week, print the board
	@$(BIN)/hm land complete-journey
	@$(BIN)/hm build

# Three at once on two processors: a good part of the tests waits for daemons and other processes.
test: $(VENV)/installed-test ## Lint, type-check and run the whole test suite
	@$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

test-long: $(VENV)/installed-test ## Build the real sample on this machine and in a bucket: the same bytes
	$(BIN)/python -m pytest -m long tests/long

lint: $(VENV)/installed-test ## Lint Python and SQL, check types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --disable-progress-bar dbt

ui: $(VENV)/installed ## Open Dagster's UI on http://127.0.0.1:3000
	@DAGSTER_HOME="$$($(BIN)/hm dagster-home)" PATH="$(CURDIR)/$(BIN):$$PATH" \
		$(BIN)/dagster dev --host 127.0.0.1 --port 3000

ifdef SCALE
bench: $(VENV)/installed-bench
	$(BIN)/python -m benchmarks.scale --scale $(SCALE)
else
bench: $(VENV)/installed-bench ## Run the benchmarks; prints tables, writes JSON and docs (SCALE=1: H&M's size)
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.loading
	$(BIN)/python -m benchmarks.s3
	$(BIN)/python -m benchmarks.scale
endif

bench-quality: $(VENV)/installed-bench-quality ## Score peers and hm_platform on eight weeks, about 2 hours; writes docs/quality.md
	@$(BIN)/python -m benchmarks.quality
	@$(BIN)/python -m benchmarks.quality.ablation

clean: ## Remove the virtual environment and caches; data/ stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { \
		echo "$(PYTHON) is needed; name another one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# torch first: asked for as part of the rest, pip may take a build with several GB of CUDA packages.
$(VENV)/torch: constraints.txt | $(VENV)/bin/python
	@echo "Installing torch ..."
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	@touch $@

$(VENV)/installed: $(VENV)/torch pyproject.toml constraints.txt
	@echo "Installing hm_platform ..."
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[s3,sample]'
	$(BIN)/python -m pip install --quiet --no-deps $(RECLIST)
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	@echo "Installing test extras ..."
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	@touch $@

$(VENV)/installed-bench: $(VENV)/installed-test
	@echo "Installing what its searches are held against ..."
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	@touch $@

$(VENV)/installed-bench-quality: $(VENV)/installed
	@echo "Installing what the peers need ..."
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench-quality]'
	@touch $@
