# Short names for what one does here. `cargo demo` and `cargo verify` do without just.

# List the recipes
default:
    @just --list --unsorted

# Build everything and run the demo
demo *args:
    cargo demo {{args}}

# Everything that a change must pass; `just verify quick` does without a broker
verify *args:
    cargo verify {{args}}

# Build the stages and the test guests
stages:
    cargo stages

# The host's tests with an Apache Kafka of their own; args as for `cargo test`
test *args:
    cargo xtask test {{args}}

# The tests of reliability in full size, with figures for docs/reliability.md; args as for the test program
soak *args:
    cargo xtask soak {{args}}

# Format and clippy, as `cargo verify` has them
lint: stages
    cargo fmt --all -- --check
    cargo clippy --all-targets --package gristmill -- -D warnings
    cargo clippy --all-targets --workspace --exclude gristmill -- -D warnings

# Format all code
fmt:
    cargo fmt --all

# Licences, bans, sources and the advisories of today
deny:
    cargo deny check

# The figures, measured on Apache Kafka
bench *args:
    cargo xtask bench {{args}}

# One Apache Kafka in the foreground, until ctrl-c
kafka:
    cargo xtask kafka

# Run the pipeline of one folder of examples/; its README says what it needs
example name *args:
    cargo xtask host run examples/{{name}}/pipeline.toml {{args}}
