# Two commands do everything: `make demo` and `make test`. Both set up .venv first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
export PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK := True

.PHONY: help setup demo test test-fast coverage check docs formats bench live record recipes revisions clean
.DEFAULT_GOAL := help

help: ## what there is to make
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## install everything into .venv

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Python 3.11 or newer is needed as $(PYTHON). Debian: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "The venv module is missing. Debian: apt-get install python3-venv"; exit 1; }
	@echo "Setting up $(VENV) (about 1 GB, a few minutes the first time) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,schools]'
	@$(BIN)/python -c 'import cv2' 2>/dev/null || \
	  { $(BIN)/python -c 'import cv2'; echo "OpenCV cannot be loaded. Debian: apt-get install libgl1 libglib2.0-0"; exit 1; }
	@touch $@
	@echo "Set up."

demo: $(STAMP) ## compare all strategies on data_samples, and leave a report to open
	@echo "Comparing strategies on the synthetic certificates of data_samples (a minute or two) ..."
	@rm -rf reports/demo
	@$(BIN)/ocr-moe compare data_samples --schema auto \
	  --truth data_samples/graduation_certificate/verified.xlsx \
	  --truth data_samples/business_license/verified.xlsx \
	  --recorded data_samples/recorded.sqlite --out reports/demo
	@echo "Open reports/demo/report.html"

test: $(STAMP) ## the whole test suite
	@$(BIN)/python -m pytest -n 2 --dist loadfile --durations=10

test-fast: $(STAMP) ## the tests without models, browsers, drawn pages and commands: under a minute
	@$(BIN)/python -m pytest -m 'not slow' -q -n auto

coverage: $(STAMP) ## the whole suite, and which lines and branches it never runs through
	@mkdir -p reports/coverage
	@$(BIN)/python -m pytest --cov --cov-report=term --cov-report=html -q
	@echo "Open reports/coverage/html/index.html"

check: $(STAMP) ## style, types, and the direction of dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(STAMP) ## what docs/ says of configuration and structure, from the source
	@$(BIN)/python -m recipes.configuration
	@$(BIN)/python -m recipes.architecture

bench: $(STAMP) ## the benchmarks, with peers in the same run
	@$(BIN)/python -m benchmarks

live: $(STAMP) ## against a real LLM (OCR_MOE_TEXT_BASE_URL, OCR_MOE_VISION_BASE_URL)
	@test -n "$$OCR_MOE_TEXT_BASE_URL$$OCR_MOE_VISION_BASE_URL" || \
	  { echo "Set OCR_MOE_TEXT_BASE_URL or OCR_MOE_VISION_BASE_URL to an OpenAI-compatible endpoint."; exit 2; }
	@$(BIN)/ocr-moe doctor
	@rm -rf reports/live
	@$(BIN)/ocr-moe compare data_samples --schema auto \
	  --truth data_samples/graduation_certificate/verified.xlsx \
	  --truth data_samples/business_license/verified.xlsx --out reports/live
	@echo "Open reports/live/report.html"

record: $(STAMP) ## ask the text LLM once about data_samples, for `make demo` to replay
	@$(BIN)/python -m recipes recorded

recipes: $(STAMP) ## how what ships was made: each recipe by name
	@$(BIN)/python -m recipes

revisions: $(STAMP) ## record raised revisions; name code that changed under an old one
	@$(BIN)/python -m recipes.revisions

formats: $(STAMP) ## make the JSON Schemas that docs/formats.md names anew
	@$(BIN)/python -m recipes.formats

clean: ## remove what was made
	rm -rf $(VENV) reports/demo reports/live reports/coverage
