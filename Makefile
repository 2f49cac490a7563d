# Every target sets up what it needs, in .venv; a machine with Python 3.11+ and make is
# enough. ARGS are passed on: make train ARGS="configs/l2.toml seed=1"

PYTHON ?= python3

ifneq ($(filter-out help compare train tensorboard test test-faults check-docs lint audit bench studies house clean .venv/%,$(MAKECMDGOALS)),)
$(error configs and settings go into ARGS: make train ARGS="configs/l2.toml regularizer.l2=1e-3")
endif

BIN := .venv/bin

.PHONY: help compare train tensorboard test test-faults check-docs lint audit bench studies house clean

help:
	@echo "make compare      compare regularizers: ARGS='[COMPARISON.toml] [section.key=value ...]'"
	@echo "make train        train one network: ARGS='[CONFIG.toml] [section.key=value ...]'"
	@echo "make tensorboard  look at runs in TensorBoard: ARGS='[DIR]'"
	@echo "make test         run all tests"
	@echo "make test-faults  kill runs, fill disks and make 1,000 runs; writes docs/faults.md"
	@echo "make check-docs   hold links, numbers and code of the documents"
	@echo "make lint         check style and types"
	@echo "make audit        look for known vulnerabilities of the packages"
	@echo "make bench        time it against model.fit, PyTorch and JAX"
	@echo "make studies      make the results of docs/results/ anew: ARGS='[NAME ...]'"
	@echo "make house        count what a newcomer has to read"
	@echo "make clean        remove the environment and the caches"

compare: .venv/user
	@$(BIN)/python compare.py $(ARGS)

train: .venv/user
	@$(BIN)/python train.py $(ARGS)

tensorboard: .venv/user
	@$(BIN)/python view.py $(ARGS)

test: .venv/developer
	@$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

test-faults: .venv/developer
	@FAULTS_TABLE=docs/faults.md $(BIN)/python -m pytest tests/faults tests/test_train.py tests/own tests/monitoring/test_tensorboard.py tests/test_deleting.py $(wildcard tests/test_compare.py tests/comparison/faults) -m "" $(ARGS)

check-docs: .venv/developer
	@$(BIN)/python -m pytest -m docs -n 2 --dist worksteal $(ARGS)

lint: .venv/developer
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy .

audit: .venv/user
	@$(BIN)/python -m pip install --quiet "pip-audit>=2.7"
	@$(BIN)/python -m pip_audit --local --strict --progress-spinner off

bench: .venv/user
	@$(BIN)/python -m pip install --quiet --requirement benchmarks/requirements.txt
	@$(BIN)/python -m benchmarks.speed --page docs/speed.md $(ARGS)
	@$(BIN)/python -m benchmarks.growth docs/growth.png

studies: .venv/user
	@$(BIN)/python -m benchmarks.studies $(ARGS)

.venv/user: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, $(PYTHON) is " + sys.version.split()[0] + "; name another: make PYTHON=python3.13 ...")'
	@echo "Installing TensorFlow and Keras into .venv; this takes a few minutes, once."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --requirement requirements.txt
	@touch $@

.venv/developer: .venv/user requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --requirement requirements-dev.txt
	@touch $@

house: .venv/user
	@$(BIN)/python -m benchmarks.house

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache
