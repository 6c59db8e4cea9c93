//! `unsafe` needs a reason.

use super::tokens::tokens;

/// The files that may contain `unsafe`, each with its reason.
const UNSAFE: &[(&str, &str)] = &[
    ("host/src/allocator.rs", "the allocator's options have no safe function"),
    ("host/crates/kafka/src/message.rs", "the safe headers of rdkafka panic on a name that is not UTF-8"),
    ("host/crates/kafka/src/commit.rs", "the safe asynchronous commit of rdkafka does not report its result"),
    ("host/crates/kafka/src/fence.rs", "the safe group metadata of rdkafka does not show its generation"),
    ("host/crates/kafka/src/join_tests.rs", "rdkafka has no safe call that makes a client fail"),
    ("host/crates/kafka/src/leave.rs", "rdkafka does not show whether the group has given the member an id"),
    (
        "host/crates/kafka/src/embedded.rs",
        "rdkafka has no safe call that saves the embedded broker's first member a wait of 3 s",
    ),
    ("host/crates/kafka/tests/broker/source.rs", "rdkafka cannot otherwise send a header name that is not UTF-8"),
    ("host/tests/reliability/poison.rs", "rdkafka cannot otherwise send a header name that is not UTF-8"),
    (
        "host/crates/wasm/src/cache.rs",
        "wasmtime cannot check compiled code; only the host writes the folder it is read from",
    ),
    ("stages/validate/src/seeds.rs", "getrandom has no safe way to replace its source"),
    ("host/tests/guests/misbehave/src/lib.rs", "the standard library has no stable function for random numbers"),
];

pub(super) fn check(name: &str, text: &str) -> Vec<String> {
    if UNSAFE.iter().any(|(allowed, _)| *allowed == name) || !tokens(text).contains(&"unsafe") {
        return Vec::new();
    }
    vec![format!("{name} uses `unsafe`; remove it, or add the file and its reason to xtask/src/rules/unsafe_code.rs")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_code_needs_a_reason() {
        assert_eq!(check("a.rs", "unsafe { f() }").len(), 1);
        assert!(check("a.rs", "#![expect(unsafe_code)] // unsafe").is_empty());
        assert!(check("host/crates/wasm/src/cache.rs", "unsafe { f() }").is_empty());
    }
}
