# Starling. `make run` and `make test` are the two commands; the others serve them.

GO   ?= go
AXE  := .cache/axe/package/axe.min.js
AXE_VERSION := 4.10.3
export CGO_ENABLED ?= 0

# The browser's stories that docs/promises.md names.
FAULTS := TestFault|TestPlatformSuite|FormerVersion|Notification|ChangedSubscription|WorkerThatCannot|AskedToKeep|NeverAnswers

.PHONY: build run demo test check race e2e faults bench size first screens fmt deps clean

build: ## the one binary, with the browser program in it: bin/starling
	$(GO) run ./wasm/build
	$(GO) build -trimpath -o bin/starling .

run: build ## serve the client with the embedded server on http://127.0.0.1:8000
	bin/starling serve

demo: build ## the same with demo accounts and conversations
	bin/starling demo --data .cache/demo

test: deps build check race e2e ## everything

check: deps build ## formatting, vet for both worlds, unit tests, fuzz seeds
	@files=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); test -z "$$files" || { echo "not formatted, run make fmt: $$files"; exit 1; }
	$(GO) vet ./...
	GOOS=js GOARCH=wasm $(GO) vet ./app/... ./ozeki/... ./wasm ./e2e/hello/...
	$(GO) test $$($(GO) list ./... | grep -v /e2e)

race: ## the packages that run several things at once, under the race detector
	CGO_ENABLED=1 $(GO) test -race -short . ./app/... ./chatserver/...

e2e: deps build $(AXE) ## a real headless Chromium against the real binary
	STARLING_BIN=$(CURDIR)/bin/starling AXE=$(CURDIR)/$(AXE) $(GO) test -count=1 -timeout 40m ./e2e

faults: deps build $(AXE) ## the faults of docs/promises.md, those that repeat something many times more than in make test
	$(GO) test -count=1 -timeout 40m ./app/engine -seeds 3000
	$(GO) test -count=1 ./app/engine/vaulttest ./chatserver/store ./chatserver/data
	$(GO) test -count=1 -timeout 20m -run 'Killed|Backup|Disk|FiveHundred' . -kills 50
	STARLING_BIN=$(CURDIR)/bin/starling AXE=$(CURDIR)/$(AXE) $(GO) test -count=1 -timeout 20m -run '$(FAULTS)' ./e2e

bench: deps build ## one JSON line for each figure
	$(GO) run ./wasm/build -size
	STARLING_BIN=$(CURDIR)/bin/starling $(GO) test -count=1 -timeout 60m -run '^$$' -bench . -benchtime 1x ./e2e | grep '^{'
	$(GO) test -run '^$$' -bench . . ./ozeki ./app/state ./chatserver/...

$(AXE):
	mkdir -p .cache/axe
	cd .cache/axe && npm pack --silent axe-core@$(AXE_VERSION) && tar -xzf axe-core-$(AXE_VERSION).tgz

size: ## accept that the browser program has become as large as it is (a test fails when it grows by more than 2 %)
	$(GO) run ./wasm/build -accept

first: ## learn in a browser which functions a start and the first things one does need, and in what order: wasm/build/*.txt
	$(GO) run ./wasm/build -quick -watched
	$(GO) build -trimpath -o bin/starling .
	NOTES=$(CURDIR)/.cache/notes STARLING_BIN=$(CURDIR)/bin/starling $(GO) test -count=1 -run TestWhatTheFirstPartIsFor ./e2e
	$(GO) run ./wasm/build -learn .cache/notes
	$(MAKE) build

screens: build ## the manifest's screenshots
	SCREENS=$(CURDIR)/web STARLING_BIN=$(CURDIR)/bin/starling $(GO) test -count=1 -run TestScreenshots ./e2e

fmt:
	gofmt -w $$(git ls-files -co --exclude-standard '*.go')

# What the tests need beside Go, git and make: command:Debian package.
NEEDED := chromium:chromium openssl:openssl npm:npm gcc:gcc strace:strace zstd:zstd
deps:
	@missing=; for need in $(NEEDED); do command -v $${need%%:*} >/dev/null || missing="$$missing $${need#*:}"; done; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing libc6-dev fonts-dejavu-core >/dev/null; \
	  else \
	    echo "The tests need:$$missing"; echo "Install them with: sudo apt-get install$$missing libc6-dev"; exit 1; \
	  fi; \
	fi

clean:
	rm -rf bin .cache web/wasm/*.wasm* web/wasm/wasm_exec.js
