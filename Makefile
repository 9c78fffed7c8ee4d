# Two commands: `make demo` shows the whole product on this machine, `make test` runs every check CI runs.
PYTHON ?= python3
BIN := .venv/bin
ONCE ?=

.PHONY: demo dev test lint types architecture tests bench lock clean

demo: .venv/runtime
	$(BIN)/intune-pipeline demo $(if $(ONCE),--once)

dev: .venv/runtime
	$(BIN)/intune-pipeline dev

test: lint types architecture tests

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/dg check defs

types: .venv/dev
	$(BIN)/mypy

architecture: .venv/dev
	$(BIN)/lint-imports

tests: .venv/dev
	$(BIN)/pytest -n auto

bench: .venv/dev
	$(BIN)/python -m bench

# The lock files are complete and carry hashes: every machine installs the same bytes, and pip has nothing to resolve.
# requirements.lock is what production installs; the demo and the tests install more.
LOCK = $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-header --no-annotate

lock: .venv/dev
	$(LOCK) pyproject.toml --extra celery -o requirements.lock
	$(LOCK) --group build -o requirements-build.lock
	$(LOCK) pyproject.toml --extra celery --extra demo --group build -c requirements.lock -o requirements-demo.lock
	$(LOCK) pyproject.toml --extra celery --extra demo --group build --group dev -c requirements-demo.lock -o requirements-dev.lock

.venv/runtime: requirements-demo.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-demo.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.venv/dev: requirements-dev.lock .venv/runtime
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	touch $@

clean:
	rm -rf .venv .local build *.egg-info
