# Two commands on a fresh machine with Python 3.11 to 3.13:
#   make quickstart   set up .venv, train on drawn faces with 30 % wrong labels, judge the result,
#                     make a page of what came of it
#   make test         set up .venv, check style and types, run the whole test suite
# While working on the code:
#   make check        style, types, and the tests that need no TensorFlow
#   make test ORDER=7 the suite in a random order, the same for the same number

PYTHON ?= python3
BIN := .venv/bin

# Two processes with one thread each (tests/conftest.py) keep two cores busier than one with two.
PYTEST := $(BIN)/python -m pytest -n 2
ifdef ORDER
PYTEST += -p randomly --randomly-seed=$(ORDER)
endif

.PHONY: quickstart test check style clean

quickstart: .venv/installed
	$(BIN)/eactf train --recipe quickstart
	$(BIN)/eactf evaluate "$$(ls -td runs/quickstart* | head -n 1)"
	$(BIN)/eactf report "$$(ls -td runs/quickstart* | head -n 1)"

test: style
	$(PYTEST)

check: style
	EACTF_TESTS_WITHOUT_TENSORFLOW=1 $(PYTEST)

style: .venv/installed-for-tests
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
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode -e '.[report]'
	touch $@

.venv/installed-for-tests: .venv/uv pyproject.toml
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode -e '.[keras-cv,report,dev]'
	touch $@ .venv/installed

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
