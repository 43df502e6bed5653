# Quorate. `make help` lists the targets.
SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
export CGO_ENABLED = 0

BUILD    := .build
BIN      := $(BUILD)/quorate
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo unversioned)
GOFLAGS  += -trimpath
PREFIX   ?= /usr/local
DESTDIR  ?=
SUDO     := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
PACKAGES := haproxy keepalived nftables iproute2 procps protobuf-compiler libprotobuf-dev stress-ng uidmap \
            apache2-utils curl qemu-system-x86 busybox-static cpio kmod fuse3 pacemaker-cli-utils pacemaker-common resource-agents systemd fence-agents ipmitool libopenipmi0
SERVERS  := redis-server redis-tools postgresql mariadb-server-core mariadb-client-core slapd vsftpd nginx

.DEFAULT_GOAL := build
.PHONY: help build install uninstall deps test race simulate bench bench-checks bench-scheduler fuzz demo lab-shell proto check fmt lint tidy vuln clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

build: ## build the one static binary, .build/quorate (and its names pcs and crm_simulate beside it)
	go build -ldflags "-s -w -X main.version=$(VERSION)" -o $(BIN) ./cmd/quorate
	@ln -sf quorate $(BUILD)/pcs
	@ln -sf quorate $(BUILD)/crm_simulate

install: ## install the binary and the systemd units (after make build)
	install -D -m 0755 $(BIN) $(DESTDIR)$(PREFIX)/sbin/quorate
	install -d $(DESTDIR)/etc/systemd/system
	for unit in deploy/systemd/*.service; do \
	  sed 's,@SBIN@,$(PREFIX)/sbin,g' $$unit > $(DESTDIR)/etc/systemd/system/$${unit##*/}; done
	@[ -e $(DESTDIR)$(PREFIX)/sbin/pcs ] || ln -s quorate $(DESTDIR)$(PREFIX)/sbin/pcs
	@[ -e $(DESTDIR)$(PREFIX)/sbin/crm_simulate ] || ln -s quorate $(DESTDIR)$(PREFIX)/sbin/crm_simulate
	@[ -n "$(DESTDIR)" ] || ! command -v systemctl >/dev/null || systemctl daemon-reload || true
	@echo 'Installed. Next: systemctl enable --now quorate quorate-handover'

uninstall: ## remove what install installed; the node's data stays in /var/lib/quorate
	rm -f $(DESTDIR)$(PREFIX)/sbin/quorate $(DESTDIR)/etc/systemd/system/quorate{,-handover,-warden}.service
	@for name in pcs crm_simulate; do [ ! -L $(DESTDIR)$(PREFIX)/sbin/$$name ] || rm $(DESTDIR)$(PREFIX)/sbin/$$name; done

deps: ## install what the tests need, with root or sudo
	@missing=; for p in $(PACKAGES); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'install ok installed' || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
	  echo "installing$$missing"; \
	  $(SUDO) apt-get update -qq; \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; fi
	@deploy/lab/vm/kernel.sh $(BUILD)/kernel
	@deploy/lab/vm/openipmi.sh $(BUILD)/openipmi
	@resources/check/testdata/unpack.sh $(BUILD)/servers $(SERVERS)

test: deps build ## install what the tests need, then run all tests
	go test -timeout 25m ./...

race: deps ## all tests but the simulation's long run, with the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race -short -timeout 25m ./...

N ?= 2000
SIMULATE := go test -count=1 -timeout 0 ./cluster/simulation -v
simulate: ## play N simulated schedules (make simulate N=100000), one again (SEED=17), or hunt planted bugs (PLANT='stale order')
	$(if $(PLANT),$(SIMULATE) -run 'TestPlantedBugs$$' -plant '$(PLANT)' -hunt $(N),$(if $(SEED),\
	  $(SIMULATE) -run TestAgain -seed $(SEED) -tries $(or $(TRIES),20),\
	  $(SIMULATE) -run TestSchedules -schedules $(N) -seed $(or $(FIRST),1)))

bench: build bench-scheduler ## what bench-scheduler measures, then failover times in a lab: power-off, move, kill; keepalived beside them when installed
	$(BIN) lab bench power-off move kill --runs $(or $(RUNS),10) --keepalived

bench-checks: ## what 2,000 checks a second cost, keepalived's beside ours when installed; one change of 10,000 real servers, here and emulated
	go test ./resources/check -count=1 -run TestSpeed -v -speed
	go test ./resources/ipvs -count=1 -run TestOneChangeOfTenThousandServers -v

bench-scheduler: build ## time and memory of one decision about 100, 1000 and 5000 resources; crm_simulate beside it when installed
	go test ./cluster/cib -count=1 -timeout 2h -run TestSpeed -v -speed -binary $(abspath $(BIN))

fuzz: ## fuzz the readers of CIBs, keepalived.conf and ldirectord.cf, the imports and the scheduler (FUZZTIME=10m each), then decide about N changed CIBs
	for f in FuzzKeepalived FuzzLdirectord; do \
	  go test ./cluster/lvs -run '^$$' -fuzz "$$f\$$" -fuzztime $(or $(FUZZTIME),3m) -fuzzminimizetime 10x; done
	for f in FuzzParse FuzzImport FuzzDecide; do \
	  go test ./cluster/cib -run '^$$' -fuzz "$$f\$$" -fuzztime $(or $(FUZZTIME),3m) -fuzzminimizetime 10x; done
	go test ./cluster/cib -count=1 -timeout 0 -run TestMutatedCIBsAreDecided -mutations $(N) -v

demo: build ## a three-node cluster on this machine, no root: watch an address fail over
	$(BIN) lab demo

lab-shell: build ## a shell beside a fresh three-node lab
	$(BIN) lab shell

proto: ## generate the Go code of the schema
	GOBIN=$(CURDIR)/$(BUILD) go install google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc
	PATH="$(CURDIR)/$(BUILD):$$PATH" protoc -Iproto --go_out=. --go_opt=module=quorate \
	  --go-grpc_out=. --go-grpc_opt=module=quorate proto/quorate/v1/*.proto

GOLANGCI    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.5.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.1.4

check: deps fmt lint tidy vuln ## gofmt, vet, lint, known vulnerabilities, generated code up to date
	@before=$$(cat proto/quorate/v1/*.pb.go | sha256sum); $(MAKE) --no-print-directory proto; \
	[ "$$before" = "$$(cat proto/quorate/v1/*.pb.go | sha256sum)" ] || { echo 'generated code was not up to date: commit what make proto made'; exit 1; }

tidy:
	go mod tidy -diff >/dev/null || { echo "go.mod is not tidy: run go mod tidy"; exit 1; }

fmt:
	@bad=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$bad" ] || { echo "gofmt these: $$bad"; exit 1; }

lint:
	go vet ./...
	go run $(GOLANGCI) run

# The vulnerability database is on the network; without it the check cannot be made, and says so.
vuln:
	@out=$$(go run $(GOVULNCHECK) ./... 2>&1) && echo "$$out" | tail -1 || { \
	  if grep -q 'https://vuln.go.dev' <<<"$$out"; then echo 'NOT CHECKED: the Go vulnerability database is not reachable from here'; \
	  else echo "$$out"; exit 1; fi; }

clean:
	rm -rf $(BUILD)
