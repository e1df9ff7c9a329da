# Two commands do everything: `make dream` and `make test`.
# PIP_ARGS goes to pip: on Linux without a GPU, PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"
# saves the gigabytes of CUDA that PyPI's torch brings along.

PYTHON ?= python3
VENV ?= .venv
PIP_ARGS ?=
BIN := $(VENV)/bin

PEERS ?= .venv-peers

.PHONY: dream test bench bench-tables break lock clean

dream: $(VENV)/.installed
	$(BIN)/dreamgen demo --out runs

test: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

# Nothing else may run. pythae has an environment of its own: what it needs is not what this package needs.
bench: $(VENV)/.installed-dev $(PEERS)/.installed
	$(BIN)/python benchmarks/bench.py --peer $(PEERS)/bin/python --out docs/benchmarks.md

$(PEERS)/.installed: requirements.lock
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet $(PIP_ARGS) pythae==0.1.2 "$$(grep '^torch==' requirements.lock)"
	touch $@

# Tables: odd rows, gaps, synthetic rows, each beside its peers. Hours; each goes on from where it was stopped.
bench-tables: $(VENV)/.installed-dev $(PEERS)-tables/.installed
	$(BIN)/python benchmarks/anomaly.py --peer $(PEERS)-tables/bin/python --out runs/bench/anomaly
	$(BIN)/python benchmarks/imputation.py --out runs/bench/imputation
	$(BIN)/python benchmarks/synthetic.py --peer $(PEERS)-tables/bin/python --out runs/bench/synthetic

$(PEERS)-tables/.installed: requirements.lock
	$(PYTHON) -m venv $(PEERS)-tables
	$(PEERS)-tables/bin/python -m pip install --quiet $(PIP_ARGS) ctgan==0.12.1 pyod==3.6.7 "$$(grep '^torch==' requirements.lock)"
	touch $@

# Kills, full disks, flipped bits, hostile files and fuzzing: a quarter of an hour.
break: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/break_it.py

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("dreamgen needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml requirements.lock
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) --constraint requirements.lock --editable '.[all]'
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) --constraint requirements.lock --editable '.[all,dev]'
	touch $@

# Pins everything that is installed now; run it in a fresh environment after changing pyproject.toml.
lock: $(VENV)/.installed-dev
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' > requirements.lock

clean:
	rm -rf $(VENV) $(PEERS) $(PEERS)-tables runs build dist src/*.egg-info
