//! How long texts take, printed: `cargo test -p gristmill-stage-sanitize --test speed -- --ignored --nocapture`.

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

fn time(text: &str, media_type: &str) -> Duration {
    let stage: Sanitize = configure("{}").unwrap();
    let rounds = 40 + 40_000_000 / (text.len() + 1000) / 10;
    let mut best = Duration::MAX;
    for _ in 0..rounds {
        let item = Item::sample(text, Some(media_type));
        let start = Instant::now();
        let _ = stage.process(item).unwrap();
        best = best.min(start.elapsed());
    }
    best
}

#[test]
#[ignore = "prints figures, holds nothing"]
fn four_kilobytes_of_each_kind() {
    for (name, part) in [("prose", PROSE), ("mail", MAIL), ("log", LOG)] {
        let text = part.repeat(4096 / part.len() + 1);
        println!("{name}: {:?} for {} bytes", time(&text, "text/plain"), text.len());
    }
    let json = format!("[{}0]", JSON.repeat(4096 / JSON.len() + 1));
    println!("json: {:?} for {} bytes", time(&json, "application/json"), json.len());
}
