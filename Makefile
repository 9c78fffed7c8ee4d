# Two commands: `make demo` shows the whole product on this machine, `make test` runs every check CI runs.
PYTHON ?= python3
BIN := .venv/bin
ONCE ?=
MUTANTS ?=

.PHONY: demo dev test lint types architecture scan tests mutants bench lock clean

demo: .venv/runtime
	$(BIN)/intune-pipeline demo $(if $(ONCE),--once)

dev: .venv/runtime
	$(BIN)/intune-pipeline dev

test: lint types architecture scan tests

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/dg check defs

types: .venv/dev
	$(BIN)/mypy

architecture: .venv/dev
	$(BIN)/lint-imports

# Secrets in files, then locked packages with known vulnerabilities. What only looks like a secret is in .secrets.baseline:
# after a look at each, .venv/bin/detect-secrets scan --no-verify --baseline .secrets.baseline
# The hook works on a copy, and 3 means that lines moved, no more.
scan: .venv/dev
	mkdir -p .local && cp .secrets.baseline .local/secrets.baseline
	$(BIN)/detect-secrets-hook --no-verify --baseline .local/secrets.baseline $$(git ls-files) || test $$? -eq 3
	$(BIN)/python .ci/audit.py requirements.lock requirements-demo.lock

tests: .venv/dev
	$(BIN)/pytest -n auto

# Long, and not part of CI: which small changes of the rules no test notices.
mutants: .venv/dev
	$(BIN)/mutmut run $(MUTANTS)
	$(BIN)/mutmut results

bench: .venv/dev
	$(BIN)/python -m bench

# The lock files are complete and carry hashes: every machine installs the same bytes, and pip has nothing to resolve.
# requirements.lock is what production installs; the demo and the tests install more.
LOCK = $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-header --no-annotate

lock: .venv/dev
	$(LOCK) pyproject.toml --extra celery --extra lineage -o requirements.lock
	$(LOCK) --group build -o requirements-build.lock
	$(LOCK) pyproject.toml --extra celery --extra lineage --extra demo --group build -c requirements.lock -o requirements-demo.lock
	$(LOCK) pyproject.toml --extra celery --extra lineage --extra demo --group build --group dev -c requirements-demo.lock -o requirements-dev.lock

.venv/runtime: requirements-demo.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-demo.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.venv/dev: requirements-dev.lock .venv/runtime
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	touch $@

clean:
	rm -rf .venv .local build mutants *.egg-info
