# Two commands do all the set-up on a machine with Python 3.11 or newer, make and pip:
#   make demo   pretrain on the documentation strings that Python carries, then ask whether it helped
#   make test   lint, types and tests, as CI runs them
# and one that takes its time:
#   make torture   kill, starve and feed with rubbish, and print a table of what was tried and what was lost

PYTHON ?= python3
BIN := .venv/bin
DEMO := runs/demo

.PHONY: demo test torture

demo: .venv/installed
	$(BIN)/selftaught pretrain builtin:docs --for 2m --out $(DEMO)
	$(BIN)/selftaught verdict $(DEMO) builtin:docs

test: .venv/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses=logical --dist=worksteal --durations=5

torture: .venv/installed-dev
	$(BIN)/pytest -m '' --torture tests/torture

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@
