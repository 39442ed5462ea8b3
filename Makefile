# Two commands matter: `make run` sees a chain run, `make test` proves it. Both set up what they need in .venv.
# Needed beforehand: Python 3.11 or newer, and make.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
SOURCES := toolkit tests benchmarks

.DELETE_ON_ERROR:
.PHONY: install install-dev run test requirements test-browser test-transfers test-zipkin lint stubs perf wheel picture clean help cluster-up cluster-down cluster-status test-cluster

help: ## what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

install: $(VENV)/installed ## the toolkit into .venv
install-dev: $(VENV)/installed-dev ## the toolkit and what its tests need

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(BIN)/python pyproject.toml requirements.lock
	$(PIP) install -c requirements.lock -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(PIP) install -c requirements.lock -e '.[dev]'
	@touch $@

run: install ## the chained benchmark, called and evented, with its report
	$(BIN)/toolkit run chained-serving
	$(BIN)/toolkit run chained-eventing

test: install-dev ## every test that needs no cluster
	$(BIN)/python -m pytest -q -n 2 -m "not alone and not cluster and not browser and not stores"
	$(BIN)/python -m pytest -q -m alone

requirements: install-dev ## fetch what the benchmarks with libraries of their own require, so that `make test` runs these too
	$(BIN)/python -m tests.requirements

test-browser: install-dev ## a run's page in a real browser; brings Debian's Chromium where it may
	@for each in chromium chromium-browser google-chrome; do command -v $$each >/dev/null && exit 0; done; \
	  test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null || { apt-get -q update && apt-get -q -y install chromium; } || true
	$(BIN)/python -m pytest -q -n 2 -m browser tests/browser

test-transfers: install-dev ## transfers through a real Redis and a real S3 server; fetches them: needs go, and Debian's apt-get where no redis-server is
	$(BIN)/python -m tests.transfers.servers
	$(BIN)/python -m pytest -q -m stores tests/transfers

test-zipkin: install-dev ## the trace store beside a real Zipkin server; needs java 17 and, the first time, mvn
	KNBENCH_ZIPKIN=1 $(BIN)/python -m pytest -q -m zipkin tests/zipkin

lint: install-dev ## format, lint, types, layers, fresh stubs
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/toolkit stubs --check

stubs: install-dev ## generate the typed stubs from protos/
	$(BIN)/toolkit stubs

cluster-up: install ## a real Kubernetes with Knative on this machine: Linux, root, Go; no Docker
	$(BIN)/python -m tests.cluster up

cluster-down: install ## take it away again
	$(BIN)/python -m tests.cluster down

cluster-status: install ## whether it is up and well
	$(BIN)/python -m tests.cluster status

test-cluster: install-dev ## the tests that need a cluster, on it or on KUBECONFIG=…
	$(BIN)/python -m tests.cluster test

perf: install-dev ## what scaffold, broker and load generator cost, side by side in one run
	$(BIN)/python -m tests.perf

wheel: install-dev ## build the wheel and try it in an empty environment elsewhere
	$(BIN)/python -m tests.wheel

picture: install-dev ## the README's pictures of a run, and of it in Zipkin's pages (needs Chromium; Maven the first time)
	$(BIN)/python docs/picture.py
	$(BIN)/python docs/page_picture.py
	$(BIN)/python docs/traces_pictures.py
	jar=$$($(BIN)/python -m tests.zipkin.real) && $(BIN)/python docs/lens_pictures.py "$$jar"

clean: ## remove what the other targets made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
