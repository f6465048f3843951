# A fresh machine needs Python 3.11 or later and make; these targets do the rest.
# `make` alone lists them. To choose the interpreter: make env PYTHON=python3.12

PYTHON = $(shell for python in python3.13 python3.12 python3.11 python3; do \
	command -v $$python >/dev/null 2>&1 && $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$python; break; }; done)
BIN := .venv/bin
# Twice quiet: errors only, no warnings about an index's empty corners
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check --no-input
CODE := $(wildcard authn first_factors radius_client radius_server radius_wire store twinward tests bench)

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 20

.PHONY: run
run: .venv/.runtime ## set up, then show a real login over UDP and keep serving
	@$(BIN)/twinward demo

.PHONY: env
env: .venv/.runtime ## only set up: .venv with the `twinward` command
	@echo "Ready: $(BIN)/twinward --help"

.PHONY: lint
lint: .venv/.dev ## format, style, types (a test checks which room may import which)
	@$(BIN)/ruff format --quiet --check $(CODE) || { echo "to format: $(BIN)/ruff format $(CODE)" >&2; exit 1; }
	@$(BIN)/ruff check --quiet $(CODE)
	@$(BIN)/mypy

.PHONY: test
test: .venv/.dev ## the whole test suite, installing what it needs; what CI runs
	@tests/support/install_debian.sh
	@$(BIN)/pytest

.PHONY: check
check: lint ## what a change must pass: linters, tests, and the tests again on the installed wheel
	@$(MAKE) --no-print-directory test
	@$(MAKE) --no-print-directory test-wheel

.PHONY: test-wheel
test-wheel: .venv/.dev ## the tests, with every room imported from the built wheel
	@rm -rf build && site=$$(mktemp -d) && trap 'rm -rf "$$site"' EXIT && \
	$(PIP) install --no-deps --no-build-isolation --target "$$site" . && \
	PYTHONSAFEPATH=1 PYTHONPATH="$$site" TWINWARD_IMPORTED_FROM="$$site" $(BIN)/pytest -o pythonpath="$$site" \
		--ignore=tests/house/test_mutants.py

.PHONY: fuzz
fuzz: .venv/.dev ## fuzz the packet parser for a minute (FUZZ_SECONDS=60)
	@$(BIN)/python tests/radius_wire/fuzz_packet.py -max_total_time=$(or $(FUZZ_SECONDS),60)

.PHONY: mutants
mutants: .venv/.dev ## take each protection out in turn and see that a test fails
	@$(BIN)/pytest -q tests/house/test_mutants.py

.PHONY: bench
bench: .venv/.dev ## measure beside FreeRADIUS; prints the table of bench/RESULTS.md
	@tests/support/install_debian.sh
	@$(BIN)/python bench/run.py

# uv resolves once for every Python and system that is supported; the environment that runs it is thrown away.
.PHONY: lock
lock: ## renew the lock files from pyproject.toml
	@tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT && $(PYTHON) -m venv "$$tools" && \
	"$$tools/bin/python" -m pip --quiet --quiet --disable-pip-version-check install uv && \
	for part in "requirements.lock --group build" "requirements-dev.lock --group dev"; do \
		set -- $$part; file=$$1; shift; \
		"$$tools/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
			--no-annotate --no-emit-index-url --no-emit-find-links --upgrade "$$@" --output-file $$file pyproject.toml \
			>/dev/null || exit 1; \
	done

.PHONY: clean
clean: ## remove what was built
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache bench-work

.venv/.made:
	@[ -n "$(PYTHON)" ] || { echo "twinward needs Python 3.11 or later; install it and run make again" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make environments; on Debian: apt-get install python3-venv" >&2; exit 1; }
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
