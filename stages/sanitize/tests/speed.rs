//! How long texts take, printed: `cargo test --release -p gristmill-stage-sanitize --test speed -- --ignored --nocapture`.

// Clippy allows unwrap only inside test functions, not in their helpers.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::{Duration, Instant};

use gristmill_sdk::{Item, Stage, configure};
use gristmill_stage_sanitize::Sanitize;

const PROSE: &str = "The agreement, which began as planned on 3 March 2026, was extended by the parties (see section 4.2) until the end \
    of the year; all further conditions remain in force. Die Vertragsparteien erklären, dass keine weiteren Absprachen bestehen. ";
const MAIL: &str = "From: Mia Lund <mia.lund@example.com>\nTo: support@example.org\nHello, my order 4711-0815 did not arrive. Call me \
    at +49 30 901820 or 0170 1234567. IBAN DE89 3704 0044 0532 0130 00, card 4111 1111 1111 1111, from 192.168.7.9.\n\n";
const LOG: &str = "2026-11-27T10:30:00.123Z INFO [worker-7] request id=550e8400-e29b-41d4-a716-446655440000 path=/v1/orders/1234567 \
    status=200 ms=12.5 bytes=10412 peer=10.1.2.3:51234 trace=4bf92f3577b34da6a3ce929d0e0e4736\n";
const JSON: &str = r#"{"id":"550e8400-e29b-41d4-a716-446655440000","created_at":"2026-11-27T10:30:00Z","customer":{"name":"Mia Lund","email":"mia@example.com","phone":"2025550147","address":{"street":"Example 5","zip":"10115"}},"items":[{"sku":"4711-0815","qty":2,"price":10.5}],"total":21.0},"#;

/// What makes every place of a line a candidate.
const HOSTILE: [(&str, &str); 9] = [
    ("digits", "7"),
    ("@", "@"),
    ("a.", "a."),
    ("a1:", "a1:"),
    ("{\"a\":", "{\"a\":"),
    ("dashes", "-"),
    ("base64", "TWFuIGlzIGRpc3Rpbmd1aXNoZWQsIG5vdCBvbmx5IGJ5IGhpcyByZWFzb24/"),
    ("Bearer", "Bearer a1b2C3d4 "),
    ("words", "password token mobile "),
];

fn median(text: &str, media_type: &str, rounds: usize) -> Duration {
    let stage: Sanitize = configure("{}").unwrap();
    let mut all: Vec<Duration> = (0..rounds)
        .map(|_| {
            let item = Item::sample(text, Some(media_type));
            let start = Instant::now();
            let _ = stage.process(item).unwrap();
            start.elapsed()
        })
        .collect();
    all.sort();
    all[rounds / 2]
}

fn of_size(part: &str, size: usize) -> String {
    part.repeat(size / part.len() + 1)
}

#[test]
#[ignore = "prints figures, holds nothing"]
fn four_kilobytes_of_each_kind() {
    for (name, part) in [("prose", PROSE), ("mail", MAIL), ("log", LOG)] {
        let text = of_size(part, 4096);
        println!("{name}: {:?} for {} bytes", median(&text, "text/plain", 4001), text.len());
    }
    let json = format!("[{}0]", of_size(JSON, 4096));
    println!("json: {:?} for {} bytes", median(&json, "application/json", 4001), json.len());
}

#[test]
#[ignore = "prints figures, holds nothing"]
fn a_megabyte_of_each_hostile_part() {
    for (name, part) in HOSTILE {
        let quarter = median(&of_size(part, 1 << 18), "text/plain", 11);
        let whole = median(&of_size(part, 1 << 20), "text/plain", 11);
        println!("{name}: {whole:?} for 1 MB, {:.1} times 256 KB", whole.as_secs_f64() / quarter.as_secs_f64());
    }
    for name in ["{\"a\":1},", "{\"phone\":\"2025550147\"},"] {
        let json = |size| format!("[{}0]", of_size(name, size));
        let quarter = median(&json(1 << 18), "application/json", 11);
        let whole = median(&json(1 << 20), "application/json", 11);
        println!("{name}: {whole:?} for 1 MB of JSON, {:.1} times 256 KB", whole.as_secs_f64() / quarter.as_secs_f64());
    }
}
