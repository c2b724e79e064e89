# kindred: every target is a line of `make help`. State, logs and programs live in the state folder: .kindred, which git
# ignores, or the folder that KINDRED_STATE names.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

STATE := $(or $(KINDRED_STATE),.kindred)
BIN := $(STATE)/bin
PROGRAMS := seed etl train publish serve replay feedback verify
LINT := go tool -modfile=.ci/tools.mod golangci-lint
# Runs a program with the running stack's environment. What the caller sets wins: MYSQL_DSN=… make etl reads another shop.
# Without a running stack it says so and ends with 2, unless the program is only asked for --help or --version.
WITH_STACK = $(BIN)/localstack exec --

.PHONY: help
help:
	@awk 'BEGIN {FS = ":.*## "} /^##- / {print "\n" substr($$0, 5)} /^[a-z-]+:.*## / {printf "  \033[1m%-18s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##- the whole loop

.PHONY: demo
demo: build ## The whole loop on this machine; DATA=<folder with MovieLens files or CSV> runs it on that data
	@$(BIN)/demo $(if $(DATA),--data "$(DATA)") $(ARGS)

.PHONY: batch
batch: build ## The nightly half on the running stack: etl, train, publish
	@$(WITH_STACK) $(BIN)/etl
	@$(WITH_STACK) $(BIN)/train
	@$(WITH_STACK) $(BIN)/publish

##- the local stack

.PHONY: local-up local-down local-status local-reset doctor deploy
local-up: build ## Start LocalStack, PostgreSQL + pgvector and MySQL on 127.0.0.1; writes the file env; STACK=docker|native forces
	@$(BIN)/localstack up
local-down: build ## Stop the stack; the databases keep their data, LocalStack forgets its own (make deploy)
	@$(BIN)/localstack down
local-status: build ## Show what runs, where and since when
	@$(BIN)/localstack status
local-reset: build ## Stop the stack and delete its data; downloads and programs stay
	@$(BIN)/localstack reset
doctor: build ## Check this machine and the running stack, and say what to do
	@$(BIN)/localstack doctor
deploy: build ## Create buckets, streams and the two Lambda functions in the running stack; after each local-up
	@$(BIN)/localstack provision

##- the programs, one by one (ARGS="--help" shows the flags; MYSQL_DSN and the like, set by you, win over the stack's)

.PHONY: $(PROGRAMS)
seed: build ## Fill the shop's MySQL: ARGS="generate --scale 1" or ARGS="import FOLDER"
etl: build ## MySQL → Parquet training set on S3
train: build ## Training set → model version on S3, with its evaluation
publish: build ## Model version → pgvector, if the gate lets it: ARGS="list", "rollback", …
serve: build ## Recommendations over HTTP on 127.0.0.1:8080
replay: build ## Simulated shoppers → Kinesis
feedback: build duckdb ## Delivered recommendations → hit rates, and interactions for train; joined in DuckDB
verify: build ## The delivery audit: every event accounted for; ARGS="redrive" sends again what had to be given up
$(PROGRAMS):
	@$(WITH_STACK) $(BIN)/$@ $(ARGS)

# DuckDB's program, which feedback runs: the caller's DUCKDB, else the pinned one, downloaded when it is first needed.
DUCKDB_FOLDER := $(abspath $(or $(KINDRED_RUNTIMES),$(STATE))/opt/duckdb-cli-1.5.6)
feedback: export DUCKDB := $(or $(DUCKDB),$(DUCKDB_FOLDER)/duckdb_cli/duckdb)
.PHONY: duckdb
duckdb: build
	@$(if $(or $(filter --help -h --version,$(ARGS)),$(wildcard $(DUCKDB))),,$(WITH_STACK) true && $(MAKE) $(DUCKDB_FOLDER))
$(DUCKDB_FOLDER):
	@mkdir -p $(@D) && rm -rf $@.part && python3 -m pip install --quiet --disable-pip-version-check --no-deps --target $@.part duckdb-cli==1.5.6 && mv $@.part $@

##- Terraform (1.11 or later; not part of `make test`: minutes)

.PHONY: package promote tf-verify tf-moto tf-calls tf-local tf-local-destroy tf-local-test
package: build ## Everything that is deployed, the same bytes for the same commit: two Lambda zips, image, Glue's program (no Docker, no network)
	@$(BIN)/tf package $(ARGS)
promote: build ## To AWS, smoke-tested, or back: ENV=dev ARGS="--vars FILE --state BUCKET --rds-ca FILE"; plan, cost and confirmation first (docs/deploy.md)
	@$(BIN)/tf promote $(ENV) $(ARGS)
tf-verify: ## Offline: format, validate, every module's tests, checkov
	@go test -count=1 -timeout 30m -v -run TestStatic ./terraform/acceptance
tf-moto: ## Promote terraform/aws whole to a moto server, and back: second plan, secrets, policies, names, lock, destroy
	@go test -count=1 -timeout 60m -v -run TestAWS ./terraform/acceptance
tf-calls: local-up ## Record the programs' AWS calls on the running stack, which tf-moto judges the roles by; ARGS=-update writes them
	@$(WITH_STACK) go test -count=1 -timeout 10m -v -run TestCalls ./terraform/acceptance $(ARGS)
tf-local: build ## Build the streaming half in the running stack with Terraform instead of `make deploy`; ARGS=--tflocal by tflocal
	@$(BIN)/tf local apply $(ARGS)
tf-local-destroy: build ## Delete what tf-local built
	@$(BIN)/tf local destroy $(ARGS)
tf-local-test: local-up ## Terraform's local resources equal the provisioner's; demo, smoke and integration tests, a plan and destroy on what tflocal built
	@$(WITH_STACK) go test -count=1 -timeout 30m -v -run TestLocal ./terraform/acceptance
	@$(BIN)/tf local apply --tflocal
	@$(BIN)/demo
	@$(WITH_STACK) env KINDRED_SERVICES=deployed go test -count=1 -run TestSmoke ./integration
	@java -version >/dev/null 2>&1 && python3 -m pip --version >/dev/null 2>&1 || echo "!!! NOT TESTED: the Spark launcher, jobs/etl/glue. It needs Java and Python with pip"
	@go test -count=1 -timeout 30m ./integration
	@$(BIN)/tf local plan --tflocal --empty
	@$(BIN)/tf local destroy --tflocal

##- emulators

.PHONY: conformance
conformance: local-up ## Where emulators differ from AWS: writes docs/parity.md (about 7 minutes); CONFORMANCE_ENDPOINT=URL prints one column
	@go run ./integration/conformance/parity $(ARGS)

##- benchmarks

.PHONY: bench-etl bench-publish bench-retrieve
bench-etl: build ## Reading MySQL: kindred beside the C client, plain Go, DuckDB, Spark (about 15 minutes, on the running stack)
	@$(WITH_STACK) python3 benchmarks/etl/bench.py $(ARGS)
bench-publish: build ## Loading embeddings: COPY BINARY and others, vector and halfvec, a publish by step (about 5 minutes, on the running stack)
	@$(WITH_STACK) go run ./benchmarks/publish $(ARGS)
bench-retrieve: build ## Answering from embeddings: scan and index, alone and batched, and the crossover (about 20 minutes, on the running stack)
	@$(WITH_STACK) go run ./benchmarks/retrieve $(ARGS)

.PHONY: bench-stream
bench-stream: build ## λ recommend at the Lambda Runtime API: beside an empty function and a bare pgx loop, start, size (about 2 minutes, on the running stack)
	@$(WITH_STACK) go run ./benchmarks/stream $(ARGS)

.PHONY: bench-train
bench-train: build ## Seconds an epoch beside C++/Eigen and implicit (needs g++, libeigen3-dev, python3); ARGS="--dims 64 --rounds 1", reach, grow
	@mkdir -p $(STATE)/bench/train
	@GOEXPERIMENT=simd go build -o $(STATE)/bench/train/bench-train ./benchmarks/train
	@go build -o $(STATE)/bench/train/bench-train-pure ./benchmarks/train
	@$(STATE)/bench/train/bench-train $(ARGS)

##- building and testing

# What --version says. Go's own stamp fails where git distrusts the folder's owner, and GOFLAGS may turn it off.
VERSION := -X kindred/internal/platform/program.linked
STAMP = $(shell git log -1 --format='$(VERSION)Commit=%H $(VERSION)Date=%cI' 2>/dev/null) $(if $(shell git status --porcelain 2>/dev/null),$(VERSION)Changes=true)

.PHONY: build
build: ## Compile every program into the state folder's bin; refuses a state folder that is not kindred's
	@go run ./localstack claim
	@mkdir -p $(BIN)
	@go build -ldflags "$(STAMP)" -o $(BIN)/ ./jobs/... ./lambdas/... ./localstack ./localstack/demo ./terraform/tf
	@GOEXPERIMENT=simd go build -ldflags "$(STAMP)" -o $(BIN)/ ./jobs/train # vector kernels on amd64; elsewhere the same program

.PHONY: test
test: fmt-check vet lint test-unit test-executor test-integration ## Everything: format, vet, lint, unit tests, integration tests (starts what it needs)

.PHONY: fmt fmt-check vet lint
fmt: ## Format the Go code
	@gofmt -w $$(git ls-files '*.go')
fmt-check: ## Fail when a Go file is not formatted
	@files=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$files" ] || { echo "not formatted (make fmt):"; echo "$$files"; exit 1; }
vet: ## go vet, for Linux and for macOS
	@go vet ./...
	@GOOS=darwin go vet ./localstack/... ./jobs/... ./lambdas/...
lint: ## golangci-lint, built from the pinned version the first time (about two minutes), and the walls between packages
	@go test ./internal/walls
	@$(LINT) run ./...

.PHONY: test-unit test-executor test-integration test-docker
test-unit: ## Unit tests: no services
	@go test -short ./...
	@GOEXPERIMENT=simd go test ./internal/model/ials # the vector kernels that this machine has
test-executor: ## Tests of LocalStack's Lambda executor (Python 3.11 or later)
	@python3 -m unittest discover -s localstack/executor/tests
test-integration: ## Integration tests, in containers of their own or against the native stack, started if it does not run; STACK=native forces
	@java -version >/dev/null 2>&1 && python3 -m pip --version >/dev/null 2>&1 || echo "!!! NOT TESTED: the Spark launcher, jobs/etl/glue. It needs Java and Python with pip"
	@unshare -rm sh -c 'mount -t tmpfs tmpfs /tmp' 2>/dev/null || echo "!!! NOT TESTED: etl on a full disk. It needs the right to mount a file system (unshare)"
	@python3 -m pip --version >/dev/null 2>&1 || echo "!!! NOT TESTED: serve's OpenAPI document under schemathesis, the joins of feedback, foreign Parquet readers, the packages for other platforms. They need Python with pip"
	@go test -count=1 -timeout 30m ./integration
test-docker: export STACK = docker
test-docker: test-integration ## The same tests in containers, which takes an engine with compose

.PHONY: golden
golden: ## Rewrite the golden files and the examples in docs/formats.md, after a change of a format that is meant
	@go test $$(grep -rl --include='*_test.go' '"kindred/internal/platform/golden"$$' . | xargs -n1 dirname | sort -u) -run 'Golden|Schema' -update
	@go test ./docs -run TestFormats -update

.PHONY: clean
clean: build ## Stop the stack; delete its data, the programs and the downloads
	@$(BIN)/localstack reset --programs
