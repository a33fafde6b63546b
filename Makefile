# Needs python3 (3.11 or later, with venv) and make; takes uv when it is there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MEMBERS := kahi-core kahi-api kahi-webui kahi-metrics kahi-webhooks kahi-migrate kahi-fips
EDITABLE := $(foreach member,$(MEMBERS),-e ./$(member))
UV := $(shell command -v uv 2>/dev/null)
TOOLS = $(shell $(PYTHON) -c 'import tomllib; print(*("\"%s\"" % each for group in tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"].values() for each in group))')

ifeq ($(UV),)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
else
INSTALL := uv pip install --quiet --compile-bytecode --python $(BIN)/python
endif

# Tests of daemons mostly wait: two workers for each core.
WORKERS := $(shell $(PYTHON) -c 'import os; print(2 * (os.cpu_count() or 1))')

.PHONY: demo test test-all quick robustness coverage lint format bench bench-peers dist lowest docs chaos fuzz clean

demo: $(VENV)/installed
	@$(BIN)/python examples/demo/run.py

test: $(VENV)/tools lint
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slow"

test-all: $(VENV)/tools lint
	$(BIN)/python -m pytest -n $(WORKERS)

quick: $(VENV)/tools
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slow"

robustness: $(VENV)/tools
	$(BIN)/python -m pytest -n $(WORKERS) -m fault --write-robustness

# Which branches of core no test takes. Daemons are measured too, but for those that tests kill.
coverage: $(VENV)/tools
	rm -f .coverage .coverage.*
	-$(BIN)/python -m coverage run -m pytest -n $(WORKERS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

lint: $(VENV)/tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/codespell *.md docs examples kahi-*

format: $(VENV)/tools
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/tools
	$(BIN)/python -m benchmarks

# Another supervisor to measure beside, whose dependencies are not ours.
bench-peers:
	$(if $(UV),uv venv --quiet --python $(PYTHON) .venv-peers,$(PYTHON) -m venv .venv-peers)
	$(if $(UV),uv pip install --quiet --python .venv-peers/bin/python,.venv-peers/bin/python -m pip install --quiet) circus

# Whether the lower bounds of what Kahi needs are true; wants uv, which can choose the lowest versions.
lowest:
	uv venv --quiet --clear --python $(PYTHON) .venv-lowest
	uv pip install --quiet --python .venv-lowest/bin/python --resolution lowest-direct $(EDITABLE)
	uv pip freeze --python .venv-lowest/bin/python --exclude-editable > .venv-lowest/constraints
	uv pip install --quiet --python .venv-lowest/bin/python --constraints .venv-lowest/constraints $(TOOLS)
	.venv-lowest/bin/python -m pytest -n $(WORKERS) -m "not slow" tests/core tests/api

# Wheels and sdists of all distributions in dist, the same bytes whenever and wherever it is done.
dist: $(VENV)/tools
	@$(BIN)/python packaging/distributions.py

SECONDS ?= 60
SEED ?=
REPORT ?=

chaos: $(VENV)/tools
	$(BIN)/python -m tests.chaos --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(if $(REPORT),--report $(REPORT))

TARGETS ?=

fuzz: $(VENV)/tools
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(TARGETS)

# The documents as a site, in site/; nothing is fetched. Warnings are errors: a link that leads nowhere is one.
docs: $(VENV)/tools
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "site/index.html"

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis dist site

$(BIN)/python:
	$(if $(UV),uv venv --quiet --python $(PYTHON) $(VENV),$(PYTHON) -m venv $(VENV))

$(VENV)/installed: $(BIN)/python pyproject.toml $(MEMBERS:%=%/pyproject.toml)
	$(INSTALL) $(EDITABLE)
	@touch $@

$(VENV)/tools: $(VENV)/installed
	$(INSTALL) $(TOOLS)
	@touch $@
