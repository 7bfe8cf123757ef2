# Everything runs in .venv, which the first target that needs it makes; clients of others in .venv-clients.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export DO_NOT_TRACK := 1
export GX_ANALYTICS_ENABLED := False

.PHONY: help run test test-spark test-long clients report-check bench dev lint types format docs site clean

help: ## Say what can be made.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: .venv/.run landing/demo ## Load, check and publish what lies in landing/ (a synthetic shop at first).
	$(BIN)/regulars run

landing/demo: | .venv/.run
	$(BIN)/regulars demo

test: .venv/.dev ## Run the whole suite.
	$(BIN)/python -m pytest --numprocesses 2

test-spark: .venv/.spark ## Build one shop on DuckDB and on Spark and compare every mart; needs Java.
	$(BIN)/python -m pytest -m spark --numprocesses 1

test-long: .venv/.dev ## Run the tests that take minutes: more kills, more dates, more dirty files, Dagster in processes of its own.
	$(BIN)/python -m pytest -m long --numprocesses 2

clients: .venv/.dev .venv-clients/.drivers .venv-clients/.superset ## Ask both warehouses by psycopg, ODBC, JDBC and Superset; the table in docs/connect.md.
	$(BIN)/python -m tests.clients.run

report-check: .venv/.dev .venv/.axe ## Look at the report of three shops in headless Chromium, which must be installed, as must npm.
	$(BIN)/python -m tests.browser.check_report .venv/axe/node_modules/axe-core/axe.min.js .venv/pictures

bench: .venv/.dev ## Run the benchmarks, whose last tables stand in benchmarks/README.md.
	$(BIN)/python -m benchmarks.run_against_duckdb
	$(BIN)/python -m benchmarks.ltv_against_lifetimes
	$(BIN)/python -m benchmarks.ltv_scoring
	$(BIN)/python -m benchmarks.life_tables
	$(BIN)/python -m benchmarks.referrals

dev: .venv/.run ## Open Dagster on the same code.
	DAGSTER_HOME=$(CURDIR)/dagster_home $(BIN)/dg dev

lint: .venv/.dev ## Check form: ruff, sqlfmt.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/sqlfmt --check dbt docs/questions

types: .venv/.dev ## Check types: mypy.
	$(BIN)/mypy

format: .venv/.dev ## Bring Python and SQL into form.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/sqlfmt dbt docs/questions

docs: .venv/.run ## Write the pages of docs/ anew that follow from other files.
	$(BIN)/python -m dagster_project.lib.docs

site: .venv/.run ## Describe every published table and column, and each figure, in warehouse/docs.html; after a run.
	$(BIN)/python -m dagster_project.lib.docs.site

clean: ## Remove the environments and what runs have written; landing/ stays.
	rm -rf .venv .venv-clients dbt/target dbt/logs
	chmod -R u+w warehouse 2>/dev/null || true
	rm -rf warehouse

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
		|| { echo "Python 3.11 is needed; name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.run: pyproject.toml constraints.txt | .venv/.python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

.venv/.dev: pyproject.toml constraints.txt | .venv/.python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@ .venv/.run

.venv/.axe: | .venv/.python
	npm install --silent --prefix .venv/axe axe-core@4
	@touch $@

.venv/.spark: pyproject.toml constraints.txt | .venv/.python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,spark]'
	@touch $@ .venv/.dev .venv/.run

.venv-clients/.%: tests/clients/%.txt tests/clients/superset-constraints.txt | .venv/.python
	$(PYTHON) -m venv .venv-clients/$*
	.venv-clients/$*/bin/python -m pip install --quiet --requirement $<
	@touch $@
