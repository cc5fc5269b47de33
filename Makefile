# What one runs while working on schemask. `make` alone lists it.

PYTHON ?= python
EXTENSION = python/schemask/_native.abi3.so
FUZZ_SECONDS ?= 1200
WHEELS ?= dist

.PHONY: help build test test-rust lint lint-rust lint-python docs files format bench fuzz wheel ci

help:
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

# As in a wheel: built together with the library for Rust, it would get no link-time optimisation.
build: ## the extension, beside the Python sources
	cargo rustc --release --features python --lib --crate-type cdylib
	cp target/release/libschemask.so $(EXTENSION).new && mv $(EXTENSION).new $(EXTENSION)

test: test-rust ## the tests of Rust and Python
	$(PYTHON) -m pytest -n 2 --dist loadfile

test-rust:
	cargo test --locked --quiet

lint: lint-rust lint-python ## formatters, linters and type checks; changes nothing

lint-rust:
	cargo fmt --check
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy --locked --all-targets --features python -- -D warnings
	cargo clippy --locked --manifest-path fuzz/Cargo.toml --target-dir target \
	    --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --quiet --no-deps --document-private-items --features python

lint-python:
	ruff format --check .
	ruff check .
	mypy
	stubtest schemask._native --mypy-config-file .ci/stubtest.toml

docs: ## the site, in target/site; a dead link is an error
	NO_MKDOCS_2_WARNING=1 COLUMNS=80 $(PYTHON) -m mkdocs build --strict

files: ## docs/files.md: each source file in one line, as it says of itself
	$(PYTHON) tests/file_list.py

format: ## rewrites files as the formatters want them
	cargo fmt
	cargo fmt --manifest-path fuzz/Cargo.toml
	ruff format .
	ruff check --fix .

bench: ## masks and compile times beside other engines
	$(PYTHON) benches/compare.py --schemas 200 --timeout 5

fuzz: ## each fuzz target for FUZZ_SECONDS
	$(PYTHON) fuzz/seed.py
	for target in schema_text pattern gbnf lark instance walk; do \
	    RUSTC_BOOTSTRAP=1 cargo fuzz run -s none $$target -- \
	        -timeout=60 -max_len=1024 -max_total_time=$(FUZZ_SECONDS) || exit 1; \
	done

wheel: ## an abi3 wheel in WHEELS
	$(PYTHON) -m pip wheel --no-deps --wheel-dir $(WHEELS) .

ci: ## all that must pass before a change lands, in a fresh environment
	.ci/run
