# make run   install the packages if needed, and start the dashboard
# make test  run all checks and tests
PYTHON ?= python3
PORT ?= 8501
BIN := .venv/bin

# with it, each of the many processes would compile all modules again
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test lint unit processes browser clean

run: .venv/installed
	@$(BIN)/python -m pages.components.server.warmup $(PORT) &
	@exec $(BIN)/streamlit run streamlit_app.py --server.port $(PORT)

test: lint unit processes browser

lint: .venv/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/numpydoc lint $$(find cfu_core -name '*.py')
	$(BIN)/mypy

# one thread per process: more would compete with the other process for the cores
unit: .venv/installed-dev
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -m "not browser and not processes" -n 2

# training runs that are started, killed and resumed in processes of their own; exported networks
processes: .venv/installed-dev
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -m processes -n 2

# the tests of a file share a server, so they run in the same process
browser: .venv/installed-dev
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
	$(BIN)/python -m pytest -m browser -n 2 --dist loadfile --no-loadscope-reorder

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache

.venv/bin/python:
	$(PYTHON) -m venv .venv

# stamp files: packages are installed again only if the lists have changed
.venv/installed: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -r requirements.txt
	@touch $@

.venv/installed-dev: requirements.txt requirements-dev.txt .venv/installed
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -r requirements-dev.txt
	@touch $@
