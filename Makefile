# `make` lists the targets. Nothing needs an activated environment: every command runs .venv/bin/python.
#   PYTHON=python3.12 make env    makes .venv with another Python than `python3` (3.11 to 3.14)
#   UPGRADE=1 make lock           takes the newest versions; without it, pins stay where they can

PYTHON ?= python3
PY := .venv/bin/python
UV := $(PY) -m uv
FLOOR := .venv-floor/bin/python
# The oldest versions that pyproject.toml promises, without what only a study needs (ray, optuna).
FLOOR_PACKAGES := "torch==2.11.*" "torchvision==0.26.*" "scipy==1.15.*" "scikit-learn==1.6.*"
FAST := -m "not slow and not faults"
PARALLEL := -n logical --maxprocesses 4 --dist worksteal

# The stamp names the folder and the Python of an environment. One that was copied from elsewhere, left unfinished
# or made with another Python than the one now asked for is made anew; otherwise only changed packages are.
ASKED := $(if $(filter file,$(origin PYTHON)),,&& grep -qsxF '$(PYTHON)' .venv/.synced)
REMAKE := $(shell test -x $(PY) && grep -qsxF '$(CURDIR)' .venv/.synced $(ASKED) || echo FORCE)

define make_venv
{ $(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null || { \
	echo "needs Python 3.11 to 3.14, got $$($(PYTHON) --version 2>&1 | head -n 1);" \
		"name one: PYTHON=python3.12 make env" >&2; exit 1; }; \
$(PYTHON) -m venv --clear .venv || { \
	echo "$(PYTHON) cannot make environments; on Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; }; }
endef

.PHONY: help env study test test-all test-floor test-faults audit bench check lint notebooks lock clean FORCE
.DEFAULT_GOAL := help

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' Makefile

env: .venv/.synced ## make or update .venv from requirements.lock; nothing to do if it is current

study: env ## a study of the embedded images under a budget of 4N: a confirmed result in under 6 minutes
	@$(PY) study/run.py --budget 4N

test: env ## all tests but the slow ones, after making .venv if needed
	@$(PY) -m pytest $(FAST) $(PARALLEL)

test-all: env ## all tests, with those that take minutes
	@$(PY) -m pytest -m "not faults" $(PARALLEL)

test-floor: .venv-floor/.synced ## tests of the training core with the oldest torch, and without Ray and Optuna
	@$(FLOOR) -m pytest $(FAST) $(PARALLEL)

test-faults: env ## kills, lost machines, full disks for real: half an hour on two cores, and a table of losses
	@FAULTS_REPORT=1 $(PY) -m pytest -m faults tests/faults

# A package that the advisories cannot be asked about fails the audit; without `--strict` it would pass unseen.
audit: env ## known weaknesses of the locked packages; needs the network
	@$(UV) tool run pip-audit --strict --disable-pip --require-hashes --requirement requirements.lock

bench: env ## the short form of all benchmarks, some minutes; tables in runs/bench
	@$(PY) -m benchmarks

check: env ## doctor: versions, GPU, memory and disk, and what to do about each thing that is wrong
	@$(PY) -m study.doctor

lint: env ## style, format and types
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy

notebooks: env ## execute the notebooks on results/, or on RESULTS=runs/DIR
	@$(PY) -m analysis.notebooks.execute $(RESULTS)

# Not after `env`: a broken lock must be replaceable.
lock: ## write requirements.lock anew from pyproject.toml
	@test -x .venv/bin/uv || $(make_venv)
	@test -x .venv/bin/uv || $(PY) -m pip install --quiet --disable-pip-version-check uv
	@$(UV) pip compile --quiet --python $(PY) --python-version 3.11 --universal --generate-hashes $(if $(UPGRADE),--upgrade) \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
		--extra cluster --extra notebooks --extra dev pyproject.toml --output-file requirements.lock

clean: ## remove .venv, .venv-floor, caches and builds; runs/ stays
	rm -rf .venv .venv-floor .pytest_cache .ruff_cache .mypy_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip installs uv, and uv all the rest, at the versions and hashes of the lock.
.venv/.synced: requirements.lock pyproject.toml $(REMAKE)
	@test -x $(PY) -a -z "$(REMAKE)" || $(make_venv)
	@rm -f $@
	@echo "installing requirements.lock into .venv (downloads about 3 GB the first time)"
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .venv/uv.txt
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/uv.txt
	@$(UV) pip sync --quiet --python $(PY) --compile-bytecode --require-hashes requirements.lock
	@$(UV) pip install --quiet --python $(PY) --no-deps --no-build-isolation --editable .
	@printf '%s\n' '$(CURDIR)' '$(PYTHON)' > $@

.venv-floor/.synced: pyproject.toml Makefile | .venv/.synced
	@$(UV) venv --quiet --clear --python $(PY) .venv-floor
	@$(UV) pip install --quiet --python $(FLOOR) $(FLOOR_PACKAGES) setuptools pytest pytest-xdist hypothesis
	@$(UV) pip install --quiet --python $(FLOOR) --no-deps --no-build-isolation --editable .
	@touch $@
