# Every command that a person or CI needs. `make run` and `make test` are the two of the README.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

BUILD_PACKAGES := build-essential cmake ninja-build ccache pkg-config libfmt-dev libssl-dev libyaml-cpp-dev libcurl4-openssl-dev \
  libarchive-dev libboost1.81-dev nlohmann-json3-dev libsqlite3-dev zlib1g-dev libdeflate-dev libseccomp-dev libcli11-dev \
  libzstd-dev liblzma-dev libbz2-dev libacl1-dev libxml2-dev nettle-dev python3
TEST_PACKAGES := catch2 python3-yaml libarchive-tools openssl skopeo umoci zstd clang-format clang-tidy strace

.PHONY: build deps test-deps run test release sanitized lint bench fuzz clean capsule

deps:
	@bash tests/support/install_packages.sh $(BUILD_PACKAGES)

test-deps:
	@bash tests/support/install_packages.sh $(BUILD_PACKAGES) $(TEST_PACKAGES)

build: deps
	cmake --preset release -DBUILD_TESTING=OFF
	cmake --build --preset release

release: test-deps
	cmake --preset release -DBUILD_TESTING=ON
	cmake --build --preset release

sanitized: test-deps
	cmake --preset debug
	cmake --build --preset debug

test: release sanitized
	ctest --preset debug -L 'unit|steps'
	ctest --preset release

# Each fuzz target for FUZZ_SECONDS, from the seeds in tests/fuzz/corpus.
FUZZ_SECONDS ?= 60
fuzz: test-deps
	@bash tests/support/install_packages.sh clang-14 libclang-rt-14-dev
	cmake --preset fuzz
	cmake --build --preset fuzz --target fuzz-targets
	tests/fuzz/run.sh build/fuzz $(FUZZ_SECONDS)

clean:
	rm -rf build
