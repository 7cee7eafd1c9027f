# Every target sets up what it needs: Python >= 3.11, Node >= 20.19 and make are all that must be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv --no-config
LAKE ?= lake
SERVE ?= 1
PORT ?= 8002
# One more than two cores: many tests wait for other processes.
WORKERS ?= 3
DEMO ?= sweep_demo

PY_READY := $(VENV)/.ready
JS_READY := frontend/node_modules/.ready
JS_BUILT := frontend/dist/.built
JS_SOURCES := $(shell find frontend -path frontend/node_modules -prune -o -path frontend/dist -prune -o -type f -print)

.PHONY: setup demo test test-slow lint type bench dev lock screenshots clean help

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

setup: $(PY_READY) $(JS_BUILT) ## environment and built frontend

$(PY_READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@echo "Installing the locked packages"
	@$(UV) pip sync --quiet --require-hashes requirements.lock
	@$(UV) pip install --quiet --no-deps --editable .
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true
	@touch $@

$(JS_READY): frontend/package-lock.json frontend/package.json
	@node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' \
	  2>/dev/null || { echo "Node 20.19 or newer is needed: https://nodejs.org/en/download"; exit 2; }
	@echo "Installing the frontend's packages"
	@cd frontend && npm ci --silent --no-audit --no-fund
	@touch $@

$(JS_BUILT): $(JS_READY) $(JS_SOURCES)
	@cd frontend && npm run --silent build
	@touch $@

demo: setup ## sample day to promoted spec, then the screens (SERVE=0 ends before them)
	@VP_LAKE_ROOT=$(LAKE) $(BIN)/vp sample
	@VP_LAKE_ROOT=$(LAKE) $(BIN)/vp run $(DEMO)
	@VP_LAKE_ROOT=$(LAKE) $(BIN)/vp promote $(DEMO)
	@VP_LAKE_ROOT=$(LAKE) $(BIN)/vp compare
	@if [ "$(SERVE)" != 0 ]; then \
	  echo "Screens: http://127.0.0.1:$(PORT)/  (stop with Ctrl-C)"; \
	  VP_LAKE_ROOT=$(LAKE) $(BIN)/vp-serve --port $(PORT); fi

test: setup ## everything: Python, frontend, browser
	@cd frontend && npm test --silent
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

test-slow: setup ## what takes too long for every day: kills, faults, real servers
	@$(BIN)/python -m pytest -m slow -n $(WORKERS) --dist loadfile

lint: $(PY_READY) ## ruff
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

type: $(PY_READY) $(JS_READY) ## mypy (strict on vp_engine) and tsc
	@$(BIN)/mypy
	@cd frontend && npm run --silent typecheck

bench: $(PY_READY) ## ratios in one run, appended to benchmarks/BENCHMARKS.md
	@$(BIN)/python -m benchmarks.run

dev: setup ## Dagster, the service and Vite together
	@trap 'kill 0' INT TERM EXIT; \
	export VP_LAKE_ROOT=$(abspath $(LAKE)) DAGSTER_HOME=$(abspath $(LAKE)/dagster) VP_DAGSTER_URL=http://127.0.0.1:3000; \
	$(BIN)/python -m vp_assets.runs || exit $$?; \
	$(BIN)/dg dev -w dagster_workspace.yaml & \
	$(BIN)/vp-serve --port $(PORT) & \
	(cd frontend && npm run dev) & wait

screenshots: setup ## both pages and the asset graph, as PNG below test-results/
	@$(BIN)/python -m tests.e2e.screenshots

lock: ## pin the packages anew, without registry hosts
	@test -x $(BIN)/uv || ($(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet uv)
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	  --no-emit-index-url --no-emit-find-links --extra dev pyproject.toml -o requirements.lock

clean: ## caches and built files; the lake stays
	@rm -rf frontend/dist test-results .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -not -path './frontend/node_modules/*' -prune -exec rm -rf {} +
