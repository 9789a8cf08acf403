# make up        everything on this machine, with a demo; again: only what changed
# make down      stop it; its data is gone then
# make test      every check and test; starts the stack if none runs
# make test-iam  takes every permission from the functions' roles in turn: a test must notice
# make sizes    each function's zip and start-up in the release build, against infra/sizes.toml
# make openapi  writes infra/openapi.json anew from the route table

.PHONY: up down test test-iam sizes openapi tool

BELFRY := $(or $(CARGO_TARGET_DIR),target)/debug/belfry
PATH := $(CURDIR)/.local/tools/bin:$(PATH)
export PATH
# The jitter entropy source is for FIPS only.
export AWS_LC_SYS_NO_JITTER_ENTROPY := 1

up: tool
	@$(BELFRY) up

down: tool
	@$(BELFRY) down

test: tool
	@$(BELFRY) tools
	cargo fmt --check
	cfn-lint template.yaml
	@.local/tools/bin/python tests/ocsf_validate.py < shared/domain/tests/siem/golden.ndjson
	cargo clippy --locked --workspace --all-targets -- --deny warnings
	cargo test --locked --workspace --doc --quiet
	@$(BELFRY) up
	cargo nextest run --locked --workspace
	@.local/tools/bin/python infra/local/check_logs.py

test-iam: tool
	@$(BELFRY) up
	@.local/tools/bin/python infra/local/test_iam.py

sizes: tool
	@$(BELFRY) tools
	@.local/tools/bin/python infra/measure.py

openapi:
	UPDATE=1 cargo nextest run --locked --workspace --filterset 'package(belfry-testkit) & binary(openapi)'

# Built first and for all to see. Without cargo and cc not even the tool that checks the rest can be.
tool:
	@command -v cargo >/dev/null || { echo "Rust is missing: install it from https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "A C compiler is missing. Debian: apt-get install gcc libc6-dev" >&2; exit 1; }
	@cargo build --locked --workspace --bin belfry
