# Short names for common tasks. `cargo demo` and `cargo verify` work without just.

# List the recipes
default:
    @just --list --unsorted

# Build everything and run the demo
demo *args:
    cargo demo {{args}}

# Run everything that a change must pass; `just verify quick` needs no broker
verify *args:
    cargo verify {{args}}

# Build the stages and the test guests
stages:
    cargo stages

# Run the host's tests with their own Apache Kafka; args as for `cargo test`
test *args:
    cargo xtask test {{args}}

# Run the reliability tests in full size, with figures for docs/reliability.md; args as for the test binary
soak *args:
    cargo xtask soak {{args}}

# Run the tests with a genuine small model, which is installed into target/real-model the first time; args as for the test binary
real-model *args:
    cargo xtask real-model {{args}}

# Check formatting and run clippy, as `cargo verify` does
lint: stages
    cargo fmt --all -- --check
    cargo clippy --all-targets -- -D warnings
    cargo clippy --all-targets --package 'gristmill-stage-*' --package 'gristmill-guest-*' --package gristmill-sdk --package xtask -- -D warnings

# Format all code
fmt:
    cargo fmt --all

# Check licences, bans, sources and today's advisories, which it fetches
deny:
    cargo deny check

# Build the container image; needs Docker
image tag="gristmill":
    docker build --file deploy/Dockerfile --tag {{tag}} .

# Run the demo with Redpanda, Prometheus and Grafana; needs Docker Compose
compose *args:
    docker compose --file deploy/docker-compose.yml up --build {{args}}

# Run the benchmarks on Apache Kafka
bench *args:
    cargo xtask bench {{args}}

# Run an Apache Kafka in the foreground, until Ctrl-C
kafka:
    cargo xtask kafka

# Build what is shipped, in target/package
package:
    cargo xtask package

# Run the pipeline of one folder in examples/; its README says what it needs
example name *args:
    cargo xtask host run examples/{{name}}/pipeline.toml {{args}}

# Run Presidio's pattern recognisers on the corpus of `sanitize`, for comparison; installs them into target/presidio
compare-pii *args:
    test -d target/presidio || python3 -m venv target/presidio
    target/presidio/bin/pip install --quiet presidio-analyzer
    target/presidio/bin/python stages/sanitize/corpus/compare.py {{args}}

# Compare the words of PDFs with those of `pdftotext`, on PDFs of Debian packages; downloads what is missing into target/compare-pdf
compare-pdf *args:
    cargo build --quiet --package gristmill-stage-extract --example text
    python3 stages/extract/compare/pdf.py {{args}}
