# kindred: every target is a line of `make help`. State, logs and programs live in the state folder: .kindred, which git
# ignores, or the folder that KINDRED_STATE names.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

STATE := $(or $(KINDRED_STATE),.kindred)
# The folder of a release has no sources: its programs are there already.
SOURCES := $(wildcard go.mod)
BIN := $(if $(SOURCES),$(STATE)/bin,bin)
PROGRAMS := connect seed etl train publish infer serve replay feedback rollup verify console erase
# Runs a program with the running stack's environment. What the caller sets wins: MYSQL_DSN=… make etl reads another shop.
# Without a running stack it says so and ends with 2, unless the program is only asked for --help or --version.
# Through a tunnel to AWS (make tunnel), the programs have AWS's environment, and need no stack.
WITH_STACK = $(if $(PGVECTOR_VIA),,$(BIN)/localstack exec --)

.PHONY: help
help:
	@awk 'BEGIN {FS = ":.*## "} /^##- / {print "\n" substr($$0, 5)} /^[a-z-]+:.*## / {printf "  \033[1m%-18s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##- the whole loop

.PHONY: demo
demo: build ## Run the loop once on this machine, without feedback; DATA=<file or folder> uses your own data (docs/files.md)
	@$(BIN)/demo $(if $(DATA),--data "$(DATA)") $(ARGS)

.PHONY: batch
batch: build ## Run etl, feedback, train and publish on the running stack; without DuckDB or pip, feedback is left out
	@$(WITH_STACK) $(BIN)/etl
	@if command -v "$(DUCKDB_PROGRAM)" >/dev/null || python3 -m pip --version >/dev/null 2>&1; then $(MAKE) feedback ARGS=; \
	else echo "!!! train learns from no clicks: feedback needs DuckDB (on PATH, or named by DUCKDB) or Python with pip"; fi
	@$(WITH_STACK) $(BIN)/train
	@$(WITH_STACK) $(BIN)/publish

# A flag of `train import` for each variable that is set.
IMPORT = --items "$(ITEMS)" $(if $(CUSTOMERS),--customers "$(CUSTOMERS)") $(if $(NAME),--name "$(NAME)") $(if $(LEARNED_UNTIL),--learned-until "$(LEARNED_UNTIL)")
.PHONY: import
import: build ## Make another system's vectors live: ITEMS=FILE CUSTOMERS=FILE (docs/models-from-anywhere.md)
	@[ -n "$(ITEMS)" ] || { echo "make import: ITEMS is not set; name the file of the products' vectors" >&2; exit 2; }
	@$(WITH_STACK) $(BIN)/train import $(IMPORT) $(ARGS)
	@$(WITH_STACK) $(BIN)/publish

##- the local stack

.PHONY: local-up local-down local-status local-reset doctor deploy
local-up: build ## Start LocalStack, PostgreSQL with pgvector and MySQL on 127.0.0.1; STACK=docker or native chooses how
	@$(BIN)/localstack up
local-down: build ## Stop the stack; the databases keep their data, LocalStack's buckets and streams are lost
	@$(BIN)/localstack down
local-status: build ## Show what is running, where and since when
	@$(BIN)/localstack status
local-reset: build ## Stop the stack and delete its data; keep downloads and programs
	@$(BIN)/localstack reset
doctor: build ## Check this machine and the running stack, and print what to do
	@$(BIN)/localstack doctor
deploy: build ## Bring the vector database's schema up to date; create buckets, streams and the two Lambda functions; run it after each local-up
	@$(BIN)/localstack provision

##- one program each (ARGS=--help shows its flags; a variable that you set wins over the stack's)

.PHONY: $(PROGRAMS)
connect: build ## Bring the shop at MYSQL_DSN=… live: recognise its system, map it, run etl, train and publish
seed: build ## Fill the shop's MySQL: ARGS="generate --scale 1" or ARGS="import PATH"
etl: build ## MySQL → Parquet training set on S3
train: build ## Training set → model version on S3, with its evaluation
publish: build ## Model version → pgvector, and live unless the gate refuses it; also ARGS="list", "rollback", …
infer: build ## Recommendations for all customers of the live version → Parquet and CSV on S3, for e-mail
.PHONY: catalogue
catalogue: build ## Stock, prices, new and removed products: MySQL → pgvector, at once (`publish catalogue`)
	@$(WITH_STACK) $(BIN)/publish catalogue $(ARGS)
.PHONY: report
report: build ## Overview, live version, outcome and data as one HTML file to mail; ARGS="VERSION --out FILE"
	@$(WITH_STACK) $(BIN)/console report $(ARGS)
serve: build ## Recommendations over HTTP on 127.0.0.1:8080
replay: build ## Simulated visitors → Kinesis
feedback: build duckdb ## Delivered recommendations → hit rates, and interactions for train
rollup: build ## Delivered recommendations → counts by hour, and an index of event ids, for the console; ARGS=show or "find ID"
verify: build ## Check that every event is accounted for; ARGS=redrive sends failed events again
erase: build ## Delete all that is held of persons, and keep them out: ARGS="103 104"; ARGS="103 --dry-run", "103 --export" or --verify only look
console: build ## See it in a browser: the loop, the models, what became of the events; open the address that it prints
$(PROGRAMS):
	@$(WITH_STACK) $(BIN)/$@ $(ARGS)

# DuckDB's program, which feedback runs: the caller's DUCKDB (a path, or a name on PATH), else duckdb on PATH, else the
# pinned one, which is downloaded when it is first needed.
DUCKDB_FOLDER := $(abspath $(or $(KINDRED_RUNTIMES),$(STATE))/opt/duckdb-cli-1.5.6)
DUCKDB_PINNED := $(DUCKDB_FOLDER)/duckdb_cli/duckdb
DUCKDB_PROGRAM := $(or $(DUCKDB),$(shell command -v duckdb),$(DUCKDB_PINNED))
feedback: export DUCKDB := $(DUCKDB_PROGRAM)
.PHONY: duckdb
duckdb: build $(if $(filter --help -h --version,$(ARGS)),,$(if $(filter $(DUCKDB_PINNED),$(DUCKDB_PROGRAM)),$(DUCKDB_FOLDER)))
$(DUCKDB_FOLDER): | build
	@$(WITH_STACK) true
	@mkdir -p $(@D) && rm -rf $@.part && python3 -m pip install --quiet --disable-pip-version-check --no-deps --target $@.part duckdb-cli==1.5.6 && mv $@.part $@

##- the programs themselves

# What --version prints. Go's own stamp fails where git distrusts the folder's owner, and GOFLAGS may turn it off.
LINKED := -X kindred/internal/platform/program.linked
STAMP = $(shell git log -1 --format='$(LINKED)Commit=%H $(LINKED)Date=%cI' 2>/dev/null) $(if $(shell git status --porcelain 2>/dev/null),$(LINKED)Changes=true)

.PHONY: build
build: ## Compile every program into the folder bin of the state folder; a release has them in its own
ifdef SOURCES
	@go run ./localstack claim
	@mkdir -p $(BIN)
	@go build -ldflags "$(STAMP)" -o $(BIN)/ ./jobs/... ./lambdas/... ./localstack ./localstack/demo ./terraform/tf
	@GOEXPERIMENT=simd go build -ldflags "$(STAMP)" -o $(BIN)/ ./jobs/train ./jobs/infer ./lambdas/serve # vector kernels on amd64; elsewhere the same programs
else
	@$(BIN)/localstack claim
endif

.PHONY: clean
clean: build ## Stop the stack, and delete its data, its programs and its downloads
	@$(BIN)/localstack reset --programs

-include .ci/development.mk
