# make demo: look at the built-in recording.  make test, lint, docs: what CI checks; docs makes the site in site/.
# Both make .venv on first use and reinstall only when pyproject.toml changes.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint docs clean

demo: .venv/.core
	$(BIN)/regard demo

test: .venv/.dev
	$(BIN)/python -m pytest -n 2

docs: .venv/.dev
	$(BIN)/python docs/notebook_pages.py
	$(BIN)/zensical build --strict --clean

lint: .venv/.dev
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/lint-imports && $(BIN)/pyright

clean:
	rm -rf .venv regard-out site

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "regard needs Python 3.11 or later; try: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv

.venv/.core: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/.dev: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@ .venv/.core
