# Two commands do everything on a machine with Python 3.11+, make and git: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
BENCH := .venv-bench/bin
EXPORTS := .venv-exports/bin
export TOKENIZERS_PARALLELISM := false
export HF_HUB_OFFLINE := 1
export HF_HUB_DISABLE_TELEMETRY := 1

.PHONY: demo test test-full test-exports docs lint format bench bench-convert bench-roundtrip bench-validate bench-clean bench-score bench-support bench-selection bench-dedup bench-recall bench-decontaminate bench-sft bench-real bench-novelty bench-client bench-pair fuzz clean

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,dev]'
	touch $@

.venv-bench/ready: pyproject.toml constraints.txt benchmarks/requirements.txt
	$(PYTHON) -m venv .venv-bench
	$(BENCH)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train]' -r benchmarks/requirements.txt
	$(BENCH)/python -m pip install --quiet --disable-pip-version-check --no-deps py-data-juicer==1.6.1  # its tools alone
	touch $@

# The tools pin versions of what they share (torch, transformers, datasets) that no one environment can have together, so
# they are installed without their dependencies, and beside them what their data code imports.
.venv-exports/ready: pyproject.toml constraints.txt tests/exports_real/requirements.txt tests/exports_real/tools.txt
	$(PYTHON) -m venv .venv-exports
	$(EXPORTS)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train]' -r tests/exports_real/requirements.txt
	$(EXPORTS)/python -m pip install --quiet --disable-pip-version-check --no-deps -r tests/exports_real/tools.txt
	touch $@

demo: .venv/ready ## raw rows to a tuned model, on the samples
	$(BIN)/dataforge run recipes/quickstart.yaml -o demo-out --force

# The tests of a file share a process: its fixtures are made once.
PYTEST := $(BIN)/python -m pytest -q -n auto --maxprocesses 8 --dist loadfile

test: .venv/ready
	$(PYTEST) -m "not slow"

test-full: .venv/ready
	$(PYTEST)

test-exports: .venv-exports/ready ## exports read back by TRL, LLaMA-Factory, ms-swift, axolotl and Megatron-Core themselves
	$(EXPORTS)/python -m pytest -q -o filterwarnings=ignore tests/exports_real/real_*.py

fuzz: .venv/ready ## 100,000 damaged files; for a nightly run
	DATAFORGE_FUZZ=100000 $(BIN)/python -m pytest -q tests/test_fuzz.py

docs: .venv/ready ## the pages that are made from the code
	$(BIN)/dataforge formats --markdown > docs/formats.md
	$(BIN)/python -c "from dataforge.ops.selection.presetpage import write_page; write_page('docs/presets.md')"

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: bench-convert bench-roundtrip bench-validate bench-clean bench-score bench-support bench-selection bench-dedup bench-recall bench-decontaminate bench-sft bench-real bench-novelty bench-client bench-pair

bench-%: .venv-bench/ready
	$(BENCH)/python benchmarks/$*.py --write

clean:
	rm -rf .venv .venv-bench .venv-exports demo-out bench-out .pytest_cache .mypy_cache .ruff_cache
