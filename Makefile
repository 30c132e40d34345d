# Atrium. `make` alone lists what there is. Works with GNU make 3.81 (macOS) and newer.
.DEFAULT_GOAL := help
.PHONY: help run test lint format screenshots soak bench lock env reset clean

PYTHON ?=
export PYTHON
STORES ?= both
BOOT := @sh deploy/python.sh deploy/bootstrap.py

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

run: ## install what is missing and start everything (PORT, DATABASE_URL, REDIS_URL are honoured)
	@ATRIUM_DEMO=$${ATRIUM_DEMO:-$(if $(OIDC_ISSUER),0,1)} exec sh deploy/python.sh deploy/bootstrap.py manage.py serve

test: ## the whole suite, on SQLite and on PostgreSQL + Redis (STORES=sqlite or postgres, ARGS="-k name" for a part)
	$(BOOT) --dev -m deploy.suite --stores $(STORES) $(ARGS)

lint: ## ruff, mypy, Django's deployment and migration checks
	$(BOOT) --dev -m deploy.checks

format: ## let ruff format and mend what it can
	$(BOOT) --dev -m deploy.checks --fix

screenshots: ## every page for every persona, saved as PNG
	$(BOOT) --dev -m tests.screenshots $(ARGS)

soak: ## the long, full versions of what make test samples
	$(BOOT) --dev -m deploy.suite --soak --stores $(STORES) $(ARGS)

bench: ## Atrium beside other gateways on one core each (ARGS="--quick", "--soak", "--portal"; docs/benchmarks.md)
	$(BOOT) --dev -m benchmarks $(ARGS)

lock: ## resolve requirements*.in and package.json anew (needs uv)
	@for name in requirements requirements-dev requirements-node tests/idp/requirements tests/wire/requirements; do \
	  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
	    --no-emit-index-url --no-emit-find-links --no-header $$name.in -o $$name.txt || exit 1; done
	@npm install --package-lock-only --ignore-scripts && npm install --prefix tests/wire/agents --package-lock-only --ignore-scripts

env: ## write .env with fresh secrets, which docker compose reads
	@sh deploy/python.sh deploy/env_file.py

reset: ## delete all data of the embedded installation (FORCE=1 asks nothing)
	$(BOOT) deploy/reset.py

clean: ## delete what make run and make test installed; data stays
	@rm -rf .venv node_modules static/vendor .mypy_cache .pytest_cache .ruff_cache .hypothesis
