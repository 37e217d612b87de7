# Culvert's own targets. `make help` lists them.
SHELL := /bin/sh
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GO_VERSION := $(shell sed -n 's/^go //p' go.mod)
LDFLAGS := -s -w -X main.version=$(VERSION)
# The race detector needs a C compiler; without one the tests run all the same.
# It has every program sleep for a second as it ends, also those that tests start, unless it is told not to. SQLite's
# own code, made of C, and a password's hash share nothing with ours and are several times slower when it looks on.
UNWATCHED := modernc.org/sqlite/lib modernc.org/libc golang.org/x/crypto/blowfish
RACE := $(shell command -v $$(go env CC) >/dev/null 2>&1 && echo -race $(UNWATCHED:%=-gcflags=%=-race=false))

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build the static binary bin/culvert
	@command -v go >/dev/null || { echo "this needs Go $(GO_VERSION) or newer: https://go.dev/dl"; exit 1; }
	@[ -x bin/culvert ] || echo "building bin/culvert with $$(go env GOVERSION): the first time this takes a few minutes and fetches some 60 modules (GOPROXY); then seconds"
	CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)" -o bin/culvert ./cmd/culvert

.PHONY: demo
demo: build ## the main job on real input: a sandbox DHIS2, an export dropped, forms posted, a summary
	@bin/culvert demo
	@echo
	@echo "bin/culvert demo --stay does the same and keeps the console and the DHIS2 look-alike up, to look at in a browser"

.PHONY: dist
dist: ## what a release hands out, into dist/: static binaries, deb and rpm packages, a bill of materials, checksums
	deploy/dist dist

.PHONY: docs
docs: ## build the docs site into site/, strictly; needs Python
	.ci/docs

.PHONY: package
package: ## install the deb in a fresh root, deliver a record, upgrade, remove; needs root and debootstrap
	.ci/package

.PHONY: test
test: ## run the tests; those that need PostgreSQL, MariaDB or Chromium say SKIP when there is none
	GORACE="$${GORACE:-atexit_sleep_ms=0}" go test $(RACE) -vet=off -timeout 15m ./... # vet is a step of its own in .ci/run

.PHONY: test-dhis2
test-dhis2: ## run the conformance suite against a real server: DHIS2_URL, DHIS2_USERNAME, DHIS2_PASSWORD
	CULVERT_DHIS2_URL="$(DHIS2_URL)" CULVERT_DHIS2_USERNAME="$(DHIS2_USERNAME)" CULVERT_DHIS2_PASSWORD="$(DHIS2_PASSWORD)" \
		go test -count=1 -run 'TestConformance' -v ./actions/dhis2/conformance

.PHONY: agree
agree: ## how far the sandbox answers as recorded servers did: DIR=folder of recordings [METADATA="export.json more.json"]
	CULVERT_AGREE_DIR="$(abspath $(DIR))" CULVERT_AGREE_METADATA="$(abspath $(METADATA))" go test -count=1 -run 'TestAgreementWith' ./actions/dhis2/sandbox -v

.PHONY: prove
prove: ## the long proofs: a thousand kills, faults, a soak; up to twenty minutes
	.ci/prove

.PHONY: soak
soak: ## an hour of steady load with reload, sync and retention
	CULVERT_SOAK=$${CULVERT_SOAK:-1h} go test -count=1 -timeout 3h -v -run TestSoak ./engine/service

.PHONY: bench
bench: ## run the benchmarks
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: scale
scale: build ## rehearse a country in compressed time: FACTOR=1%,10%,100% DAYS=3 (100 % takes an hour and 10 GB)
	bin/culvert scale --factor "$${FACTOR:-1%}" --days "$${DAYS:-3}"

.PHONY: lint
lint: ## gofmt, vet, staticcheck, and golangci-lint with who may import whom
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	staticcheck ./...
	golangci-lint run ./...

.PHONY: golden
golden: ## rewrite the golden files from what the code answers now; read the diff before you commit it
	go test ./... -update

.PHONY: clean
clean: ## remove what the targets made
	rm -rf bin
