.DEFAULT_GOAL := help
SHELL := /bin/sh

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONPATH :=

DATASET ?= simulated
DATA ?=
STORE ?= .nids/store
WORK ?= .nids
# A first look is small; real data gets the whole treatment.
PRESET ?= $(if $(filter simulated,$(DATASET)),smoke,default)
SET ?=
PYTEST_ARGS ?=

.PHONY: help setup run serve test test-fast lint format typecheck imports check compile lock benchmark clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.ready ## install the pinned packages and this project into .venv

$(VENV)/.ready: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if v >= (3, 11) else f"Expected Python 3.11 or newer. Received: {v[0]}.{v[1]}. Name another one with PYTHON=...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the packages of requirements/dev.txt into $(VENV) (some minutes, once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: setup ## run the whole pipeline, serve the approved model, ask it over gRPC (DATASET= DATA= PRESET= STORE= SET="a=1 b=2")
	@$(BIN)/nids run --dataset '$(DATASET)' --data '$(DATA)' --preset '$(PRESET)' --store '$(STORE)' --work '$(WORK)' $(foreach s,$(SET),--set '$(s)')

serve: setup ## keep a server running on the store: gRPC 8500, REST 8501
	@$(BIN)/nids serve --store '$(STORE)'

test: setup ## run the whole test suite (real data: NIDS_DATA=folder)
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

test-fast: setup ## run the tests that take seconds
	@$(BIN)/python -m pytest -m "not slow and not cluster" $(PYTEST_ARGS)

check: lint typecheck imports ## everything that reads code and runs none of it

lint: setup ## ruff: style and defects
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: setup ## let ruff mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

typecheck: setup ## mypy --strict on our packages
	@$(BIN)/mypy

imports: setup ## import-linter: the arrows between the packages
	@$(BIN)/lint-imports

compile: setup ## write the pipeline's IR YAML
	@$(BIN)/nids compile

benchmark: setup ## seconds and peak memory per step, as a table (DATASET= DATA= PRESET=)
	@$(BIN)/python -m benchmarks.steps --dataset '$(DATASET)' --data '$(DATA)' --preset '$(PRESET)'

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links

lock: ## pin requirements/*.in anew (needs uv)
	$(LOCK) --upgrade requirements/dev.in -o requirements/dev.txt
	$(LOCK) -c requirements/dev.txt requirements/data.in requirements/tensorflow.in -o requirements/tensorflow.txt
	$(LOCK) -c requirements/dev.txt requirements/data.in -o requirements/data.txt

clean: ## remove runs, caches and the virtual environment
	rm -rf $(VENV) .nids .pytest_cache .mypy_cache .ruff_cache .import_linter_cache build *.egg-info
