# Two commands do everything on a fresh Debian 12 with a Swift 6.3 toolchain:
#   make run    installs what is missing, builds, computes real attention and checks it
#   make test   the same, then every test

SWIFT   ?= swift
BUILD    = $(SWIFT) build -c release
BINARY   = .build/release/attnmesh
FIXTURES = Tests/MeshIntegrationTests/Fixtures
TENSORS  = --query $(FIXTURES)/q.npy --key $(FIXTURES)/k.npy --value $(FIXTURES)/v.npy --mask causal
WORKERS ?= 3

.PHONY: build run test soak setup format lint protos clean

build: setup
	$(BUILD)

run: build
	mkdir -p out
	$(BINARY) attend $(TENSORS) --workers $(WORKERS) --output out/o.npy --lse out/lse.npy --report out/report.json
	$(BINARY) check $(TENSORS) --output out/o.npy --lse out/lse.npy
	@echo "the same in one process, for comparison:"
	$(BINARY) attend $(TENSORS) --output out/o1.npy
	cmp out/o.npy out/o1.npy
	@echo "equal, byte for byte"

# Builds once: executable, libraries and tests share the release build. Tests with real processes have the
# cores to themselves: some of them wait for what a machine that is busy does late.
TEST = $(SWIFT) test -c release --disable-testable-imports
PROCESSES = MeshIntegrationTests|MeshChaosTests
test: lint build
	Protos/generate.sh --check
	$(TEST) --skip "$(PROCESSES)"
	$(TEST) --skip-build --filter "$(PROCESSES)" --no-parallel

# The randomised suites ten times longer: about 4,600 jobs and a million mutated frames.
soak: build
	ATTNMESH_SOAK=1 $(TEST) --filter "MeshSimulationTests|MeshWireTests"

# System packages, where they are missing (Debian and Ubuntu).
PACKAGES = libzmq3-dev libprotobuf-c-dev libssl-dev libsqlite3-dev libxxhash-dev protobuf-c-compiler make
SUDO     = $(shell [ "$$(id -u)" = 0 ] || echo sudo)
setup:
	@dpkg -s $(PACKAGES) >/dev/null 2>&1 || { \
	  echo "installing: $(PACKAGES)"; \
	  $(SUDO) apt-get update -q && \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $(PACKAGES); }

format:
	$(SWIFT) format -i -r -p Sources Tests Package.swift

lint:
	$(SWIFT) format lint --strict -r -p Sources Tests Package.swift

protos:
	Protos/generate.sh

clean:
	rm -rf .build out
