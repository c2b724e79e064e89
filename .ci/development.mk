# What only the sources can do: every target is a line of `make help`. The Makefile includes this file; a release has
# none of it.
LINT := go tool -modfile=.ci/tools.mod golangci-lint

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

##- checking and releasing

.PHONY: audit
audit: ## Look for secrets in all commits, and for known vulnerabilities: ARGS="--db DATABASE --python-db DATABASE" (docs/development.md)
	@mkdir -p $(BIN) && go build -o $(BIN)/ ./internal/release
	@$(BIN)/release audit $(ARGS)

.PHONY: release release-verify
release: ## Build the archives of a release, with SBOMs, licence texts, provenance and checksums; VERSION=v1.2.0, else the commit's tag; KEY=FILE signs (docs/development.md)
	@go run ./internal/release build $(if $(VERSION),--tag "$(VERSION)") --to "$(or $(TO),$(STATE)/release)" $(if $(KEY),--key "$(KEY)") $(if $(REPOSITORY),--repository "$(REPOSITORY)") $(ARGS)
release-verify: ## Compare a release with its checksums and provenance; FROM=FOLDER, KEY=FILE is the public key
	@go run ./internal/release verify "$(or $(FROM),$(STATE)/release)" $(if $(KEY),--key "$(KEY)") $(ARGS)

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
