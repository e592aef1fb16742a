# Two commands do everything on a fresh Debian 12 with a Swift 6.3 toolchain:
#   make run    installs what is missing, builds, computes real attention and checks it
#   make test   the same, then every test

SWIFT   ?= swift
BUILD    = $(SWIFT) build -c release
BINARY   = .build/release/attnmesh
FIXTURES = Tests/MeshIntegrationTests/Fixtures
TENSORS  = --query $(FIXTURES)/q.npy --key $(FIXTURES)/k.npy --value $(FIXTURES)/v.npy --mask causal
WORKERS ?= 3

.PHONY: build run test chaos soak cluster cluster-chaos install uninstall setup browser format lint protos clean

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

# Builds once, executable, libraries and tests together.
test: lint setup browser
	$(BUILD) --build-tests
	Protos/generate.sh --check
	Scripts/check-levels.sh
	Scripts/compile-embedded.sh
	BINARY=$(BINARY) Scripts/check-install.sh
	SWIFT=$(SWIFT) Scripts/test.sh
	$(BINARY) chaos --quiet $(foreach scenario,$(CHAOS),--only $(scenario))
	$(BINARY) bench failover --oversubscribe --seconds 30
	docker/chaos.sh

# Faults in real processes, some of every kind; `make chaos` runs all there are.
CHAOS = C1-kill-in-the-middle C1-kill-three-in-turn C1-die-of-copies C2-kill-three-of-four \
  C2-kill-host-and-holder C2-kill-one-and-who-has-restored-it C3-kill-all C4-pause-2-s \
  C4-pause-too-short-to-be-missed C5-zombies-take-turns C6-pair C6-worker-to-coordinator-one-way \
  C6-flapping C7-slices C7-resets C7-resets-of-all C7-close-at-byte C8-corrupt-tiles C9-checkpoints-fill-the-disk \
  C10-flipBit-of-checkpoints C10-truncate-of-checkpoints C10-swap-of-checkpoints \
  C11-die-before-and-after-writing C12-wall-clocks-differ C14-kill-with-a-worker \
  C14-die-before-a-commit C14-die-after-a-commit C15-worker-lost-meanwhile C18-poison \
  C8-messages-lost-repeated-reordered \
  C19-straggler-4-times C20-rolling-restart C25-calls-lost
chaos: build
	$(BINARY) chaos

# Hours: the randomised suites ten times longer, every mask with every published shape, a hundred thousand
# simulated meshes, every scenario and then random faults for an hour, and ten minutes on a machine with
# four times as much to do as it can.
soak: build
	ATTNMESH_SOAK=1 $(SWIFT) test -c release --disable-testable-imports --filter \
	  "MeshSimulationTests|MeshWireTests|CheckpointFilesTests|AttentionKernelsTests"
	$(BINARY) simulate --seeds 100000
	$(BINARY) chaos
	$(BINARY) chaos --minutes 60
	Scripts/same-name.sh $(BINARY) 500
	$(BINARY) bench failover --oversubscribe --seconds 600

# A cluster of containers: a job on it, and all that happens to containers. Docker is installed where it
# is missing, and started for as long as it takes where it doesn't run. KEEP=1 leaves the cluster up.
cluster: build
	docker/cluster.sh
cluster-chaos: build
	docker/chaos.sh

# The executable, its man page, completions for three shells, and a systemd unit for each role. What is
# there must have been built before: make build && sudo make install.
PREFIX    ?= /usr/local
DESTDIR   ?=
BASH_COMPLETIONS = $(PREFIX)/share/bash-completion/completions
ZSH_COMPLETIONS  = $(PREFIX)/share/zsh/site-functions
FISH_COMPLETIONS = $(PREFIX)/share/fish/vendor_completions.d
UNITS     = $(PREFIX)/lib/systemd/system
INSTALLED = $(PREFIX)/bin/attnmesh $(PREFIX)/share/man/man1/attnmesh.1 $(BASH_COMPLETIONS)/attnmesh \
  $(ZSH_COMPLETIONS)/_attnmesh $(FISH_COMPLETIONS)/attnmesh.fish $(UNITS)/attnmesh-coordinator.service \
  $(UNITS)/attnmesh-worker.service $(PREFIX)/lib/sysusers.d/attnmesh.conf
install:
	@test -x $(BINARY) || { echo "there is no $(BINARY): run make build first" >&2; exit 1; }
	mkdir -p $(addprefix $(DESTDIR),$(dir $(INSTALLED)))
	install -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/attnmesh
	$(BINARY) manual > $(DESTDIR)$(PREFIX)/share/man/man1/attnmesh.1
	$(BINARY) --generate-completion-script bash > $(DESTDIR)$(BASH_COMPLETIONS)/attnmesh
	$(BINARY) --generate-completion-script zsh > $(DESTDIR)$(ZSH_COMPLETIONS)/_attnmesh
	$(BINARY) --generate-completion-script fish > $(DESTDIR)$(FISH_COMPLETIONS)/attnmesh.fish
	for role in coordinator worker; do \
	  sed 's|@BINDIR@|$(PREFIX)/bin|' Scripts/systemd/attnmesh-$$role.service.in \
	    > $(DESTDIR)$(UNITS)/attnmesh-$$role.service || exit 1; \
	done
	install -m 644 Scripts/systemd/attnmesh.sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/attnmesh.conf
	cd $(DESTDIR)/ && chmod 644 $(patsubst /%,%,$(wordlist 2,$(words $(INSTALLED)),$(INSTALLED)))
uninstall:
	rm -f $(addprefix $(DESTDIR),$(INSTALLED))

# System packages, where they are missing (Debian and Ubuntu).
PACKAGES = libzmq3-dev libprotobuf-c-dev libssl-dev libsqlite3-dev libxxhash-dev protobuf-c-compiler make
SUDO     = $(shell [ "$$(id -u)" = 0 ] || echo sudo)
setup:
	@dpkg -s $(PACKAGES) >/dev/null 2>&1 || { \
	  echo "installing: $(PACKAGES)"; \
	  $(SUDO) apt-get update -q && \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $(PACKAGES); }

# The live page is tested in it.
browser:
	@command -v chromium >/dev/null || { \
	  echo "installing: chromium"; \
	  $(SUDO) apt-get update -q && \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
	    chromium fonts-dejavu-core; }

format:
	$(SWIFT) format -i -r -p Sources Tests Package.swift

lint:
	$(SWIFT) format lint --strict -r -p Sources Tests Package.swift

protos:
	Protos/generate.sh

clean:
	rm -rf .build out
