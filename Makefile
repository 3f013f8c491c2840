# Run `make` to list the targets. The targets that deploy or operate a stack, `make contract`, VPCS= and RESERVE= (organization or
# ipam) need AWS credentials. Tools are installed under .venv/ when they are first needed, from lists pinned by hash; after that, all
# other targets but `make lock` and `make audit` work offline.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# No lines of make's own in an output that programs read; see make_words for a make that writes them all the same.
MAKEFLAGS += --no-print-directory

# The words of the command line, NAME=value. They reach the commands as environment variables, and neither make nor a
# shell interprets their values: a variable that is assigned with := is not expanded again.
override WORDS := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
$(foreach name,$(WORDS),$(eval override $(name) := $$(value $(name))))
export WORDS $(WORDS)
# Settings of Python that change what a program does
unexport PYTHONHOME PYTHONPATH PYTHONIOENCODING PYTHONOPTIMIZE PYTHONWARNINGS PYTHONDONTWRITEBYTECODE
# Settings of pip for where it installs, and which versions
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PIP_CONSTRAINT

# Python 3.11 or later, for the tools up to 3.14. It creates .venv/tools, whose Python runs everything else.
PYTHON ?= python3
export PYTHON

override RUN := .venv/tools/bin/python
# Never into the user's own Python, which a half-made environment would be; --no-user, because a pip.conf may say otherwise.
override PIP := -m pip --require-virtualenv --disable-pip-version-check --quiet
override INSTALL := install --no-user --require-hashes --only-binary=:all:
# The stamp file is written last, so an interrupted set-up starts again.
override TOOLS := .venv/tools/.ready
override VENVS := $(TOOLS) .venv/aws-cli/.ready .venv/lambda-runtime/.ready
override WHEEL := .venv/wheels/.ready
override CHECKERS := .venv/checkers/.ready
# An environment whose Python is gone or of another version, as after an upgrade, is set up again.
override GONE := $(shell for python in .venv/*/bin/python; do [ ! -L "$$python" ] || \
  [ -d "$${python%bin/python}lib/python$$("$$python" -ISc 'import sys; print("%d.%d" % sys.version_info[:2])' 2>&1)" ] || \
  rm -f "$${python%bin/python}.ready"; done)
override FUNCTIONS := ct-integration-lambda ipam-pool-lambda
override LOCKED := tools aws-cli lambda-runtime checkers

# The commands check their words themselves. Of the other targets, a few take `only`; no target ignores a word.
override COMMANDS := plan preflight preview deploy reconcile report explain undo contract mutants
override SELECTIVE := check test bench
override OTHERS := $(filter-out $(COMMANDS),$(or $(MAKECMDGOALS),help))
override ACCEPTED := PYTHON $(if $(filter-out $(SELECTIVE),$(OTHERS)),,only)
ifneq ($(OTHERS),)
$(foreach name,$(filter-out $(ACCEPTED),$(WORDS)),$(error $(name) is not an argument of make $(firstword $(OTHERS)); use $(ACCEPTED)))
endif
ifneq ($(and $(filter $(SELECTIVE),$(OTHERS)),$(filter environment,$(firstword $(origin only))),$(value only)),)
$(error only is set in the environment; give it after the target: make $(firstword $(OTHERS)) only=...)
endif

override NEW_ENOUGH = command -v "$$PYTHON" >/dev/null || { \
  printf 'There is no %s; name one: make PYTHON=python3.13 ...\n' "$$PYTHON" >&2; exit 1; }; \
  "$$PYTHON" -c 'import sys; sys.exit("Python 3.11 or later is needed; name one: make PYTHON=python3.13 ..." if sys.version_info < (3, 11) else 0)'
# For later ones, some of the pinned packages do not exist yet. A test says which Python they allow.
override NOT_TOO_NEW = "$$PYTHON" -c 'import sys; sys.exit("The tools need Python 3.11 to 3.14; name one: make PYTHON=python3.14 ..." if sys.version_info >= (3, 15) else 0)'
# A plan needs no packages, except with VPCS=organization or ipam: they need boto3, which is one of the tools.
override PLANNER = "$$PYTHON"
ifneq ($(filter VPCS=organization VPCS=ipam,$(filter VPCS,$(WORDS))=$(value VPCS)),)
override PLANNER = $(RUN)
plan: $(TOOLS)
endif

##@ Start here
# `exec`, here and below: a signal to make reaches the program, and not only the shell around it.
.PHONY: demo
demo: $(VENVS) ## Deploy everything to an emulated landing zone on this machine and draw the result
	@exec env PYTHONPATH=libraries:tests $(RUN) -m landing_zone.demo

##@ Plan and deploy
.PHONY: plan preflight preview deploy
plan: ## Show what a first deployment would build: CIDR= REGIONS= ENVS='Prod OU,SDLC OU' REGION_PREFIX= ENV_PREFIX= POOL_SIZES= VPCS_A_MONTH= VPCS=file|organization|ipam FORMAT=svg
	@$(NEW_ENOUGH)
	@exec env PYTHONPATH=libraries $(PLANNER) -B -m commands.plan

preflight: $(TOOLS) ## Check, without changes, whether the organization is ready for `make deploy` with the same arguments
	@exec env PYTHONPATH=libraries $(RUN) -B -m commands.preflight

preview: $(TOOLS) ## Show, without changes, what `make deploy` with the same arguments would do to pools and shares; FORMAT=json
	@exec env PYTHONPATH=libraries $(RUN) -B -m commands.preview

# The preflight, which comes first, and RESERVE read with boto3, which is one of the tools.
ifeq ($(filter preflight RESERVE,$(WORDS))=$(value preflight),preflight=no)
override DEPLOYER = "$$PYTHON"
else
override DEPLOYER = $(RUN)
deploy: $(TOOLS)
endif
deploy: ## Deploy with your AWS CLI: BUCKET= NETWORK_ACCOUNT_ID= RESERVE=organization|ipam, the arguments of plan, any parameter
	@$(NEW_ENOUGH)
	@exec env PYTHONPATH=libraries $(DEPLOYER) -B -m commands.deploy

##@ Check
.PHONY: check lint zips test bench
check: lint zips test ## Run everything that CI runs

lint: style types templates ## Check style, types and templates; `make -j lint` checks them at the same time

.PHONY: style types templates
style: $(TOOLS) ## Check the style of the code
	@$(RUN) -m ruff check
	@$(RUN) -m ruff format --check

types: $(TOOLS) ## Check the types
	@$(RUN) -m mypy
	@set -e; for folder in $(FUNCTIONS); do $(RUN) -m mypy $$folder/index.py; done # separately: both modules are called index

templates: $(TOOLS) $(CHECKERS) ## Check the templates and their IAM policies
	@$(RUN) -c 'import sys; from cfnlint.runner import main; sys.exit(main())' templates/*.yaml
	@.venv/checkers/bin/python -m checkov.main --config-file tests/checkers/checkov.yaml --directory templates
	@PYTHONPATH=tests .venv/checkers/bin/python -W ignore:pkg_resources -m checkers.iam_policies templates/*.yaml

zips: $(TOOLS) $(WHEEL) ## Check that the committed zips are what the sources build
	@$(RUN) packages/build.py --check

# One worker more than processors, because those that deploy often wait; at most eight, because each needs memory.
test: $(VENVS) $(WHEEL) ## Run the tests in the emulator; `make test only=sharing` selects some
	@exec $(RUN) -m pytest -n $$($(RUN) -c 'import os; print(min(os.cpu_count() or 2, 7) + 1)') --dist loadfile --no-loadscope-reorder $(if $(value only),-k "$$only")

bench: $(VENVS) $(WHEEL) ## Measure, and print each figure beside its limit; `make bench only=pools,shares` selects some
	@exec env PYTHONPATH=libraries:tests $(RUN) -m benchmarks "$$only"

# Not part of CI: it takes minutes, and its score is of a sample.
.PHONY: mutants
mutants: $(VENVS) $(WHEEL) ## Plant faults in the functions and commands, one at a time, and show those that no test notices: seed= sample= only=upkeep/growth
	@exec env PYTHONPATH=libraries:tests $(RUN) -m mutants

# Not part of CI: it calls a service on the network, whose answers change from day to day.
.PHONY: audit
audit: $(CHECKERS) ## Check every pinned package for known vulnerabilities
	@set -e; for list in libraries/requirements.txt $(LOCKED:%=tests/requirements/%.txt); do \
	  echo $$list; .venv/checkers/bin/python -m pip_audit --progress-spinner off --strict --disable-pip --require-hashes -r $$list; \
	done

# Not part of CI: it creates resources in an AWS account, and asks before it does.
.PHONY: contract
contract: $(TOOLS) ## Try on AWS what the emulator assumes; `make contract dry=yes` lists it; profile= member= region= only=reads
	@exec env PYTHONPATH=tests $(RUN) -B -m aws_models.contract.run

##@ Operate (in the management account, with your AWS credentials)
.PHONY: reconcile report explain undo
reconcile: $(TOOLS) .venv/aws-cli/.ready ## Reconcile all shares; `make reconcile account=111122223333 dry=yes unshare=yes`
	@exec env PYTHONPATH=libraries $(RUN) -B -m commands.operate reconcile

report: $(TOOLS) .venv/aws-cli/.ready ## Draw the pools, and list their accounts, what is in use, and what is wrong; FORMAT=json stack=NAME
	@exec env PYTHONPATH=libraries $(RUN) -B -m commands.operate report

explain: $(TOOLS) ## Say why: `make explain account=111122223333`, pool='us-west-2/Prod OU' or vpc=vpc-0123
	@exec env PYTHONPATH=libraries $(RUN) -B -m commands.explain

undo: $(TOOLS) .venv/aws-cli/.ready ## Say what would stay, ask, and delete the stack; `make undo dry=yes` only says what would stay
	@exec env PYTHONPATH=libraries $(RUN) -B -m commands.undo

##@ Change
.PHONY: package docs format lock clean
package: $(TOOLS) $(WHEEL) ## Build the zips in packages/, which are committed
	@$(RUN) packages/build.py

docs: $(TOOLS) ## Write the generated documents: the parameter reference and the picture in the README
	@PYTHONPATH="$(CURDIR)/libraries:$(CURDIR)/tests" $(RUN) -m repository.generated

format: $(TOOLS) ## Format the code and fix what ruff can fix
	@$(RUN) -m ruff check --fix
	@$(RUN) -m ruff format

# Run it with the oldest supported Python. To change a pin, delete its line in the .txt, or give a version in the .in.
lock: $(TOOLS) ## Pin tests/requirements/*.in with hashes, each in the .txt beside it
	@set -e; cd ./tests/requirements; for list in $(LOCKED); do \
	  ../../$(RUN) -m piptools compile --quiet --generate-hashes --strip-extras --allow-unsafe \
	    --no-header --no-annotate --no-emit-options --output-file=$$list.txt $$list.in; \
	done

clean: ## Remove the tools and all caches
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# Set-up

# Of two makes at once in one clone, the second waits, and finds what the first has set up.
override ALONE = exec "$$PYTHON" tests/requirements/alone.py $(@D)

# pip would compile all of the tools, on one core.
$(TOOLS): tests/requirements/tools.txt
	@$(NEW_ENOUGH)
	@$(NOT_TOO_NEW)
	@$(ALONE) '[ ! $@ -nt $< ] || exit 0; \
	  echo "Setting up $(@D) (once)" >&2; \
	  "$$PYTHON" -m venv --clear $(@D); \
	  $(RUN) $(PIP) $(INSTALL) --no-compile -r $<; \
	  $(RUN) -m compileall -q -j 0 -x "/(sympy|networkx|pygments|piptools|types_)" $(@D)/lib; \
	  touch $@'

# Installed with the pip of the tools and without their own: lambda-runtime must contain only what Lambda provides.
# Most of the checkers is never imported, and what is imported, Python compiles then.
$(CHECKERS): override INSTALL += --no-compile
.venv/aws-cli/.ready .venv/lambda-runtime/.ready $(CHECKERS): .venv/%/.ready: tests/requirements/%.txt | $(TOOLS)
	@$(ALONE) '[ ! $@ -nt $< ] || exit 0; \
	  echo "Setting up $(@D) (once)" >&2; \
	  $(RUN) -m venv --clear --without-pip $(@D); \
	  $(RUN) $(PIP) --python $(@D) $(INSTALL) -r $<; \
	  touch $@'

$(WHEEL): libraries/requirements.txt | $(TOOLS)
	@$(RUN) packages/build.py --fetch
	@touch $@
