# `make demo` runs Heddle's main job, `make test` runs every test. Both install what is missing.

GO      ?= go
BIN     := bin/heddle
PKGS    := ./...
# What a lab needs, and beyond that what tests need.
LAB_PACKAGES  := openvswitch-switch openvswitch-common iproute2 iputils-ping ethtool nftables util-linux curl jq dnsmasq-base radvd udhcpc
TEST_PACKAGES := $(LAB_PACKAGES) openvswitch-pki prometheus tcpdump procps python3-openstackclient isc-dhcp-client gcc libc6-dev
STATICCHECK   := honnef.co/go/tools/cmd/staticcheck@v0.7.0

.PHONY: all build demo test check ui ui-check bench golden docs fuzz clean

all: build

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w" -o $(BIN) ./cmd/heddle

demo:
	@scripts/install-packages $(LAB_PACKAGES)
	@echo "building $(BIN)" >&2
	@$(MAKE) --no-print-directory build
	@KEEP=$(KEEP) examples/demo.sh $(BIN)

# Pure tests, vet and staticcheck: seconds once built.
check:
	@test -z "$$(gofmt -l .)" || { echo "not gofmt-ed:"; gofmt -l .; exit 1; }
	$(GO) vet $(PKGS)
	$(GO) run $(STATICCHECK) $(PKGS)

UI      := northbound/dashboard/ui
MODULES := $(UI)/node_modules/.package-lock.json

# The dashboard's files, which are committed, from their source.
ui: $(MODULES)
	@cd $(UI) && npm run --silent build

# Types, pure logic, and whether the committed files are what the source gives.
ui-check: $(MODULES)
	@cd $(UI) && npm run --silent check

# The packages of the lock file; node only where there is none.
$(MODULES): $(UI)/package-lock.json
	@command -v npm >/dev/null || scripts/install-packages nodejs npm
	@cd $(UI) && npm ci --loglevel=error && touch node_modules/.package-lock.json

test: check ui-check
	@scripts/install-packages $(TEST_PACKAGES)
	@command -v chromium >/dev/null || scripts/install-packages chromium
	$(GO) test -race -timeout 20m $$($(GO) list $(PKGS) | grep -v -e /test/e2e -e /test/ui)
	$(GO) test -count=1 -timeout 10m ./test/ui
	$(GO) test -count=1 -timeout 30m ./test/e2e/...

bench:
	@scripts/install-packages $(LAB_PACKAGES)
	@scripts/bench

# Writes golden files and generated documents anew; look at the diff.
golden docs:
	$(GO) test ./controller/pipeline ./northbound/... ./internal/cli -run 'Golden|Document|Outputs' -update

# Each fuzz target for FUZZTIME; `make test` runs their seeds.
FUZZTIME ?= 30s
fuzz:
	@scripts/fuzz $(FUZZTIME)

clean:
	rm -rf bin dist
