# A fresh machine needs Python 3.11 or later and make; these targets do the rest.
# `make` alone lists them.

PYTHON := $(shell for python in python3.13 python3.12 python3.11 python3; do \
	command -v $$python >/dev/null 2>&1 && $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$python; break; }; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
CODE := authn radius_client radius_server radius_wire store twinward tests bench

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 20

.PHONY: run
run: env ## set up, then show a real login over UDP and keep serving
	@$(BIN)/twinward demo

.PHONY: env
env: .venv/.runtime ## only set up: .venv with the `twinward` command

.PHONY: test
test: .venv/.dev ## the whole test suite, installing what it needs
	@tests/support/install_debian.sh
	@$(BIN)/pytest -q

.PHONY: check
check: .venv/.dev ## what a change must pass: format, lint, types, imports, tests, the installed wheel
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(MAKE) --no-print-directory test

.PHONY: fuzz
fuzz: .venv/.dev ## fuzz the packet parser for a minute (FUZZ_SECONDS=60)
	@$(BIN)/python tests/radius_wire/fuzz_packet.py -max_total_time=$(or $(FUZZ_SECONDS),60)

.PHONY: mutants
mutants: .venv/.dev ## take each protection out in turn and see that a test fails
	@$(BIN)/python tests/mutants.py

.PHONY: bench
bench: .venv/.dev ## measure beside FreeRADIUS; prints the table of bench/RESULTS.md
	@tests/support/install_debian.sh
	@$(BIN)/python bench/run.py

.PHONY: lock
lock: ## renew the lock files from pyproject.toml
	@bin=$$(mktemp -d) && $(PYTHON) -m venv $$bin && $$bin/bin/python -m pip --quiet install uv && \
	for part in "requirements.lock" "requirements-dev.lock --group dev"; do \
		set -- $$part; file=$$1; shift; \
		$$bin/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
			--no-annotate --no-emit-index-url --no-emit-find-links --upgrade "$$@" --output-file $$file pyproject.toml \
			>/dev/null || exit 1; \
	done; rm -r $$bin

.PHONY: clean
clean: ## remove what was built
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache bench-work

.venv/.made:
	@[ -n "$(PYTHON)" ] || { echo "twinward needs Python 3.11 or later; install it and run make again" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "this Python has no venv; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "Setting up .venv with $$($(PYTHON) --version); this takes a minute the first time."
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/.runtime: .venv/.made requirements.lock pyproject.toml
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: .venv/.runtime requirements-dev.lock
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@
