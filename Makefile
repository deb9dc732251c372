# Everything a person or CI does here starts with one of these lines.
# Needs Python 3.11 or newer, git and make; the rest is installed into .venv from locks with hashes.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

BIN := .venv/bin
PACKAGES := core/doorward_core proxies/postgres/doorward_postgres proxies/ssh/doorward_ssh proxies/http/doorward_http proxies/k8s/doorward_k8s console/doorward_console demo/doorward_demo
MEMBERS := core proxies/postgres proxies/ssh proxies/http proxies/k8s console demo
INSTALLED := .venv/.installed
WORKERS ?= 2
FOLDER ?= .doorward/gateway

.PHONY: help demo init crew test explore check bench format locks clean

help: ## say what there is
	@sed -n 's/^\([a-z]*\):.*## /  make \1  -- /p' Makefile

$(INSTALLED): .ci/install requirements.lock .ci/build.lock $(MEMBERS:%=%/pyproject.toml)
	.ci/install

demo: $(INSTALLED) ## start everything on this machine, play the story, stay up (ONCE=1: exit after the story)
	@$(BIN)/python -m doorward_demo

init: $(INSTALLED) ## make a gateway before your own database (TARGET=postgresql://user@host/db ISSUER=https://...)
	@test -n '$(TARGET)' -a -n '$(ISSUER)' || { echo 'say TARGET=postgresql://user@host/database and ISSUER=https://...' >&2; exit 2; }
	@$(BIN)/doorward init postgres --target '$(TARGET)' --issuer '$(ISSUER)' --folder '$(FOLDER)' $(ARGS)

.venv-crew/.installed: .ci/install-crew examples/crewai/requirements.lock $(INSTALLED)
	.ci/install-crew

crew: .venv-crew/.installed ## let a CrewAI crew work through the gateway (installs 900 MB into .venv-crew), and check it
	@$(BIN)/python examples/crewai/play.py

test: $(INSTALLED) ## install what the tests need, where that is allowed, and run them all
	.ci/system-packages
	.ci/kubernetes-clients
	$(BIN)/pytest -n $(WORKERS) --dist worksteal $(ARGS)

explore: $(INSTALLED) ## the tests that draw examples, with others than `make test` draws each time
	$(BIN)/pytest -n $(WORKERS) --dist worksteal --hypothesis-profile=explore tests/property tests/fuzz $(ARGS)

check: $(INSTALLED) ## lint, format, types, who may import whom, and the rules of the house
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy $(PACKAGES)
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/architecture

bench: $(INSTALLED) ## compare with what stands in the same places, in one run (QUICK=1: rougher, minutes; ONLY=http: a part)
	bench/system-packages
	.ci/kubernetes-clients
	@PATH="$$PATH:$(CURDIR)/.clients" $(BIN)/python -m bench

format: $(INSTALLED) ## put every file into the one format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

locks: $(INSTALLED) ## resolve again and write every lock: versions and hashes, no addresses
	.ci/locks

clean: ## remove what was installed and made here
	rm -rf .venv .venv-crew .venv-mitmproxy .clients .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
