# Everything is run from here. Each target first makes .venv from python3 alone, once.

THUCCHAT_DATA ?= data
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.synced
WORKERS ?= auto

export THUCCHAT_DATA
export DO_NOT_TRACK := 1
export DAGSTER_DISABLE_TELEMETRY := yes
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export GX_ANALYTICS_ENABLED := false
export PYTHONUTF8 := 1
export UV_PYTHON_DOWNLOADS := never
export VIRTUAL_ENV := $(CURDIR)/$(VENV)

.DEFAULT_GOAL := help
.PHONY: help demo dev test check docs bench bench-size bench-detection setup

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 17

setup: $(STAMP) ## make .venv

$(STAMP): pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) --version)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m uv --version >/dev/null 2>&1 || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/python -m uv sync --locked --quiet --inexact --compile-bytecode --python $(BIN)/python
	@$(BIN)/python -m compileall -q orchestration submissions ratings expectations reports # where Python may not write caches, each start would compile
	@touch $@

demo: $(STAMP) ## run the main job on three units' reports, into data/demo
	@$(BIN)/thucchat demo

dev: $(STAMP) ## serve the Dagster UI on http://127.0.0.1:3000 for THUCCHAT_DATA (default data/)
	@$(BIN)/thucchat dev

test: $(STAMP) ## run the tests
	@$(BIN)/pytest -n $(WORKERS)

check: $(STAMP) ## lint, layers, SQL, definitions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint dbt_project --config dbt_project/.sqlfluff
	$(BIN)/dg check defs
	$(BIN)/python -m ratings

docs: $(STAMP) ## the dictionary into data/docs, and dbt's exposures from the packs
	$(BIN)/python -m orchestration.dictionary
	$(BIN)/thucchat docs

bench: $(STAMP) ## measure intake, the whole path, one corrected workbook, dbt against one SQL script, and judging a nation
	@$(BIN)/python benchmarks/speed.py
	@$(BIN)/python benchmarks/warehouse.py
	@$(BIN)/python benchmarks/nation.py

bench-size: $(STAMP) ## the same warehouse for 1, 10 and 100 times the sample, in up to 12 GB
	@$(BIN)/python benchmarks/warehouse.py --sizes 1 10 100

bench-detection: $(STAMP) ## how well inflated ratings are found in made-up provinces, into docs/detection.md
	@$(BIN)/python benchmarks/detection.py --page docs/detection.md
