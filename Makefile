# Every command that a person or CI needs. `make run` and `make test` are the two of the README.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := all

BUILD_PACKAGES := build-essential cmake ninja-build ccache pkg-config libfmt-dev libssl-dev libyaml-cpp-dev libcurl4-openssl-dev \
  libarchive-dev libboost1.81-dev nlohmann-json3-dev libsqlite3-dev zlib1g-dev libdeflate-dev libseccomp-dev libcli11-dev \
  libzstd-dev liblzma-dev libbz2-dev libacl1-dev libxml2-dev nettle-dev libpsl-dev libp11-kit-dev python3
TEST_PACKAGES := catch2 python3-yaml docker-registry libarchive-tools openssl skopeo umoci zstd clang-format clang-tidy strace \
  bash-completion zsh fish man-db mandoc podman buildah runc containerd mmdebstrap lintian crossbuild-essential-arm64 qemu-user-static \
  softhsm2 opensc faketime iproute2 iptables containernetworking-plugins

# For tests alone. python3-scipy asks for python3-pythran, that for libboost1.74-dev, which cannot be there beside libboost1.81-dev.
UNPACKED_PACKAGES := python3-scipy python3-numpy libblas3 liblapack3 liblbfgsb0 libgfortran5 libquadmath0

.PHONY: all build deps test-deps run install deb images programs-arm64 test release sanitized lint tools bench bench-registry bench-cluster fuzz clean capsule \
  cluster cluster-programs cluster-down e2e

# Where state lives: keys, registry, log, what was seen. The same default as that of the steps.
STATE ?= $(if $(filter 0,$(shell id -u)),/var/lib/capsule-loop,$(or $(XDG_STATE_HOME),$(HOME)/.local/state)/capsule-loop)
BIN := build/bin
CAPSULE := tests/capsules/m2n2-metal
URI := capsule://m2n2-metal:0.1.0?proof=true
# Tests and tools must not depend on a Python that somebody put in front of Debian's.
PYTHON := /usr/bin/python3

deps:
	@bash tests/support/install_packages.sh $(BUILD_PACKAGES)

test-deps:
	@bash tests/support/install_packages.sh $(BUILD_PACKAGES) $(TEST_PACKAGES)
	@bash tests/support/unpack_packages.sh build/debian $(UNPACKED_PACKAGES)

all: build capsule

build: deps
	cmake --preset release $(if $(wildcard build/CMakeCache.txt),,-DBUILD_TESTING=OFF)
	cmake --build --preset release --target programs

release: test-deps
	cmake --preset release -DBUILD_TESTING=ON
	cmake --build --preset release

sanitized: test-deps
	cmake --preset debug
	cmake --build --preset debug

# The large files of the sample capsule, made by scripts of ours: the same bytes on every machine.
MADE := $(CAPSULE)/expansion/m2n2/model.pt $(CAPSULE)/capsule.tarball
capsule: $(MADE)
$(CAPSULE)/expansion/m2n2/model.pt: tests/capsules/tools/make_model.py
	$(PYTHON) $< --out $@
$(CAPSULE)/capsule.tarball: tests/capsules/tools/make_tarball.py
	$(PYTHON) $< --out $@

# The whole loop on this machine, with the workflow files that a cluster runs.
run: build capsule
	@umask 022; export CAPSULE_STATE='$(STATE)' CAPSULE_TRUST='$(STATE)/configmaps/capsule-trust/trust.yaml'; \
	out='$(STATE)/outputs'; registry='oci-layout:$(STATE)/registry'; mkdir -p "$$out"; \
	trap '$(BIN)/capsule-deploy delete m2n2-metal --outputs "$$out/delete" >/dev/null' EXIT; \
	$(BIN)/capsule-sign keygen --outputs "$$out/keygen"; \
	$(BIN)/capsule-run workflows/loops/capsule-build.yaml -p source='$(CURDIR)/$(CAPSULE)' -p publish=false --outputs "$$out/build"; \
	package=$$(cat "$$out/build/package"); lacks=0; \
	said=$$($(BIN)/capsule-verify "$$package" --target this-machine --outputs "$$out/check" 2>&1) || lacks=$$?; \
	case $$lacks in 0|15) ;; *) echo "$$said" >&2; exit $$lacks;; esac; \
	unmet=$$(cat "$$out/check/unmet"); \
	[ -z "$$unmet" ] || echo "This machine lacks what the capsule asks for, so the run record will call it waived: $$unmet"; \
	found() { cat "$$out"/loop/{run-record,proof-bundle,receipts,index-sequence} 2>/dev/null || true; }; \
	before=$$(found); \
	$(BIN)/capsule-run workflows/loops/capsule-deploy-loop.yaml -p "source=$$package" -p "registry=$$registry" \
	  -p 'log=$(STATE)/log' -p "allow-unmet=$$unmet" --outputs "$$out/loop"; \
	[ "$$before" != "$$(found)" ] \
	  || echo 'All of it was done already: nothing was run, proven, anchored or registered again.'; \
	echo; echo '$(URI) resolves to'; \
	$(BIN)/capsule-register resolve '$(URI)' --registry "$$registry" --output text --outputs "$$out/resolve"; \
	echo; echo 'Package, keys, registry and log are under $(STATE). What to try next:'; \
	next() { local word; printf ' '; for word; do \
	  if [[ "$$word" =~ ^[A-Za-z0-9_./:@=,+-]+$$ ]]; then printf ' %s' "$$word"; else printf ' %s' "$${word@Q}"; fi; done; echo; }; \
	next $(BIN)/capsule-verify "$$package" --trust "$$CAPSULE_TRUST"; \
	next $(BIN)/capsule-verify '$(URI)' --registry "$$registry" --state '$(STATE)' --trust "$$CAPSULE_TRUST" --replay; \
	next $(BIN)/capsule-download '$(firstword $(subst ?, ,$(URI)))' --registry "$$registry" --state '$(STATE)' --store /tmp/store; \
	next $(BIN)/capsule-register list --registry "$$registry" --state '$(STATE)'; \
	next $(BIN)/capsule-deploy "$$(cat "$$out/loop/reference")" --state '$(STATE)' --allow-unmet "$$unmet" --new-run; \
	next $(BIN)/capsule-deploy delete m2n2-metal --state '$(STATE)' | sed 's/$$/   # ends the warm pool that a deploy leaves/'

# Programs, completion files, manual pages, workflow files, documents.
PREFIX ?= /usr/local
install: build
	cmake --build --preset release --target descriptions
	umask 022; DESTDIR='$(DESTDIR)' cmake --install build --prefix '$(PREFIX)' --strip

# build/packages/capsule-loop_<version>-1_<architecture>.deb; the same source gives the same bytes.
deb: build
	cmake --build --preset release --target descriptions
	umask 022; cd build && SOURCE_DATE_EPOCH=$$(cat packaging/epoch) cpack -G DEB

# The container images of the steps, from this tree's programs and from Debian's packages as they are installed here. ARCH=arm64 cross-builds
# the programs for arm64 as well; an image is then an index of both. PUSH=HOST/BASE sends them to a registry (PUSH_OPTIONS: what
# capsule-push-images takes besides) and writes an overlay that names them by digest.
HERE := $(shell dpkg --print-architecture)
ARCH := $(HERE)
FOREIGN := $(filter-out $(HERE),$(ARCH))
OVERLAY := workflows/overlays/pushed
images: build $(addprefix programs-,$(FOREIGN))
	@bash tests/support/install_packages.sh ca-certificates
	$(PYTHON) -B images/build.py --out build/images --build $(HERE) / $(BIN) $(foreach arch,$(FOREIGN),--build $(arch) build/$(arch)/root build/$(arch)/bin)
ifdef PUSH
	cmake --build --preset release --target capsule-push-images
	build/images/bin/capsule-push-images build/images/oci --registry '$(PUSH)' $(PUSH_OPTIONS) --output json >build/images/pushed.json
	$(PYTHON) -B images/overlay.py $(OVERLAY) <build/images/pushed.json
endif

# Debian's cross compiler, and the libraries of the other architecture unpacked below build/arm64: the packages of this machine stay as they are.
FOREIGN_PACKAGES := $(filter lib% zlib% nettle% nlohmann%,$(BUILD_PACKAGES)) libc6-dev base-files ca-certificates coreutils dash python3
PROGRAMS := programs
programs-arm64:
	@bash tests/support/install_packages.sh crossbuild-essential-arm64
	@bash images/foreign_root.sh arm64 build/arm64/root $(FOREIGN_PACKAGES)
	cmake --preset arm64
	cmake --build --preset arm64 --target $(PROGRAMS)
programs-%:
	@echo "There is no cross build for $*: ARCH is $(HERE), that of this machine, or arm64." >&2; exit 2

# Other people's programs for the tests in tests/interop, as their authors release them: some minutes the first time, seconds with
# Go's cache. Without Go those tests are skipped.
PEERS := oras.land/oras/cmd/oras@v1.3.6 github.com/google/go-containerregistry/cmd/crane@v0.22.1
TOOLS := github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3 $(PEERS)
tools:
	@if command -v go >/dev/null; then for tool in $(TOOLS); do \
	  GOBIN='$(CURDIR)/build/tools' CGO_ENABLED=0 go install -p 2 -trimpath -ldflags '-s -w' "$$tool" \
	    || echo "$$tool is not built: the tests that need it are skipped" >&2; done; \
	else echo 'Go is not there: tests with cosign, oras and crane are skipped' >&2; fi

# A real Kubernetes of one node for the tests in tests/cluster, in a network namespace of its own: its programs, built once from Go's
# modules (some minutes the first time, 2 GiB of memory), the cluster itself, and its end, which leaves nothing.
CLUSTER := build/cluster/state
CLUSTER_PY := $(PYTHON) -B tests/cluster/cluster.py
cluster-programs: test-deps
	@if command -v go >/dev/null; then TIMEFORMAT='Kubernetes and containerd: built in %0lR'; time tests/cluster/build.sh build/cluster/bin || echo 'Kubernetes is not built: tests on a cluster are skipped' >&2; \
	else echo 'Go is not there: tests on a cluster are skipped' >&2; fi

cluster: cluster-programs
	@$(CLUSTER_PY) up $(CLUSTER)

cluster-down:
	@$(CLUSTER_PY) down $(CLUSTER)

# The tests on a cluster alone: on one of our own, or with KUBECONFIG=FILE, in namespaces of their own, on that one. REGISTRY=HOST[/BASE] is
# then a registry that its pods and this machine reach, IMAGES=HOST/BASE where its nodes find our images unless they have them.
e2e: release capsule $(if $(KUBECONFIG),,cluster-programs)
	@code=0; CAPSULE_E2E_KUBECONFIG='$(if $(findstring :,$(KUBECONFIG)),$(KUBECONFIG),$(abspath $(KUBECONFIG)))' CAPSULE_E2E_REGISTRY='$(REGISTRY)' \
	  CAPSULE_E2E_IMAGES='$(IMAGES)' tests/support/on_cluster.sh ctest --preset release -L cluster --output-on-failure --parallel 2 || code=$$?; \
	[ $$code -gt 74 ] || $(PYTHON) -B tests/cluster/summary.py build/Testing/Temporary/LastTest.log; exit $$code

# One stage after the other, so that the minutes of each can be said at the end.
test:
	@bash tests/support/stages.sh builds 'make release sanitized capsule' \
	  'sanitized tests' "ctest --preset debug -L 'unit|steps' --output-on-failure" \
	  tools 'make tools' 'cluster programs' 'make cluster-programs' \
	  'release tests' 'tests/support/on_cluster.sh ctest --preset release --output-on-failure --parallel 3'

# clang-tidy looks at the files of lib, steps and images; it takes about as long as a build.
lint: release
	find lib steps images tests -name '*.[ch]pp' -print0 | xargs -0 clang-format --dry-run -Werror
	run-clang-tidy -p build -quiet -j $(shell nproc) -extra-arg=-Wno-unknown-warning-option '$(CURDIR)/(lib|steps|images)/.*' >build/tidy.log 2>&1 \
	  || { grep -E 'error:' build/tidy.log | sort -u; exit 1; }
	@echo 'lint: clean'

# Ratios against public tools in the same run; no test depends on them.
bench: release
	cmake --preset release -DCAPSULE_BENCH=ON
	cmake --build --preset release
	@for bench in build/tests/bench-*; do [ ! -x "$$bench" ] || "$$bench"; done
	@missed=0; for bench in $(filter-out $(BENCH_REGISTRY) $(BENCH_CLUSTER),$(wildcard tests/bench/bench_*.py)); do \
	  CAPSULE_BIN='$(CURDIR)/build/bin' PYTHONPATH=tests/support $(PYTHON) -B $$bench || missed=1; done; exit $$missed

# Push and pull beside curl, skopeo and, where Go is there to build them, oras and crane; 40 GB of disk and about eight
# minutes on a quiet machine. BENCH_OPTIONS: those of the script.
BENCH_REGISTRY := tests/bench/bench_registry.py
bench-registry: release
	@$(MAKE) --no-print-directory tools TOOLS='$(PEERS)'
	CAPSULE_BIN='$(CURDIR)/build/bin' PYTHONPATH=tests/support $(PYTHON) -B $(BENCH_REGISTRY) $(BENCH_OPTIONS)

# Runs and deploys on a cluster of `make cluster`, which is left as it is; about five minutes on a quiet machine. BENCH_OPTIONS: those
# of the script.
BENCH_CLUSTER := tests/bench/bench_cluster.py
bench-cluster: release cluster
	CAPSULE_BIN='$(CURDIR)/build/bin' PYTHONPATH=tests/support $(PYTHON) -B $(BENCH_CLUSTER) $(BENCH_OPTIONS)

# Every fuzz target for FUZZ_SECONDS each.
FUZZ_SECONDS ?= 60
fuzz: test-deps
	@bash tests/support/install_packages.sh clang libclang-rt-14-dev
	cmake --preset fuzz
	cmake --build --preset fuzz
	tests/fuzz/run.sh build/fuzz $(FUZZ_SECONDS)

clean: $(if $(wildcard $(CLUSTER)),cluster-down)
	rm -rf build $(MADE)
