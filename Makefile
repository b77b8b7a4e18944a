# Every target makes its own virtual environment on a fresh machine and re-uses it afterwards.
PYTHON ?= python3
JOBS ?= 2
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test lint format types bench clean help

help: ## What can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

# Made anew when the dependencies change.
$(READY): setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev,serve,onnx]'
	touch $(READY)

demo: $(READY) ## The main job on the bundled sample: train, export, prove, ask
	$(BIN)/dlkit run imdb --data sample --set training.batch_size=32
	$(BIN)/dlkit predict imdb "A wonderful film with great acting" "A boring film with a terrible plot"

test: $(READY) ## All tests; those on real data run when DLKIT_DATA is set
	$(BIN)/python -m pytest -n $(JOBS) --no-loadscope-reorder --durations=30 --durations-min=5

lint: $(READY) types ## Style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(READY) ## Put the style right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(READY) ## Types alone
	$(BIN)/mypy

bench: $(READY) ## Measured ratios against the notes' code, scikit-learn and plain Keras (needs DLKIT_DATA; minutes)
	$(BIN)/python benchmarks/foundation.py
	$(BIN)/python benchmarks/nb_svm.py
	$(BIN)/python benchmarks/lstm_training.py

clean: ## Remove what was made, the environment included
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
