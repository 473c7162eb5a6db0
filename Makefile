# Nothing but Python >= 3.11 and make is needed: every target installs what it needs into .venv first.
# PYTHON=python3.12 chooses another interpreter for .venv, ARGS="--json" is handed on to up and demo.

PYTHON ?= python3
EXTRAS ?= up,dev
ARGS   ?=
# How many tests run side by side. Most of the second kind wait for processes, lines and clocks, so three of them on two
# cores; WORKERS=0 runs one after the other.
WORKERS ?= 2
WAITING_WORKERS ?= 3

VENV  := .venv
BIN   := $(VENV)/bin
comma := ,
STAMP := $(VENV)/.installed-$(subst $(comma),-,$(EXTRAS))

# With PYTHONDONTWRITEBYTECODE every process would compile again what it imports; importing numba takes four times as long.
unexport PYTHONDONTWRITEBYTECODE

PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help up demo test check real faults bench soak install clean format lint types imports tidy wheel

help:
	@echo 'make up      run three simulated plants and everything behind them; Ctrl-C ends it'
	@echo 'make demo    the same with an end: fourteen days in minutes, faults on the way, statements checked'
	@echo 'make test    unit, contract and golden tests and one run of the whole flow'
	@echo 'make check   format, lint, types, imports, documents'
	@echo 'make real    tests against a real mosquitto and influxd, if they are found'
	@echo 'make faults  kill our own processes, cut connections, disturb lines and clocks'
	@echo 'make bench   measurements, by hand'
	@echo 'make soak    a long run, by hand'

up: $(STAMP)
	$(BIN)/sakugen up $(ARGS)

demo: $(STAMP)
	$(BIN)/sakugen demo $(ARGS)

test: $(STAMP)
	$(PYTEST) -q -n $(WORKERS) --ignore=tests/tidy -m 'not real and not fault and not wheel and not bench and not soak'

# Each part alone as well; `make -k check` goes on after the first that fails.
check: format lint types imports tidy

format: $(STAMP)
	$(BIN)/ruff format --check .

lint: $(STAMP)
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

tidy: $(STAMP)
	$(PYTEST) -q tests/tidy

real: $(STAMP)
	$(PYTEST) -q -rs -n $(WAITING_WORKERS) -m 'real and not bench and not soak'

faults: $(STAMP)
	$(PYTEST) -q -rs -n $(WAITING_WORKERS) -m 'fault and not real and not bench and not soak'

wheel: $(STAMP)
	$(PYTEST) -q -m wheel

# pytest's status 5 is "nothing collected". It stays a failure: a target that measures nothing must not look green.
bench: $(STAMP)
	@$(PYTEST) -q -s --timeout=0 -p no:randomly -m bench || { test $$? -ne 5 || echo 'There is no benchmark yet.'; exit 1; }

soak: $(STAMP)
	$(PYTEST) -q -s --timeout=0 -m soak

install: $(STAMP)

# uv is used where it is found. A .venv without pip is what `python3 -m venv` leaves behind when python3-venv is missing.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Sakugen needs Python 3.11 or newer, $(PYTHON) is %d.%d: try PYTHON=python3.12" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@if command -v uv >/dev/null; then \
		set -e; \
		test -x $(BIN)/python || uv venv --quiet --python '$(PYTHON)' $(VENV); \
		uv pip install --quiet --python $(BIN)/python --compile-bytecode -c constraints.txt -e '.[$(EXTRAS)]'; \
	else \
		set -e; \
		$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV); \
		echo 'Installing into $(VENV) (once; about a minute) ...'; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'; \
	fi
	@touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .numba_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
