# Everything that people and CI do with this tree. Tools go into a cache outside
# of it, in the versions named here.
TOOLS    ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/remint-tools/bin
GOLANGCI := $(TOOLS)/golangci-lint-v2.15.0
COSIGN   := $(TOOLS)/cosign-v3.1.3
OPA      := $(TOOLS)/opa-v1.22.2
GOVULN   := $(TOOLS)/govulncheck-v1.9.0
VERSION  := 0.1.0+$(shell git describe --tags --always --dirty 2>/dev/null || echo local)
GOFLAGS  += -buildvcs=false
export GOFLAGS

SHELL := bash
.SHELLFLAGS := -o pipefail -c

.PHONY: build quickstart test deps lint generate drift unit torture test-cosign test-opa bench fuzz vuln mutate clean help

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

build: ## bin/remint
	go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/remint ./cmd/remint

quickstart: build ## the main job, on a scratch copy of examples/quickstart, with no server
	scripts/quickstart bin/remint

test: deps lint drift unit build ## install what is missing, lint, check generated files, run every test
	scripts/quickstart bin/remint

deps: ## the servers that tests run, through apt where there is apt and root
	scripts/deps

lint: $(GOLANGCI) ## vet, staticcheck, the layer rules and more
	$(GOLANGCI) run ./...

generate: ## schemas and reference documentation, from the Go types and the registry
	go run ./internal/generate

drift: ## fails when generated files are not what `make generate` writes
	go run ./internal/generate -check

unit: ## every test, with the race detector
	go test -race -timeout 60m ./...
	go test -parallel 8 -timeout 60m -run 'TestCrashes|TestFaults|TestRunners|TestSecrets|TestBadInput|TestDisplay' -v ./cmd/remint | grep -vE '^=== |^ +--- PASS'

torture: ## every operation of a reset broken in every way, for each type and mode (SHARD=1/4: a share of it)
	scripts/torture

test-cosign: $(COSIGN) build ## every exported bundle is accepted by an unmodified cosign
	REMINT_COSIGN=$(COSIGN) go test -count=1 -tags cosign -run Cosign ./engine/evidence/... ./cmd/remint/...

test-opa: $(OPA) ## policy bundles that an unmodified opa built and signed are asked, and the other way round
	REMINT_OPA=$(OPA) go test -count=1 -tags opa -run OPA ./cmd/remint/...

bench: ## how it grows, and how it compares with the floor
	scripts/bench

fuzz: ## every fuzz target for FUZZTIME (30s)
	scripts/fuzz $(or $(FUZZTIME),30s)

# A database that cannot be read fails: nothing looked up is not "nothing found".
# A checkout of github.com/golang/vulndb serves too: VULNDB=file:///PATH/data/osv.
VULNDB ?= https://vuln.go.dev
vuln: $(GOVULN) ## known vulnerabilities that this code reaches, by the database in VULNDB
	$(GOVULN) -db $(VULNDB) -test ./...

# What decides whether a reset may be called finished. On one core, so that
# other work can go on beside it.
MUTATE ?= ./engine/executor ./engine/journal/sqlite \
	./engine/policy:result.go,finding.go,union.go,eval.go,bounded.go,value.go,builtins.go,process.go,remote.go,wire.go \
	./engine/evidence:verify.go,verify_file.go,verify_ledger.go,verify_run.go,verify_asserted.go,read.go,checkpoint.go,lines.go
mutate: ## what no test notices, in the packages (and files) of MUTATE
	GOMAXPROCS=1 nice go run ./internal/mutate $(MUTATE)

clean: ## what was built
	rm -rf bin

# go install names a binary after its package; the version in our name makes a
# new pin a new file.
$(GOLANGCI):
	mkdir -p $(TOOLS)/tmp-golangci && GOBIN=$(TOOLS)/tmp-golangci go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
	mv $(TOOLS)/tmp-golangci/golangci-lint $@ && rmdir $(TOOLS)/tmp-golangci

$(COSIGN):
	mkdir -p $(TOOLS)/tmp-cosign && GOBIN=$(TOOLS)/tmp-cosign go install github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3
	mv $(TOOLS)/tmp-cosign/cosign $@ && rmdir $(TOOLS)/tmp-cosign

$(GOVULN):
	mkdir -p $(TOOLS)/tmp-govulncheck && GOBIN=$(TOOLS)/tmp-govulncheck go install golang.org/x/vuln/cmd/govulncheck@v1.9.0
	mv $(TOOLS)/tmp-govulncheck/govulncheck $@ && rmdir $(TOOLS)/tmp-govulncheck

$(OPA):
	mkdir -p $(TOOLS)/tmp-opa && GOBIN=$(TOOLS)/tmp-opa go install github.com/open-policy-agent/opa@v1.22.2
	mv $(TOOLS)/tmp-opa/opa $@ && rmdir $(TOOLS)/tmp-opa
