# Run `make` to list the targets. The targets that deploy or operate a stack, and VPCS=organization, need AWS
# credentials. Tools are installed under .venv/ when they are first needed, from lists pinned by hash; after that, all
# other targets but `make lock` and `make audit` work offline.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Python 3.11 or later. It creates .venv/tools, whose Python runs everything else.
PYTHON ?= python3

RUN := .venv/tools/bin/python
PIP := -m pip --disable-pip-version-check --quiet
INSTALL := install --require-hashes --only-binary=:all:
# The stamp file is written last, so an interrupted set-up starts again.
TOOLS := .venv/tools/.ready
VENVS := $(TOOLS) .venv/aws-cli/.ready .venv/lambda-runtime/.ready
WHEEL := .venv/wheels/.ready
CHECKERS := .venv/checkers/.ready
FUNCTIONS := ct-integration-lambda ipam-pool-lambda
LOCKED := tools aws-cli lambda-runtime checkers

NEW_ENOUGH = command -v "$(PYTHON)" >/dev/null || { echo 'There is no $(PYTHON); name one: make PYTHON=python3.13 ...' >&2; exit 1; }; \
  "$(PYTHON)" -c 'import sys; sys.exit("Python 3.11 or later is needed; name one: make PYTHON=python3.13 ..." if sys.version_info < (3, 11) else 0)'
# A plan needs no packages, except with VPCS=organization: that needs boto3, which is one of the tools.
PLANNER = "$(PYTHON)"
ifeq ($(origin VPCS)=$(value VPCS),command line=organization)
PLANNER = $(RUN)
plan: $(TOOLS)
endif
# Quoted for the shell: the value of `only`, and every NAME=value of the command line.
ONLY = '$(subst ','\'',$(only))'
ARGUMENTS = $(foreach name,$(sort $(.VARIABLES)),$(if $(findstring command line,$(origin $(name))),'$(subst ','\'',$(name)=$(value $(name)))'))

##@ Start here
.PHONY: demo
demo: $(VENVS) ## Deploy everything to an emulated landing zone on this machine and draw the result
	@PYTHONPATH="$(CURDIR)/libraries:$(CURDIR)/tests" $(RUN) -m landing_zone.demo

##@ Plan and deploy
.PHONY: plan deploy
plan: ## Show what would be built: CIDR= REGIONS= ENVS='Prod OU,SDLC OU' REGION_PREFIX= ENV_PREFIX= VPCS=file|organization FORMAT=svg
	@$(NEW_ENOUGH)
	@PYTHONPATH=libraries $(PLANNER) -B -m commands.plan $(ARGUMENTS)

deploy: ## Deploy with your AWS CLI: BUCKET= NETWORK_ACCOUNT_ID=, the arguments of plan, any parameter such as AlertEmail=
	@$(NEW_ENOUGH)
	@PYTHONPATH=libraries "$(PYTHON)" -B -m commands.deploy $(ARGUMENTS)

##@ Check
.PHONY: check lint zips test bench
check: lint zips test ## Run everything that CI runs

lint: $(TOOLS) $(CHECKERS) ## Check style, types, templates and their IAM policies
	@$(RUN) -m ruff check
	@$(RUN) -m ruff format --check
	@$(RUN) -m mypy
	@set -e; for folder in $(FUNCTIONS); do $(RUN) -m mypy $$folder/index.py; done # separately: both modules are called index
	@.venv/tools/bin/cfn-lint templates/*.yaml
	@.venv/checkers/bin/python -m checkov.main --config-file tests/checkers/checkov.yaml --directory templates
	@.venv/checkers/bin/python -W ignore:pkg_resources tests/checkers/iam_policies.py templates/*.yaml

zips: $(TOOLS) $(WHEEL) ## Check that the committed zips are what the sources build
	@$(RUN) packages/build.py --check

test: $(VENVS) $(WHEEL) ## Run the tests in the emulator; `make test only=sharing` selects some
	@$(RUN) -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(if $(only),-k $(ONLY))

bench: $(VENVS) $(WHEEL) ## Measure, and print each figure beside its limit; `make bench only=pools,shares` selects some
	@PYTHONPATH="$(CURDIR)/libraries:$(CURDIR)/tests" $(RUN) -m benchmarks $(ONLY)

# Not part of CI: it calls a service on the network, whose answers change from day to day.
.PHONY: audit
audit: $(CHECKERS) ## Check every pinned package for known vulnerabilities
	@set -e; for list in libraries/requirements.txt $(LOCKED:%=tests/requirements/%.txt); do \
	  echo $$list; .venv/checkers/bin/python -m pip_audit --progress-spinner off --strict --disable-pip --require-hashes -r $$list; \
	done

##@ Operate (in the management account, with your AWS credentials)
.PHONY: reconcile report undo
reconcile: $(TOOLS) .venv/aws-cli/.ready ## Reconcile all shares; `make reconcile account=111122223333 dry=yes`
	@PYTHONPATH=libraries $(RUN) -B -m commands.operate reconcile $(ARGUMENTS)

report: $(TOOLS) .venv/aws-cli/.ready ## List who can use which pool; `make report stack=NAME`
	@PYTHONPATH=libraries $(RUN) -B -m commands.operate report $(ARGUMENTS)

undo: $(TOOLS) .venv/aws-cli/.ready ## Say what would stay, ask, and delete the stack; `make undo dry=yes` only says what would stay
	@PYTHONPATH=libraries $(RUN) -B -m commands.undo $(ARGUMENTS)

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
	@set -e; cd tests/requirements; for list in $(LOCKED); do \
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

$(TOOLS): tests/requirements/tools.txt
	@$(NEW_ENOUGH)
	@echo "Setting up $(@D) (once)" >&2
	@"$(PYTHON)" -m venv --clear $(@D)
	@$(RUN) $(PIP) $(INSTALL) -r $<
	@touch $@

# Installed with the pip of the tools and without their own: lambda-runtime must contain only what Lambda provides.
.venv/aws-cli/.ready .venv/lambda-runtime/.ready $(CHECKERS): .venv/%/.ready: tests/requirements/%.txt | $(TOOLS)
	@echo "Setting up $(@D) (once)" >&2
	@$(RUN) -m venv --clear --without-pip $(@D)
	@$(RUN) $(PIP) --python $(@D) $(INSTALL) -r $<
	@touch $@

$(WHEEL): libraries/requirements.txt | $(TOOLS)
	@$(RUN) packages/build.py --fetch
	@touch $@
