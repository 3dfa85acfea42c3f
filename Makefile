# o2c: the two commands that matter are `make demo` and `make test`.
# Nothing needs to be installed beforehand but Python 3.11 to 3.13 and make.

SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
MANAGE := $(BIN)/python manage.py

# The first of these that is a Python we support; `make PYTHON=… demo` chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)

USAGE ?=
PRICES ?=
# Arguments of a pytest run: make pytest ARGS="tests/billing -k rating"
ARGS ?=

.PHONY: help demo test lint bench tamper-suite mutation status stop clean environment environment-dev browser pytest \
	check-lint check-types check-imports check-migrations check-walk lock start

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

demo: environment ## Start everything with the demonstration company (USAGE=… PRICES=… add real files)
	@$(MANAGE) services database
	@$(MANAGE) migrate --no-input --verbosity 0
	@$(MANAGE) demo build $(if $(USAGE),--usage "$(USAGE)") $(if $(PRICES),--prices "$(PRICES)")
	@$(MANAGE) services start
	@$(MANAGE) demo logins

start: environment ## Start database, web, worker and scheduler with the data that is there
	@$(MANAGE) services database
	@$(MANAGE) migrate --no-input --verbosity 0
	@$(MANAGE) services start

stop: ## End what `make demo` started, nothing else
	@if [ -x $(BIN)/python ]; then $(MANAGE) services stop; else echo "nothing was ever started here"; fi

status: ## Show what runs
	@if [ -x $(BIN)/python ]; then $(MANAGE) services status; else echo "nothing was ever started here"; fi

clean: ## Stop everything and delete state and environment
	@if [ -x $(BIN)/python ]; then $(MANAGE) services clean; fi
	rm -rf $(VENV) .o2c staticfiles .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

test: environment-dev browser ## Everything CI runs: lint, types, contracts, migrations, tests, the walk
	@$(MAKE) --no-print-directory -j2 check-walk check-types check-lint check-imports check-migrations
	@$(MAKE) --no-print-directory pytest ARGS="-n 2 --dist loadfile"

lint: environment-dev ## Lint, formatting, types and import contracts
	@$(MAKE) --no-print-directory check-lint check-types check-imports

bench: environment-dev ## Measure, and print every figure as a ratio (docs/performance.md)
	@$(MANAGE) services database
	$(BIN)/python -m bench $(ARGS)

pytest: environment-dev ## The tests alone: make pytest ARGS="tests/billing -x"
	$(BIN)/python -m pytest $(ARGS)

mutation: environment-dev ## Take every guard away in turn and see that the self-test notices (some minutes)
	O2C_MUTANTS=all $(BIN)/python -m pytest -q -s -p no:logging tests/controls/selftest -k guard_is_noticed

tamper-suite: environment-dev ## Try fifteen ways to falsify history; each must be found and named
	$(BIN)/python -m pytest -v tests/audit/test_attacks.py

lock: environment-dev ## Resolve the lock files anew after a change of pyproject.toml
	$(BIN)/python .ci/lock.py

check-lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

check-types:
	$(BIN)/mypy

check-imports:
	$(BIN)/lint-imports

check-migrations:
	@$(MANAGE) services database
	$(MANAGE) makemigrations --check --dry-run

check-walk:
	$(BIN)/python .ci/walk.py

environment:
	@$(if $(PYTHON),,echo "No Python 3.11, 3.12 or 3.13 found; install one, or say make PYTHON=/path/to/python"; exit 1)
	@$(PYTHON) .ci/environment.py $(VENV) requirements.lock

environment-dev:
	@$(if $(PYTHON),,echo "No Python 3.11, 3.12 or 3.13 found; install one, or say make PYTHON=/path/to/python"; exit 1)
	@$(PYTHON) .ci/environment.py $(VENV) requirements-dev.lock

browser: environment-dev
	@$(BIN)/python .ci/machine.py
