# nexus-loadtests: `make help` lists what there is. Set-up is done by whatever needs it, once per change of the pins.

SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PORTAL := scenarios/portal

# Every profile takes these: make smoke USERS=50 RATE=60/s DURATION=2m HOST=http://127.0.0.1:8000
OPTIONS := $(if $(USERS),--users $(USERS)) $(if $(RATE),--rate $(RATE)) $(if $(DURATION),--duration $(DURATION)) \
	$(if $(HOST),--host $(HOST)) $(if $(OUT),--out $(OUT)) $(if $(PROCESSES),--processes $(PROCESSES)) $(ARGS)

# The embedded portal stands on SQLite and its own memory, or on real servers that live as long as the run:
# make smoke DB=postgres CACHE=redis
DB ?= sqlite
CACHE ?= memory
SERVERS := $(filter postgres,$(DB)) $(filter redis,$(CACHE))
ifneq ($(filter-out sqlite postgres,$(DB))$(filter-out memory redis,$(CACHE)),)
$(error DB is sqlite or postgres, CACHE is memory or redis; here they are $(DB) and $(CACHE))
endif
RUN := $(if $(strip $(SERVERS)),$(BIN)/python -m portal.local $(SERVERS) -- )$(BIN)/loadtests run

.PHONY: help setup test test-long test-quick check fix smoke load stress spike soak crowd storm doctor bench truth report trend clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|' 2>/dev/null \
		|| grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one with make PYTHON=python3.12 ..."; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setting up $(VENV) (a minute or two, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

setup: $(STAMP) ## Make the virtual environment with the pinned versions

test: $(STAMP) ## Run all tests, the slow ones too
	$(BIN)/python -m pytest -m 'not timed and not long' --numprocesses 3 --dist worksteal
	$(BIN)/python -m pytest -m 'timed and not long' --numprocesses 2 --dist worksteal tests/endtoend --ignore=tests/endtoend/test_stall.py
	$(BIN)/python -m pytest -m 'timed and not long' tests/endtoend/test_stall.py

test-long: $(STAMP) ## Run the tests that CI has no time for: one slow route in the main job, freezes and leaks, mutants of the schedule
	$(BIN)/python -m pytest -m long tests

test-quick: $(STAMP) ## Run the tests without the long simulations
	$(BIN)/python -m pytest -m 'not slow and not long' --numprocesses 3 --dist worksteal

check: $(STAMP) ## Lint, types and format, read-only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fix: $(STAMP) ## Mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

smoke: $(STAMP) ## The main job: 120 users and 64 live connections on every system of the portal for a minute
	$(RUN) $(PORTAL)/smoke.toml $(OPTIONS)

load: $(STAMP) ## Ten minutes at the usual load
	$(RUN) $(PORTAL)/load.toml $(OPTIONS)

stress: $(STAMP) ## Upward in stages, to see where it bends
	$(RUN) $(PORTAL)/stress.toml $(OPTIONS)

spike: $(STAMP) ## A sudden crowd, and the recovery after it
	$(RUN) $(PORTAL)/spike.toml $(OPTIONS)

soak: $(STAMP) ## An hour, or make soak DURATION=8h
	$(RUN) $(PORTAL)/soak.toml $(OPTIONS)

crowd: $(STAMP) ## Ten thousand live connections to the portal's own hub
	$(RUN) $(PORTAL)/crowd.toml $(OPTIONS)

storm: $(STAMP) ## Live connections that come and go, stop reading, and are cut off: half of them, then all by a restart
	$(RUN) $(PORTAL)/storm.toml $(OPTIONS)

doctor: $(STAMP) ## Is this machine fit to measure? Calibrate for a scenario: make doctor SCENARIO=scenarios/portal/smoke.toml
	$(BIN)/loadtests doctor $(or $(SCENARIO),$(PORTAL)/smoke.toml) $(if $(RATE),--rate $(RATE)) $(if $(PROCESSES),--processes $(PROCESSES)) $(ARGS)

bench: $(STAMP) ## Speed of the harness and of the portal, as ratios to peers measured in the same run
	$(BIN)/python -m pytest benchmarks --benchmark-enable --benchmark-only -q $(ARGS)

truth: $(STAMP) ## Hold the harness against servers whose times are known in closed form, or the quick ones: make truth SHORT=1
	$(BIN)/python -m benchmarks.truth $(if $(SHORT),--short) $(ARGS)

report: $(STAMP) ## Write the pages of a run again: make report RUN=runs/...; without RUN, of the newest
	@run="$${RUN:-$$(ls -t runs/*/run.json 2>/dev/null | head -1 | xargs -r dirname)}"; test -n "$$run" || { echo "no run yet: make smoke"; exit 2; }; \
		$(BIN)/loadtests report "$$run"

trend: $(STAMP) ## One page over all runs in runs/, or make trend RUNS='runs/a runs/b'
	@runs="$${RUNS:-$$(ls runs/*/run.json 2>/dev/null | xargs -r dirname)}"; test -n "$$runs" || { echo "no run yet: make smoke"; exit 2; }; \
		$(BIN)/loadtests trend $$runs --out runs/trend.html

clean: ## Remove the virtual environment, caches and runs
	rm -rf $(VENV) runs dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
