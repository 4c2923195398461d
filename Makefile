# make run   the dashboard, with everything it needs
# make test  all checks and tests
PYTHON ?= python3
PORT ?= 8501
BIN := .venv/bin

# else each of the many processes would compile all modules anew
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

# two processes, and threads within them would only wait for each other
unit: .venv/installed-dev
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -m "not browser and not processes" -n 2

# trainings that are really started, killed and resumed; networks that leave the house
processes: .venv/installed-dev
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -m processes -n 2

# a file's tests share a server: they stay together
browser: .venv/installed-dev
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
	$(BIN)/python -m pytest -m browser -n 2 --dist loadfile --no-loadscope-reorder

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache

.venv/bin/python:
	$(PYTHON) -m venv .venv

# stamps: installation is skipped while the lists have not changed
.venv/installed: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -r requirements.txt
	@touch $@

.venv/installed-dev: requirements.txt requirements-dev.txt .venv/installed
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -r requirements-dev.txt
	@touch $@
