# Each target does its own set-up in .venv: nothing but Python 3.11 or newer, git and make is needed.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

.PHONY: lab demo test check bench
lab: $(READY)  ## open the first notebook in JupyterLab
	$(BIN)/jupyter lab notebooks/01_single_head/01_single_head.ipynb

demo: $(READY)  ## make a sample class, grade it, and write the report
	$(BIN)/autograder demo demo-class

test: $(READY)  ## everything that must hold before a change is shared
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/autograder build --check
	$(BIN)/pytest --numprocesses=auto --maxprocesses=4 --dist=worksteal

bench: $(READY)  ## measure, on this machine
	$(BIN)/python benchmarks/widgets.py
	$(BIN)/python benchmarks/kernel.py

# The announcements extension is JupyterLab's pop-up that asks about news.
$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/jupyter labextension disable --level=sys_prefix "@jupyterlab/apputils-extension:announcements"
	touch $(READY)
