# Everything a contributor needs, each one command. Python >= 3.11, pip and make are enough:
# the environment is made in .venv on the first call and kept until pyproject.toml changes.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:

VENV := .venv
PY := $(VENV)/bin/python
PYTEST_ARGS ?=
CANDIDATES := python3 python3.13 python3.12 python3.11 python3.14 python
IS_NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

# One thread per test process (more threads than free cores make OpenBLAS crawl), and no windows.
TEST_ENV := MPLBACKEND=Agg OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

.PHONY: help install demo test floors lint format format-check types docs bench check clean

help:
	@echo 'Adjoint: exact derivatives of plain NumPy functions.'
	@echo
	@echo '  make demo      differentiate the worked example, train a network on real digits'
	@echo '  make test      all tests, and every example in the documentation'
	@echo
	@echo 'Both set up their own environment in $(VENV) first. While you work:'
	@echo
	@echo '  make install   only set up the environment'
	@echo '  make lint      what ruff has to say about the code'
	@echo '  make format    lay out the code; make format-check only asks'
	@echo '  make types     mypy, strict'
	@echo '  make floors    do imports go down floors only?'
	@echo '  make docs      run every example, draw the pictures, build site/index.html'
	@echo '  make bench     compare with other libraries (installs them)'
	@echo '  make check     all that a change has to pass'
	@echo '  make clean     remove caches and builds ($(VENV) stays)'
	@echo
	@echo 'One test file:           make test PYTEST_ARGS=tests/project/test_floors.py'
	@echo 'A certain interpreter:   make install PYTHON=python3.12'

demo: $(VENV)/.installed-examples
	$(VENV)/bin/adjoint demo

install: $(VENV)/.installed-dev

test: $(VENV)/.installed-dev
	$(TEST_ENV) $(PY) -m pytest -q $(PYTEST_ARGS)

floors: $(VENV)/.installed-dev
	$(PY) -m pytest -q tests/project/test_floors.py

lint: $(VENV)/.installed-dev
	$(PY) -m ruff check .

format: $(VENV)/.installed-dev
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

format-check: $(VENV)/.installed-dev
	$(PY) -m ruff format --check --diff .

types: $(VENV)/.installed-dev
	$(PY) -m mypy

docs: $(VENV)/.installed-dev $(VENV)/.installed-docs
	$(TEST_ENV) $(PY) -m pytest -q README.md src/adjoint docs
	$(TEST_ENV) $(PY) docs/pictures/chapters.py
	set -e; for script in docs/*functions.py; do $(TEST_ENV) $(PY) $$script; done
	$(PY) -m sphinx -q -W --keep-going -b html docs site
	@echo 'open site/index.html'

bench: $(VENV)/.installed-bench
	$(TEST_ENV) $(PY) -m benchmarks

check:
	.ci/run

clean:
	rm -rf build dist site docs/functions.md docs/pictures/made src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests $(wildcard docs benchmarks examples) -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp per set of extras, so that a second call has nothing to do.
$(VENV)/.installed-%: pyproject.toml $(VENV)/.created
	@echo 'installing adjoint[$*] into $(VENV)'
	@$(PY) -m pip install --quiet --no-input --editable '.[$*]'
	@touch $@

# Some systems ship Python without ensurepip; pip can then fill the environment from outside.
$(VENV)/.created:
	@if [ -x $(PY) ] && $(PY) -c '$(IS_NEW_ENOUGH)' && $(PY) -m pip --version >/dev/null 2>&1; \
	then touch $@; exit 0; fi; \
	python=; \
	for candidate in $(or $(PYTHON),$(CANDIDATES)); do \
	    if "$$candidate" -c '$(IS_NEW_ENOUGH)' >/dev/null 2>&1; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo 'make: Adjoint needs Python 3.11 or newer; tried: $(or $(PYTHON),$(CANDIDATES)).' >&2; \
	    echo '  name the one to use:  make install PYTHON=/path/to/python3.12' >&2; \
	    exit 1; \
	fi; \
	echo "making $(VENV) with $$("$$python" --version)"; \
	if "$$python" -m venv --clear $(VENV) >/dev/null 2>&1 && $(PY) -m pip --version >/dev/null 2>&1; \
	then touch $@; exit 0; fi; \
	if "$$python" -m venv --clear --without-pip $(VENV) \
	    && "$$python" -m pip --python $(PY) install --quiet --no-input pip; \
	then touch $@; exit 0; fi; \
	rm -rf $(VENV); \
	echo "make: $$python could neither make an environment with pip nor put pip into one." >&2; \
	echo '  Debian and Ubuntu: install the package python3-venv, then repeat;' >&2; \
	echo '  otherwise name another interpreter:  make install PYTHON=/path/to/python3.12' >&2; \
	exit 1
