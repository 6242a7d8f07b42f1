# `make run` and `make test` do all the set-up on a fresh machine; `make help` lists the rest.
# The system's own where it is new enough: the tests run as another user too, who can read it.
PYTHON ?= $(shell /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo /usr/bin/python3 || echo python3)
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: help run test test-maps test-links bench docs clean

help:
	@echo "make run     set up a virtual environment, install emu, run the two_segment network"
	@echo "make test    the same for the tests, and run them"
	@echo "make test-links  measure links, with netem in a kernel of their own; nothing else should be running"
	@echo "make test-maps  plan all public maps, and run those of real networks; takes some minutes"
	@echo "make bench   the benchmarks; nothing else should be running"
	@echo "make docs    the documentation, in site/"
	@echo "make clean   remove what the others made"

run: $(BIN)/.run
	$(BIN)/emu run two_segment

test: $(BIN)/.test
	PYTHON=$(abspath $(BIN))/python tests/run

test-maps: $(BIN)/.test
	$(BIN)/python -m tests.maps

test-links: $(BIN)/.test
	EMU_MEASURE=1 $(BIN)/python -m pytest tests/uml tests/network/test_rates.py

bench: $(BIN)/.test
	$(BIN)/emu bench

docs: $(BIN)/.test
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/python:
	tests/need venv $(PYTHON)
	$(PYTHON) -m venv $(VENV)

$(BIN)/.run: $(BIN)/python pyproject.toml
	$(BIN)/pip install --quiet --quiet --disable-pip-version-check --editable .
	@touch $@

$(BIN)/.test: $(BIN)/python pyproject.toml
	tests/need test
	$(BIN)/pip install --quiet --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@
