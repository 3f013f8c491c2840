# Run `make` to see the targets. Only those that operate a stack, and VPCS=organization, need AWS credentials. Tools are
# installed under .venv/ when they are first needed, from lists pinned by hash; from then on all else but `make lock`
# works offline.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Any from 3.11 on. It makes .venv/tools, and that runs the rest.
PYTHON ?= python3

RUN := .venv/tools/bin/python
PIP := -m pip --disable-pip-version-check --quiet
INSTALL := install --require-hashes --only-binary=:all:
# A stamp is written last, so an interrupted set-up is made anew.
TOOLS := .venv/tools/.ready
VENVS := $(TOOLS) .venv/aws-cli/.ready .venv/lambda-runtime/.ready
WHEEL := .venv/wheels/.ready
CHECKERS := .venv/checkers/.ready
FUNCTIONS := ct-integration-lambda ipam-pool-lambda
LOCKED := tools aws-cli lambda-runtime checkers

NEW_ENOUGH = command -v "$(PYTHON)" >/dev/null || { echo 'There is no $(PYTHON); name one: make PYTHON=python3.13 ...' >&2; exit 1; }; \
  "$(PYTHON)" -c 'import sys; sys.exit("Python 3.11 or later is needed; name one: make PYTHON=python3.13 ..." if sys.version_info < (3, 11) else 0)'
# A plan needs nothing installed, unless it asks AWS: that takes boto3, which is among the tools.
PLANNER = "$(PYTHON)"
ifeq ($(origin VPCS)=$(value VPCS),command line=organization)
PLANNER = $(RUN)
plan: $(TOOLS)
endif
# One word for the shell each, whatever is in it: what `only` says, and every NAME=value of the command line.
ONLY = '$(subst ','\'',$(only))'
WORDS = $(foreach name,$(sort $(.VARIABLES)),$(if $(findstring command line,$(origin $(name))),'$(subst ','\'',$(name)=$(value $(name)))'))

##@ Start here
.PHONY: demo
demo: $(VENVS) ## Deploy everything to a landing zone on this machine and draw what it makes
	@PYTHONPATH="$(CURDIR)/libraries:$(CURDIR)/tests" $(RUN) -m landing_zone.demo

##@ Plan and deploy
.PHONY: plan deploy
plan: ## What would be built: CIDR= REGIONS= ENVS='Prod OU,SDLC OU' REGION_PREFIX= ENV_PREFIX= VPCS=file|organization FORMAT=svg
	@$(NEW_ENOUGH)
	@PYTHONPATH=libraries $(PLANNER) -B -m commands.plan $(WORDS)

deploy: ## Deploy with your AWS CLI: BUCKET= NETWORK_ACCOUNT_ID=, the words of plan, and any parameter, as in AlertEmail=
	@$(NEW_ENOUGH)
	@PYTHONPATH=libraries "$(PYTHON)" -B -m commands.deploy $(WORDS)

##@ Check
.PHONY: check lint zips test bench
check: lint zips test ## All that CI runs

lint: $(TOOLS) $(CHECKERS) ## Style, types, templates and their IAM policies
	@$(RUN) -m ruff check
	@$(RUN) -m ruff format --check
	@$(RUN) -m mypy
	@set -e; for folder in $(FUNCTIONS); do $(RUN) -m mypy $$folder/index.py; done # apart: both are called index
	@.venv/tools/bin/cfn-lint templates/*.yaml
	@.venv/checkers/bin/python -m checkov.main --config-file tests/checkers/checkov.yaml --directory templates
	@.venv/checkers/bin/python -W ignore:pkg_resources tests/checkers/iam_policies.py templates/*.yaml

zips: $(TOOLS) $(WHEEL) ## Are the committed zips what the sources build?
	@$(RUN) packages/build.py --check

test: $(VENVS) $(WHEEL) ## Tests, in the emulator; `make test only=sharing` picks some
	@$(RUN) -m pytest -n 4 --dist loadfile $(if $(only),-k $(ONLY))

bench: $(VENVS) $(WHEEL) ## All figures on one page, each beside its floor; `make bench only=pools,shares` picks some
	@PYTHONPATH="$(CURDIR)/libraries:$(CURDIR)/tests" $(RUN) -m benchmarks $(ONLY)

# Not part of CI: it asks a service on the network, and what that knows may change from one day to the next.
.PHONY: audit
audit: $(CHECKERS) ## Ask PyPI for known vulnerabilities of every pinned package
	@set -e; for list in libraries/requirements.txt $(LOCKED:%=tests/requirements/%.txt); do \
	  echo $$list; .venv/checkers/bin/python -m pip_audit --progress-spinner off --strict --disable-pip --require-hashes -r $$list; \
	done

##@ Operate (in the management account, with your AWS credentials)
.PHONY: reconcile report
reconcile: $(TOOLS) .venv/aws-cli/.ready ## Bring all shares in order; `make reconcile account=111122223333 dry=yes`
	@PYTHONPATH=libraries $(RUN) -B -m commands.operate reconcile $(WORDS)

report: $(TOOLS) .venv/aws-cli/.ready ## Who can use which pool; `make report stack=NAME`
	@PYTHONPATH=libraries $(RUN) -B -m commands.operate report $(WORDS)

##@ Change
.PHONY: package format lock clean
package: $(TOOLS) $(WHEEL) ## Build the zips in packages/, to be committed
	@$(RUN) packages/build.py

format: $(TOOLS) ## Let ruff lay out the code and mend what it can
	@$(RUN) -m ruff check --fix
	@$(RUN) -m ruff format

# Compile with the oldest Python supported. To move a pin: delete its line from the .txt, or give a version in the .in.
lock: $(TOOLS) ## Pin tests/requirements/*.in, with hashes, in the .txt beside each
	@set -e; cd tests/requirements; for list in $(LOCKED); do \
	  ../../$(RUN) -m piptools compile --quiet --generate-hashes --strip-extras --allow-unsafe \
	    --no-header --no-annotate --no-emit-options --output-file=$$list.txt $$list.in; \
	done

clean: ## Remove the tools and every cache
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

# Filled by the tools' pip, and so without one: lambda-runtime must hold what Lambda has, and nothing else.
.venv/aws-cli/.ready .venv/lambda-runtime/.ready $(CHECKERS): .venv/%/.ready: tests/requirements/%.txt | $(TOOLS)
	@echo "Setting up $(@D) (once)" >&2
	@$(RUN) -m venv --clear --without-pip $(@D)
	@$(RUN) $(PIP) --python $(@D) $(INSTALL) -r $<
	@touch $@

$(WHEEL): libraries/requirements.txt | $(TOOLS)
	@$(RUN) packages/build.py --fetch
	@touch $@
