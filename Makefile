# Two commands for newcomers: `make demo` and `make test`. Both create .venv themselves.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
.DEFAULT_GOAL := help
.PHONY: help demo example-envoy example-llm learn rehearse test test-stacks test-approval-full test-detection-full test-flood-full test-evidence-full verify-demo sigstore-env test-unleash test-kubernetes check bench bench-detection mlflow-env routers-env lock histories schema screenshots clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# uv if it is on the PATH, else a hash-locked uv from venv and pip; if that cannot run here, pip itself.
define INSTALL
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed (PYTHON=… make …)"; exit 2; }
@echo "• installing $(1) into $(VENV) (once)"
@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
@if command -v uv >/dev/null; then VIRTUAL_ENV=$(VENV) uv pip install -q --require-hashes -r $(1); \
 elif $(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt; then \
   VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install -q --require-hashes -r $(1); \
 else $(BIN)/pip install -q --disable-pip-version-check --require-hashes -r $(1); fi
@touch $@
endef

$(BIN)/.app: requirements/app.txt requirements/uv.txt pyproject.toml
	$(call INSTALL,requirements/app.txt)
	@$(BIN)/python -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "countermand-checkout.pth").write_text(str(pathlib.Path.cwd()))'
	@printf '#!/bin/sh\nexec "%s" -m countermand.cli "$$@"\n' "$(CURDIR)/$(BIN)/python" > $(BIN)/countermand && chmod +x $(BIN)/countermand

$(BIN)/.dev: $(BIN)/.app requirements/dev.txt
	$(call INSTALL,requirements/dev.txt)

demo: $(BIN)/.app ## a bad release is rolled back before your eyes (AUTO=1: unattended)
	@$(BIN)/countermand demo $(if $(AUTO),--auto)

example-envoy: $(BIN)/.dev ## a rollback over a real Envoy at 200 requests per second, unattended (first: make routers-env)
	@$(BIN)/python -m examples.envoy

rehearse: $(BIN)/.app ## 18 rehearsals of the whole human path, unattended, each with its oracle (minutes)
	@$(BIN)/python -m rehearsal all

learn: $(BIN)/.app ## an incident, its review, and thresholds that people change because of it (a minute or two)
	@$(BIN)/python -m examples.learning $(if $(KEEP),--keep $(KEEP))

example-llm: $(BIN)/.app .venv-mlflow/bin/.installed ## a model and its prompt in MLflow, taken back together (FAIL=prompt: or not at all)
	@$(BIN)/python -m examples.llm $(if $(FAIL),--fail $(FAIL))

test: $(BIN)/.dev ## the whole test suite: files side by side, then whole stacks
	@$(BIN)/python -m scripts.run_tests -n 4 --dist loadfile --ignore tests/end_to_end --ignore tests/slack # four also on two cores: tests wait more than they compute
	@$(BIN)/python -m pytest -n 2 --dist loadfile tests/slack # Slack gives an answer three seconds
	@$(BIN)/python -m pytest -n 2 --dist loadgroup tests/end_to_end --ignore tests/end_to_end/long # whole stacks mostly wait

test-stacks: $(BIN)/.dev ## whole stacks that take long: a rollback over a real Envoy, a guard whose worker is killed
	@$(BIN)/python -m pytest tests/end_to_end/long

test-detection-full: $(BIN)/.dev ## the promises of detection with all their watches (hours)
	@COUNTERMAND_FULL=1 $(BIN)/python -m pytest tests/rules/detection -q --timeout 7200

test-approval-full: $(BIN)/.dev ## 10,000 runs of the approval machine against its invariants, and of its planted faults
	@COUNTERMAND_FULL=1 $(BIN)/python -m pytest tests/rules/governance/test_approval_machine.py -q --timeout 7200

test-flood-full: $(BIN)/.dev ## a flood of 200,000 signals is one incident and delays nobody (minutes)
	@COUNTERMAND_FULL=1 $(BIN)/python -m pytest tests/workflows/test_flood.py -q --timeout 1800

test-evidence-full: $(BIN)/.dev ## 1,000 changes of an evidence pack, all found; parsers under 10^5 cases each (an hour)
	@COUNTERMAND_FULL=1 $(BIN)/python -m pytest tests/rules/evidence -q --timeout 7200

verify-demo: $(BIN)/.app ## a demo, its evidence pack, and every tool here that can check it (first, if wanted: make sigstore-env)
	@$(BIN)/python -m scripts.verify_demo

sigstore-env: requirements/sigstore/node_modules/.installed ## Sigstore's own verifier, for verify-demo (4 npm packages)

requirements/sigstore/node_modules/.installed: requirements/sigstore/package.json requirements/sigstore/package-lock.json
	@cd requirements/sigstore && npm ci --ignore-scripts --no-audit --no-fund --loglevel error
	@touch $@

test-unleash: $(BIN)/.dev requirements/unleash/node_modules/.installed ## the conformance suite on a real Unleash (needs PostgreSQL; 450 MB of npm packages)
	@COUNTERMAND_TEST_TARGETS=unleash $(BIN)/python -m pytest tests/adapters/targets -k unleash -q

requirements/unleash/node_modules/.installed: requirements/unleash/package.json requirements/unleash/package-lock.json
	@cd requirements/unleash && npm ci --ignore-scripts --no-audit --no-fund --loglevel error
	@touch $@

test-kubernetes: $(BIN)/.dev ## the same on a Kubernetes API server (docs/targets.md says how one is had)
	@COUNTERMAND_TEST_TARGETS=kubernetes $(BIN)/python -m pytest tests/adapters/targets -k kubernetes -q

check: $(BIN)/.dev ## ruff, mypy --strict, import-linter
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

mlflow-env: .venv-mlflow/bin/.installed ## the environment of the MLflow server that tests start (620 MB)

.venv-mlflow/bin/.installed: VENV := .venv-mlflow
.venv-mlflow/bin/.installed: BIN := .venv-mlflow/bin
.venv-mlflow/bin/.installed: requirements/mlflow.txt requirements/uv.txt
	$(call INSTALL,requirements/mlflow.txt)

routers-env: .venv-routers/bin/.installed ## the environment of the Envoy and the flag reader that tests start (190 MB)

.venv-routers/bin/.installed: VENV := .venv-routers
.venv-routers/bin/.installed: BIN := .venv-routers/bin
.venv-routers/bin/.installed: requirements/routers.txt requirements/uv.txt
	$(call INSTALL,requirements/routers.txt)

bench: $(BIN)/.dev ## what the hot paths cost beside a floor of the same run; detection beside its rivals
	@$(BIN)/python -m bench
	@$(BIN)/python -m bench.detection --short

bench-detection: $(BIN)/.dev ## detection beside its rivals at full size; writes docs/detection-benchmark.md
	@$(BIN)/python -m bench.detection --full --out docs

schema: $(BIN)/.dev ## write docs/playbook.schema.json, docs/signals.md and docs/openapi.json anew
	@$(BIN)/python -m countermand.playbook.schema
	@$(BIN)/python -m countermand.playbook.taxonomy
	@$(BIN)/python -m console.openapi

histories: $(BIN)/.dev ## record the replay corpus anew (docs/adr/0003-replay-corpus.md)
	@$(BIN)/python -m tests.replay.record

screenshots: $(BIN)/.dev ## start a demo and write docs/images/*.png from it
	@$(BIN)/python -m scripts.screenshots

lock: ## write the hash-locked requirements anew
	@for set in app dev; do uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  pyproject.toml --extra app $$(test $$set = dev && echo --group dev) -o requirements/$$set.txt; done
	@for set in mlflow routers; do uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-annotate requirements/$$set.in -o requirements/$$set.txt; done

clean: ## remove the environment and what the demo left
	@rm -rf $(VENV) .venv-mlflow .venv-routers requirements/unleash/node_modules requirements/sigstore/node_modules .countermand .mypy_cache .ruff_cache .pytest_cache .hypothesis
