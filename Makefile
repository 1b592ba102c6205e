# Everything runs in .venv; `make demo` and `make test` are all a new machine needs.
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
PYTHON ?= python3

.PHONY: help setup demo test test-slow verify mutants coverage fuzz lint data paper bench formal gates clean tools

help:
	@echo "make demo       train an 8x8 digits network on the simulated RTL, checked against the golden model"
	@echo "make test       the test suite (under 10 minutes on 2 cores)"
	@echo "make test-slow  tests that take longer"
	@echo "make verify     240 random accelerators against the golden models, in every cycle; interrupted, it goes on; 20 minutes"
	@echo "make mutants    edits of the RTL, of the golden model and of generated Verilog, all of which must be found"
	@echo "make coverage   which lines of the Python the test suite runs; a table, JSON and HTML"
	@echo "make fuzz       a million damaged frames for the host link; minutes"
	@echo "make lint       ruff and pyright"
	@echo "make data       fetch MNIST and Fashion-MNIST into the cache"
	@echo "make paper      the comparisons of docs/results, about 90 minutes on 2 cores; needs PyTorch for the last two"
	@echo "make bench      every figure beside its goal and reference; minutes, and it builds two simulations"
	@echo "make formal     properties of the RTL proved for all inputs, each with a cover and mutants; a table and JSON"
	@echo "make gates      synthesised netlists replay a training run beside the RTL"
	@echo "make setup      only install into .venv"

# One line for each missing tool, before anything else happens.
tools:
	@command -v git >/dev/null || { echo "git is missing; install it with: apt-get install git (dnf install git, xcode-select --install)"; exit 1; }
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing; install it with: apt-get install python3 python3-venv (dnf install python3, brew install python)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; choose one with: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv module is missing; install it with: apt-get install python3-venv"; exit 1; }
	@command -v g++ >/dev/null || { echo "g++ is missing; install it with: apt-get install g++ (dnf install gcc-c++, xcode-select --install)"; exit 1; }
	@command -v perl >/dev/null || { echo "perl is missing; install it with: apt-get install perl (dnf install perl, brew install perl)"; exit 1; }

setup: tools $(STAMP)

$(STAMP): pyproject.toml | tools
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(STAMP)

demo: setup
	$(BIN)/dfarray demo

test: setup
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not slow"

test-slow: setup
	$(BIN)/python -m pytest -q -m slow

# ONLY='...' is one accelerator, as a failure prints it.
verify: setup
	cd tests && PYTHONPATH=.. ../$(BIN)/python -m verify --output ../build/verify $(if $(ONLY),--only '$(ONLY)')

mutants: setup
	cd tests && PYTHONPATH=.. ../$(BIN)/python -m mutants --output ../build/mutants

coverage: setup
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q -m "not slow"
	$(BIN)/coverage combine -q
	$(BIN)/coverage json -q -o build/coverage.json
	$(BIN)/coverage html -q -d build/coverage
	$(BIN)/coverage report --skip-covered --sort=miss

fuzz: setup
	$(BIN)/python -m dfarray.sim.fuzz --frames 1000000

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

data: setup
	$(BIN)/dfarray data mnist --download
	$(BIN)/dfarray data fashion-mnist --download

paper: setup
	for comparison in movement accuracy sparsity precision angle transfer convolution; do \
	  $(BIN)/dfarray paper $$comparison || exit 1; done

bench: setup
	$(BIN)/python -m benchmarks

formal: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[formal]'
	cd tests && PYTHONPATH=.. ../$(BIN)/python -m formal --output ../build/formal

gates: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fpga]'
	$(BIN)/python -m pytest -q tests/fpga/test_gates.py

clean:
	rm -rf build $(VENV) .pytest_cache .ruff_cache .hypothesis *.egg-info
