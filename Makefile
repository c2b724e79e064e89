# kindred: every target is a line of `make help`. State, logs and programs live in the state folder: .kindred, which git
# ignores, or the folder that KINDRED_STATE names.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

STATE := $(or $(KINDRED_STATE),.kindred)
BIN := $(STATE)/bin
PROGRAMS := connect seed etl train publish infer serve replay feedback rollup verify console erase
LINT := go tool -modfile=.ci/tools.mod golangci-lint
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

##- Terraform (1.11 or later; takes minutes, not part of `make test`)

.PHONY: package promote aws-day tunnel tf-verify tf-rules tf-moto tf-calls tf-local tf-local-destroy tf-local-test
package: build ## Build the packages for AWS: two Lambda zips, the image, the Glue jobs' programs; needs neither Docker nor network
	@$(BIN)/tf package $(ARGS)
promote: build ## Bring this commit to AWS, after a plan and a confirmation; ENV=dev ARGS="--vars …" (docs/deploy.md)
	@$(BIN)/tf promote $(ENV) $(ARGS)
aws-day: build ## Make an environment on AWS, ask all that only AWS can tell, destroy it, report; ENV=day BUDGET=10 ARGS="--vars …" (docs/deploy.md)
	@$(BIN)/tf aws-day $(ENV) $(if $(BUDGET),--budget "$(BUDGET)") $(ARGS)
tunnel: build ## Lead a port of this machine to the vector database of an environment on AWS, until Ctrl-C; ENV=dev
	@$(BIN)/tf tunnel $(ENV) $(ARGS)
tf-verify: ## Check Terraform offline: format, validate, the modules' tests, checkov, AWS's rules
	@go test -count=1 -timeout 60m -v -run TestStatic ./terraform/acceptance
tf-rules: ## Check plans of terraform/ against AWS's rules (part of tf-verify); ARGS=-update writes the plan that the rules' own tests begin with, and the costs in docs/deploy.md
	@go test -count=1 -timeout 30m -v -run "TestStaticRules|TestStaticCosts" ./terraform/acceptance $(ARGS)
tf-moto: ## Promote all of terraform/aws to a moto server, check it, and destroy it
	@go test -count=1 -timeout 90m -v -run TestAWS ./terraform/acceptance
tf-calls: local-up ## Check that the programs make exactly the recorded AWS calls (tf-moto checks the roles against them); ARGS=-update records them
	@$(WITH_STACK) go test -count=1 -timeout 30m -v -run TestCalls ./terraform/acceptance $(ARGS)
tf-local: build ## Create the stream and its functions with Terraform, instead of `make deploy`; ARGS=--tflocal uses tflocal
	@$(BIN)/tf local apply $(ARGS)
tf-local-destroy: build ## Delete what tf-local built
	@$(BIN)/tf local destroy $(ARGS)
tf-local-test: local-up ## Compare Terraform's local resources with the provisioner's; run demo and tests on them
	@$(WITH_STACK) go test -count=1 -timeout 60m -v -run TestLocal ./terraform/acceptance
	@$(BIN)/tf local apply --tflocal
	@$(BIN)/demo
	@$(WITH_STACK) env KINDRED_SERVICES=deployed go test -count=1 -run TestSmoke ./integration
	@java -version >/dev/null 2>&1 && python3 -m pip --version >/dev/null 2>&1 || echo "!!! NOT TESTED: the Spark launcher, jobs/etl/glue. It needs Java and Python with pip"
	@go test -count=1 -timeout 30m ./integration
	@$(BIN)/tf local plan --tflocal --empty
	@$(BIN)/tf local destroy --tflocal

##- emulators

.PHONY: conformance
conformance: local-up ## Write docs/parity.md: where emulators differ from AWS (7 minutes); CONFORMANCE_ENDPOINT=URL checks one
	@go run ./integration/conformance/parity $(ARGS)

##- benchmarks (on the running stack, except bench-train)

.PHONY: bench-etl bench-publish bench-retrieve
bench-etl: build ## Reading MySQL, compared with the C client, plain Go, DuckDB, sling and Spark (15 minutes)
	@$(WITH_STACK) python3 benchmarks/etl/bench.py $(ARGS)
bench-publish: build ## Loading embeddings: ways to copy, column types, the steps of a publish, long ids (10 minutes)
	@$(WITH_STACK) go run ./benchmarks/publish $(ARGS)
bench-retrieve: build ## Searching embeddings: exact scan and index, single and in batches (20 minutes)
	@$(WITH_STACK) go run ./benchmarks/retrieve $(ARGS)

.PHONY: bench-stream
bench-stream: build ## λ recommend, compared with an empty function and a bare pgx loop; memory and database at 41,000 products (5 minutes)
	@$(WITH_STACK) go run ./benchmarks/stream $(ARGS)

.PHONY: bench-serve
bench-serve: build ## serve over HTTP under open load, compared with Serenade and gorse; ARGS="--serenade FOLDER --gorse FILE" (5 minutes)
	@$(WITH_STACK) go run ./benchmarks/serve $(ARGS)

.PHONY: bench-train
bench-train: build ## Training, compared with C++/Eigen and implicit; ARGS=reach or grow (needs g++, libeigen3-dev, python3)
	@mkdir -p $(STATE)/bench/train
	@GOEXPERIMENT=simd go build -o $(STATE)/bench/train/bench-train ./benchmarks/train
	@go build -o $(STATE)/bench/train/bench-train-pure ./benchmarks/train
	@$(STATE)/bench/train/bench-train $(ARGS)

.PHONY: bench-sessions
bench-sessions: build ## The next click of sessions: serve, compared with Serenade's server; ARGS="FOLDER --serenade FOLDER" (5 minutes)
	@$(WITH_STACK) env GOEXPERIMENT=simd go run ./benchmarks/sessions $(ARGS)

##- building and testing

# What --version prints. Go's own stamp fails where git distrusts the folder's owner, and GOFLAGS may turn it off.
VERSION := -X kindred/internal/platform/program.linked
STAMP = $(shell git log -1 --format='$(VERSION)Commit=%H $(VERSION)Date=%cI' 2>/dev/null) $(if $(shell git status --porcelain 2>/dev/null),$(VERSION)Changes=true)

.PHONY: build
build: ## Compile every program into the folder bin of the state folder
	@go run ./localstack claim
	@mkdir -p $(BIN)
	@go build -ldflags "$(STAMP)" -o $(BIN)/ ./jobs/... ./lambdas/... ./localstack ./localstack/demo ./terraform/tf
	@GOEXPERIMENT=simd go build -ldflags "$(STAMP)" -o $(BIN)/ ./jobs/train ./jobs/infer ./lambdas/serve # vector kernels on amd64; elsewhere the same programs

.PHONY: audit
audit: ## Look for secrets in all commits, and for known vulnerabilities: ARGS="--db DATABASE --python-db DATABASE" (docs/development.md)
	@mkdir -p $(BIN) && go build -o $(BIN)/ ./internal/release
	@$(BIN)/release audit $(ARGS)

.PHONY: release
release: ## Build the archives of a release, with SBOMs, licence texts and checksums; VERSION=v1.2.0, else the commit's tag (docs/development.md)
	@go run ./internal/release build $(if $(VERSION),--tag "$(VERSION)") --to "$(or $(TO),$(STATE)/release)" $(ARGS)

.PHONY: test
test: fmt-check vet lint test-unit test-executor test-integration ## Run format, vet, lint, unit and integration tests; starts the servers it needs

.PHONY: fmt fmt-check vet lint
fmt: ## Format the Go code
	@gofmt -w $$(git ls-files '*.go')
fmt-check: ## Fail if a Go file is not formatted
	@files=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$files" ] || { echo "not formatted (make fmt):"; echo "$$files"; exit 1; }
vet: ## Run go vet for macOS, and with the build tags of the deployed programs; `make lint` runs it for Linux
	@go vet -tags shipped,onlambda ./jobs/... ./lambdas/...
	@go vet -tags shipped,onlambda,traces ./lambdas/serve
	@GOOS=darwin go vet ./localstack/... ./jobs/... ./lambdas/...
lint: ## Run golangci-lint (the first run compiles it) and check walls and lengths (internal/walls)
	@go test ./internal/walls
	@$(LINT) run --allow-parallel-runners ./...

# How many integration tests run side by side: many of them wait more than they work.
PARALLEL = $(shell cores=$$(getconf _NPROCESSORS_ONLN); echo $$((cores > 8 ? cores : 8)))

.PHONY: test-unit test-executor test-integration test-docker
test-unit: ## Run the unit tests, which need no servers
	@go test -short ./...
	@GOEXPERIMENT=simd go test ./internal/model/ials ./internal/serving/rule ./internal/serving/recommend/scan # the vector kernels that this machine has
test-executor: ## Run the tests of LocalStack's Lambda executor (Python 3.11 or later)
	@python3 -m unittest discover -s localstack/executor/tests
test-integration: ## Run the integration tests in containers, or on the native stack; STACK=docker or native chooses
	@java -version >/dev/null 2>&1 && python3 -m pip --version >/dev/null 2>&1 || echo "!!! NOT TESTED: the Spark launcher, jobs/etl/glue. It needs Java and Python with pip"
	@unshare -rm sh -c 'mount -t tmpfs tmpfs /tmp' 2>/dev/null || echo "!!! NOT TESTED: etl on a full disk. It needs the right to mount a file system (unshare)"
	@command -v npm >/dev/null || echo "!!! NOT TESTED: a client in TypeScript. It needs Node.js with npm on the PATH"
	@python3 -m pip --version >/dev/null 2>&1 || echo "!!! NOT TESTED: serve's OpenAPI document under schemathesis, the joins of feedback, foreign Parquet readers, the packages for other platforms. They need Python with pip"
	@go test -count=1 -timeout 60m -parallel $(PARALLEL) ./integration
test-docker: export STACK = docker
test-docker: test-integration ## Run the integration tests in containers; needs an engine with Compose

.PHONY: test-pages
test-pages: ## A shop's page in a browser, a generated client, 20,000 answers whose ids are compared with the delivered ones, and 1,100 simulated experiments (5 minutes)
	@command -v chromium chromium-browser google-chrome chrome >/dev/null || echo "!!! NOT TESTED: kindred.js in a browser. It needs Chromium on the PATH"
	@command -v npm >/dev/null || echo "!!! NOT TESTED: a client in TypeScript. It needs Node.js with npm on the PATH"
	@go test -count=1 -timeout 60m -v -run 'TestAPageInABrowser|TestAGeneratedClient|TestTheRequestsInTheDocuments|TestTheIDsOfAnswers|TestServeKeepsToItsDocument' ./integration -page-answers 20000
	@go test -count=1 -v ./internal/model/sequential -equal-arms 1000 -unequal-arms 100

.PHONY: test-erase
test-erase: ## Erase 100 of 20,000 customers, half of them under load and half through 20 kills, and look for them everywhere (30 minutes)
	@go test -count=1 -timeout 120m -v -run 'TestErasing$$' ./integration -erase-scale 10 -erase-persons 50 -erase-events 12000 -erase-kills 20 -erase-limit 60 $(ARGS)

# axe-core, which finds what people with a screen reader or weak eyes stumble over.
AXE := $(abspath $(or $(KINDRED_RUNTIMES),$(STATE))/opt/axe-core-4.14.1/package/axe.min.js)
$(AXE):
	@if command -v npm >/dev/null; then mkdir -p $(dir $(AXE)).. && cd $(dir $(AXE)).. && npm pack --silent axe-core@4.14.1 >/dev/null && tar xzf axe-core-4.14.1.tgz; fi
.PHONY: test-console
test-console: build $(AXE) ## Open the console in a browser, on what `make demo` left running (chromium; npm for axe-core)
	@$(WITH_STACK) go test -count=1 -timeout 30m -v ./integration/console $(if $(wildcard $(AXE)),-axe $(AXE)) $(ARGS)

.PHONY: golden
golden: ## Rewrite the golden files and the examples in docs/formats.md, after an intended change of a format
	@go test $$(grep -rl --include='*_test.go' '"kindred/internal/platform/golden"$$' . | xargs -n1 dirname | sort -u) -run 'Golden|Schema' -update
	@go test ./docs -run TestFormats -update

.PHONY: clean
clean: build ## Stop the stack, and delete its data, its programs and its downloads
	@$(BIN)/localstack reset --programs
