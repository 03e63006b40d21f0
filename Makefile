# Every target works on a fresh clone and is safe to run twice; nothing needs to be activated.
PYTHON ?= python3
VENV ?= .venv
PIP_ARGS ?=
BIN := $(VENV)/bin
# Processes of one thread each, for threads that wait for one another slow each other down; one more than two cores have,
# as tests wait, too.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help setup demo course test test-all check lint format schema results readme bench soak schedules clean distclean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready  ## make .venv and install charrnn, its extras and its tools into it

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet $(PIP_ARGS) -c constraints.txt \
	    -e '.[all,dev]'
	@touch $@

demo: setup  ## prepare the built-in corpus, train a small LSTM, compare it with n-grams, write samples
	@$(BIN)/python scripts/demo.py

course: setup  ## train every row of docs/results.md (hours; goes on where it stopped; QUICK=1: a few steps of each)
	@$(BIN)/python scripts/results.py course $(if $(QUICK),--quick)

test: setup  ## run all tests but three that try a little of every row of the scripts
	$(PYTEST) -m 'not long'

test-all: setup  ## run these, too
	$(PYTEST)

check: lint  ## lint, types, import floors and the quick tests
	$(PYTEST) -q -m 'not slow'

lint: setup  ## formatting, lint, types, import floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup  ## rewrite the code as `make lint` wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schema: setup  ## write the JSON Schema of the configs again
	$(BIN)/charrnn config schema > configs/.schema.tmp && mv configs/.schema.tmp configs/charrnn.schema.json

results: setup  ## draw docs/results.md and the README's figures from docs/results.json
	$(BIN)/python scripts/results.py draw

bench: setup  ## time charrnn side by side with plain torch, and print the ratios (--save: scripts/bench.py)
	@$(BIN)/python scripts/bench.py

soak: setup  ## try every fault hundreds of times, and record it in docs/reliability.md (long; QUICK=1: a few, unrecorded)
	@$(BIN)/python scripts/soak.py $(if $(QUICK),--quick) --processes 2

readme: setup  ## make the README's pictures, sample and table again, from the demo's run
	$(BIN)/python scripts/readme.py

schedules: setup  ## draw docs/schedules.svg, a picture of every learning-rate schedule
	$(BIN)/python scripts/draw_schedules.py

clean:  ## remove caches (runs and corpora stay)
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build *.egg-info
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean  ## clean, and remove .venv too
	rm -rf $(VENV)
