# Two commands on a fresh machine with Python 3.11 to 3.13:
#   make quickstart   set up .venv, train on drawn faces with 30 % wrong labels, judge the result
#   make test         set up .venv, check style and types, run the whole test suite

PYTHON ?= python3
BIN := .venv/bin

.PHONY: quickstart test check clean

quickstart: .venv/installed
	$(BIN)/eactf train --recipe quickstart
	$(BIN)/eactf evaluate "$$(ls -td runs/quickstart* | head -n 1)"

test: check
	$(BIN)/python -m pytest

check: .venv/installed-for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# uv resolves and unpacks several times faster than pip; byte code is compiled at once, or every
# start would compile Keras again.
.venv/uv:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	touch $@

.venv/installed: .venv/uv pyproject.toml
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode -e .
	touch $@

.venv/installed-for-tests: .venv/uv pyproject.toml
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode -e '.[keras-cv,dev]'
	touch $@ .venv/installed

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
