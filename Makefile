# `make setup`, `make run`, `make test`: nothing else needs to be installed first but Python 3.11+ and make.
PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
SWAGGER := src/keystead/api/static/swagger-ui
DASHBOARD := src/keystead/dashboard
export PYTHON

.PHONY: setup run test lint types imports bench lock docs screenshots pictures
.DEFAULT_GOAL := setup

setup: .venv/.runtime $(SWAGGER)/swagger-ui-bundle.js $(DASHBOARD)/static/manifest.json .venv/.locales

run: setup
	@exec $(BIN)/keystead serve

# The last line is pytest's own.
test: setup .venv/.dev lint types imports
	@scripts/system-packages
	@$(BIN)/python -m pytest -n auto --dist loadfile

lint: .venv/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: .venv/.dev
	@$(BIN)/mypy

imports: .venv/.dev
	@$(BIN)/lint-imports

bench: setup .venv/.dev
	@scripts/system-packages postgresql wrk nginx nginx-lua npm make c++
	@$(BIN)/python -m bench

docs: .venv/.dev
	@$(BIN)/python -m scripts.settings_docs
	@$(BIN)/python -m scripts.tables_docs

# For review; `make screenshots FOLDER=/elsewhere`. `make pictures` takes those that the docs show, to be committed.
FOLDER ?= screenshots
screenshots: setup .venv/.dev
	@scripts/system-packages chromium faketime
	@$(BIN)/python -m scripts.screenshots "$(FOLDER)"

pictures: setup .venv/.dev
	@scripts/system-packages chromium faketime
	@$(BIN)/python -m scripts.screenshots --docs

# Compiled in an environment of its own. `--universal`: one lock for Linux and macOS; no index is named.
COMPILE = .lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header $(UPGRADE)
lock:
	@rm -rf .lock && $(PYTHON) -m venv .lock && .lock/bin/pip install --quiet uv==$(UV_VERSION)
	@$(COMPILE) --output-file locks/runtime.txt pyproject.toml --group build
	@$(COMPILE) --output-file locks/dev.txt pyproject.toml --group build --group dev --constraints locks/runtime.txt
	@for peer in drf_api_key keyshield; do \
		$(COMPILE) --output-file bench/peers/$$peer/requirements.txt bench/peers/$$peer/requirements.in || exit; done
	@rm -rf .lock

# The stamps: each step runs again when what it is made from has changed.
INSTALL = $(BIN)/pip install --quiet --quiet --disable-pip-version-check

.venv/bin/pip:
	@scripts/system-packages venv
	@$(PYTHON) -m venv .venv

# The build backend is locked too: built in isolation, it would be fetched without a hash.
.venv/.runtime: locks/runtime.txt pyproject.toml | .venv/bin/pip
	@$(INSTALL) --require-hashes --requirement locks/runtime.txt
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: locks/dev.txt .venv/.runtime
	@$(INSTALL) --require-hashes --requirement locks/dev.txt
	@touch $@

node_modules/.package-lock.json: package-lock.json .npmrc
	@scripts/system-packages npm
	@npm ci --silent
	@touch $@

$(SWAGGER)/swagger-ui-bundle.js: node_modules/.package-lock.json
	@mkdir -p $(SWAGGER)
	@cd node_modules/swagger-ui-dist && cp swagger-ui.css swagger-ui-bundle.js favicon-32x32.png "$(CURDIR)/$(SWAGGER)"
	@touch $@

$(DASHBOARD)/static/manifest.json: node_modules/.package-lock.json scripts/assets.py scripts/fonts.mjs $(wildcard $(DASHBOARD)/static_src/* $(DASHBOARD)/static_src/*/*)
	@$(PYTHON) -m scripts.assets

.venv/.locales: .venv/.runtime scripts/locales.py $(wildcard $(DASHBOARD)/locales/*/ $(DASHBOARD)/locales/*/*.po)
	@$(BIN)/python -m scripts.locales
	@touch $@
