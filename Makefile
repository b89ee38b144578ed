# Every target sets up what it needs. PYTHON=... picks the interpreter; ARGS=... is handed to test, demo and bench.

BIN := .venv/bin
READY := .venv/.ready
BENCH_READY := .venv/.ready-bench
DOCS_READY := .venv/.ready-docs

# The tests start hundreds of processes, and each would compile everything anew, where an image for Python says so.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup test soak demo demo-server lint types imports docs check format proto bench bench-temporal conformance-asl clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' Makefile

setup: $(READY) ## Make .venv with everything for tests, demo and lint
	@:

test: $(READY) ## Run the tests, for example make test ARGS="-k timer -n 0"
	@$(BIN)/python -m pytest -n 3 --dist worksteal $(ARGS)

soak: $(READY) ## Run what finds more the longer it goes on ten times as long: properties, simulations, kills
	@PERDURE_SOAK=10 $(BIN)/python -m pytest -n 3 --dist worksteal -o timeout=3600 $(ARGS) $$(grep -rlE "soaking|hypothesis" tests --include="test_*.py")

demo: $(READY) ## Run the guided demo, then the flights example
	@$(BIN)/perdure demo $(ARGS)
	@$(BIN)/python examples/flights.py

demo-server: $(READY) ## Run the guided demo with a server and workers, which are killed in turn
	@$(BIN)/perdure demo --server $(ARGS)

lint: $(READY) ## Check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(READY) ## Check types
	@$(BIN)/mypy

imports: $(READY) ## Check that imports go one way down
	@$(BIN)/lint-imports --no-logo

docs: $(DOCS_READY) ## Build the documentation into site/, with no warning let pass
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet $(ARGS)
	@echo "The documentation is in site/index.html; with search: $(BIN)/python -m http.server -d site"

check: lint types imports test docs ## Check everything

format: $(READY) ## Mend what lint can mend by itself
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

# With an older generator than the newest, whose code would refuse older protobuf libraries.
proto: $(READY) ## Write the worker protocol's code anew from worker.proto
	@$(BIN)/python -m pip install --quiet --target build/protoc "grpcio-tools==1.75.1"
	@PYTHONPATH=build/protoc $(BIN)/python -m grpc_tools.protoc -Isrc --python_out=src --pyi_out=src src/perdure/protocols/worker/worker.proto

bench: $(BENCH_READY) ## Measure, against peers in the same run
	@$(BIN)/python -m bench $(ARGS)

bench-temporal: $(READY) ## Measure runs by Temporal's Python SDK; ARGS="--peer-binary PATH" compares
	@$(BIN)/python -m bench.temporal $(ARGS)

conformance-asl: $(READY) ## Judge the Step Functions API by recorded vectors; ARGS="--group assign" for some
	@$(BIN)/python scripts/conformance_asl.py $(ARGS)

clean: ## Remove .venv, caches and builds
	rm -rf .venv build dist site .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps lie in .venv, so that they vanish with it.
$(READY): pyproject.toml scripts/setup
	@scripts/setup dev,flights
	@touch $@

$(BENCH_READY): $(READY)
	@scripts/setup bench
	@touch $@

$(DOCS_READY): $(READY)
	@scripts/setup docs
	@touch $@
