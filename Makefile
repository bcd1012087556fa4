# Every command here is one a reader could type. Start with `make demo`.

PORT ?= 8000
PY := .venv/bin/python
CHROMIUM := { command -v chromium || command -v chromium-browser || command -v google-chrome; }

.PHONY: help install install-dev run demo test lint faults faults-long fuzz fuzz-schema fuzz-guided distributed flip streams races chromium node-clients testbed
.DEFAULT_GOAL := help

help:
	@echo "make demo     the product with a demo shop, on port $(PORT)"
	@echo "make run      the product alone, on port $(PORT)"
	@echo "make test     every test, browser tests included"
	@echo "make lint     style and types only"
	@echo "make faults   kill every process in turn while events arrive"
	@echo "make fuzz     a million broken requests against the whole intake"
	@echo "make fuzz-schema  requests made from the OpenAPI documents, good and bad"
	@echo "make fuzz-guided  coverage-guided fuzzing of all that reads bytes (Linux on x86-64)"
	@echo "make distributed  events and findings over Distributed tables, as on a cluster"
	@echo "make faults-long  half an hour of faults under traffic of real clients"
	@echo "make flip     a planned flip seen by 200 clients, worker stopped, web restarting"
	@echo "make streams  a thousand event streams and 500 flagd syncs on one process"
	@echo "make races    eight workers at 1,000 due plans"
	@echo "make testbed  flagd's conformance cases through import and OFREP (FLAGD_TESTBED=DIR)"
	@echo "make install  only .venv and the dependencies"

install: .venv/installed

.venv/bin/python:
	@for p in python3.13 python3.12 python3.11 python3; do \
	  if $$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; \
	  then found=$$p; break; fi; done; \
	if [ -z "$$found" ]; then \
	  echo "Flipscope needs Python 3.11, 3.12 or 3.13 with venv (Debian: apt-get install python3-venv)" >&2; \
	  exit 1; fi; \
	echo "using $$($$found --version)"; $$found -m venv .venv

.venv/installed: requirements.txt | .venv/bin/python
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

install-dev: .venv/installed-dev

.venv/installed-dev: requirements-dev.txt .venv/installed
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

run: install
	exec $(PY) manage.py up --port $(PORT)

demo: install
	exec $(PY) -m demo --port $(PORT)

lint: install-dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	$(PY) -m mypy .

test: lint chromium node-clients
	$(PY) -m pytest -n 2 --dist worksteal

fuzz: install-dev
	$(PY) -m tests.events.mutations --requests 1000000

fuzz-schema: install-dev
	$(PY) -m tests.fuzz.schema --examples 300

fuzz-guided: install-dev
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-fuzz.txt
	$(PY) -m tests.fuzz.guided --runs 200000

distributed: install-dev
	$(PY) -m pytest -n 2 --dist worksteal -p tests.distributed tests/events tests/insights

faults-long: install-dev
	$(PY) -m tests.faults.endurance --minutes 30

flip: install-dev
	$(PY) -m benchmarks.flip --clients 200 --port $(PORT)

streams: install-dev
	$(PY) -m benchmarks.streams --port $(PORT)

testbed: install-dev
	@[ -d "$(FLAGD_TESTBED)/evaluator" ] || { echo "FLAGD_TESTBED=DIR names a checkout of open-feature/flagd-testbed" >&2; exit 1; }
	$(PY) -m pytest tests/flags/test_testbed.py

races: install-dev
	$(PY) -m benchmarks.races --plans 1000 --workers 8

faults: install-dev
	$(PY) -m pytest tests/faults

node-clients:
	@if [ tests/clients/node/node_modules/.installed -nt tests/clients/node/package.json ]; then :; \
	elif command -v npm >/dev/null; then \
	  (cd tests/clients/node && npm install --silent --no-audit --no-fund --no-package-lock \
	  && touch node_modules/.installed) \
	  || echo "the JavaScript clients could not be installed: their tests will be skipped" >&2; \
	else echo "no npm found: the tests of JavaScript clients will be skipped" >&2; fi

chromium:
	@if $(CHROMIUM) >/dev/null 2>&1; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing Chromium for the browser tests"; \
	  apt-get install -y -qq chromium >/dev/null 2>&1 \
	  || { apt-get update -qq && apt-get install -y -qq chromium >/dev/null; } \
	  || echo "Chromium could not be installed: browser tests will be skipped" >&2; \
	else echo "no Chromium found, and only root could install it (apt-get install chromium): browser tests will be skipped" >&2; fi
