#!/usr/bin/env bash
# From nothing to a stage of your own under traffic, with a clock. Needs gristmill in PATH, Rust, and the WebAssembly target:
#
#   examples/first-stage.sh
#
# Works in a folder that it makes and removes. Exit code 1 if something fails, or if it takes five minutes.
set -euo pipefail

limit=300
unset GRISTMILL_BROKERS
export GRISTMILL_ADMIN=off
folder=$(mktemp -d)
begun=$(date +%s)

cleanup() {
    [ -z "${host:-}" ] || kill "$host" 2>/dev/null || true
    rm -rf "$folder"
}
trap cleanup EXIT

step() {
    printf '%4d s  %s\n' "$(($(date +%s) - begun))" "$1"
}

# Waits for up to a minute until a command succeeds.
until_it() {
    for _ in $(seq 300); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.2
    done
    echo "not within a minute: $*" >&2
    cat "$folder/log" >&2
    exit 1
}

shows() {
    gristmill tail summaries --until-end | grep -q "$1"
}

cd "$folder"
step "a project from nothing"
gristmill new hello >/dev/null
cd hello

step "its stage is built, with all that it needs"
gristmill stage build stages/hello >"$folder/built" 2>"$folder/log" || { cat "$folder/log" >&2; exit 1; }
cat "$folder/built"

step "its cases"
gristmill stage test stages/hello 2>/dev/null

step "the pipeline runs"
gristmill run pipeline.toml >/dev/null 2>"$folder/log" &
host=$!
until_it grep -q 'brokers=' "$folder/log"
GRISTMILL_BROKERS=$(sed -n 's/.*brokers="\{0,1\}\([0-9.:]*\).*/\1/p' "$folder/log" | head -n 1)
export GRISTMILL_BROKERS

step "the first event"
gristmill send texts samples/mill.txt >/dev/null
until_it shows 'The mill at the river turned all night.'
step "its answer is there: your stage is live"

# A new version while events come in: none may be lost, or done twice.
events=200
for _ in $(seq "$events"); do cat samples/mill.txt; echo; done | tr -s '\n' | paste -d ' ' - - >"$folder/events"
gristmill send texts "$folder/events" --lines --content-type text/plain >/dev/null &
perl -pi -e 's/words\.join\(" "\)/words.join(" ").to_uppercase()/' stages/hello/src/lib.rs
gristmill stage test stages/hello --update >/dev/null 2>&1
wait $!
again() {
    gristmill send texts samples/mill.txt >/dev/null
    shows 'THE MILL AT THE RIVER TURNED ALL NIGHT.'
}
until_it again
step "changed, built and swapped in under traffic"

verified() {
    gristmill verify-output pipeline.toml --min-rate 1
}
until_it verified
took=$(($(date +%s) - begun))
step "every event has its output, once"
if [ "$took" -ge "$limit" ]; then
    echo "too slow: $took s, and a stranger has $limit s" >&2
    exit 1
fi
