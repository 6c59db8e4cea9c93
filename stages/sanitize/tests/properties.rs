//! Properties that hold for every text.

// Clippy allows unwrap only inside test functions, not in their helpers.
#![allow(clippy::unwrap_used)]

use gristmill_sdk::{Item, Outcome, Stage, configure};
use gristmill_stage_sanitize::Sanitize;
use proptest::prelude::*;

fn sanitize(config: &str, payload: &str, media_type: &str) -> Option<String> {
    let stage: Sanitize = configure(config).unwrap();
    match stage.process(Item::sample(payload, Some(media_type))).unwrap() {
        Outcome::Emit(outputs) => Some(String::from_utf8(outputs[0].payload.clone()).unwrap()),
        _ => None,
    }
}

fn masked(text: &str) -> String {
    sanitize(r#"{"artifacts":{"hyphenation":true}}"#, text, "text/plain").unwrap()
}

/// Values that must never appear in the output.
const SECRETS: [&str; 16] = [
    "joe@example.com",
    "a.b+c@mail.example.org",
    "müller@bücher.example",
    "DE89370400440532013000",
    "GB29 NWBK 6016 1331 9268 19",
    "NO93 8601 1117 947",
    "4111111111111111",
    "5555 5555 5555 4444",
    "3782-822463-10005",
    "+49 30 901820",
    "(415) 555-0132",
    "192.168.7.9",
    "2001:db8::8a2e:370:7334",
    "00:1a:2b:3c:4d:5e",
    "078-05-1123",
    "https://joe:s3cret@example.com/x",
];

/// Pieces that could be attached to a match or split from it.
const PIECES: [&str; 46] = [
    " ",
    " ",
    "  ",
    "\n",
    "\r\n",
    "-",
    "- ",
    "-\n",
    ".",
    ". ",
    ",",
    ":",
    ": ",
    "/",
    "(",
    ")",
    "[",
    "]",
    "@",
    "%40",
    "+",
    "_",
    "x",
    "1",
    "00",
    "07",
    "12/27",
    "Tel. ",
    "SSN ",
    "version ",
    "number ",
    "https://",
    "://",
    "\u{200b}",
    "\u{200d}",
    "\u{ad}",
    "\u{feff}",
    "\u{202e}",
    "\u{fb01}",
    "\u{fb01} ",
    "é",
    "号",
    "🏴",
    "\u{e0067}",
    "\x1b[0m",
    "IBAN",
];

/// Texts that combine everything that matters to the scanners.
fn dense_text() -> impl Strategy<Value = String> {
    let secret = prop::sample::select(&SECRETS[..]).prop_map(str::to_owned);
    let piece = prop::sample::select(&PIECES[..]).prop_map(str::to_owned);
    let noise = "[0-9a-f:.+@( )-]{1,12}";
    let word = "[a-zA-Z]{1,6}";
    let part = prop_oneof![3 => secret, 6 => piece, 2 => noise, 1 => word];
    prop::collection::vec(part, 0..16).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn masking_twice_changes_nothing_more(text in dense_text(), default in prop::sample::select(&["mask", "partial", "token", "hash"][..])) {
        // A bare hash can begin like the rest of a word that a line breaks.
        let hyphenation = default != "hash";
        let config = format!(r#"{{"artifacts":{{"hyphenation":{hyphenation}}},"pii":{{"default":"{default}"}},"key":"0123456789abcdef"}}"#);
        let once = sanitize(&config, &text, "text/plain").unwrap();
        prop_assert_eq!(sanitize(&config, &once, "text/plain").unwrap(), once);
    }

    #[test]
    fn no_text_causes_a_panic(text in "\\PC{0,80}", dense in dense_text(), any in any::<String>()) {
        for text in [text, dense, any] {
            masked(&text);
            sanitize("{}", &text, "application/json");
        }
    }

    #[test]
    fn a_secret_between_words_never_appears_in_the_output(
        secret in prop::sample::select(&SECRETS[..15]),
        // Only letters that cannot form a word that announces a version.
        before in "([k-u]{1,8} ){0,4}",
        after in "( [a-z]{1,8}){0,4}",
        config in prop::sample::select(&[
            "{}",
            r#"{"pii":{"default":"token"}}"#,
            r#"{"pii":{"default":"hash"},"key":"0123456789abcdef"}"#,
        ][..]),
    ) {
        let text = format!("{before}{secret}{after}");
        let clean = sanitize(config, &text, "text/plain").unwrap();
        prop_assert!(!clean.contains(secret), "{}", clean);
        prop_assert!(clean.starts_with(&before) && clean.ends_with(&after), "{}", clean);
        let json = serde_json::json!({ "id": 1, "text": [text] }).to_string();
        let clean = sanitize(config, &json, "application/json").unwrap();
        prop_assert!(!clean.contains(secret), "{}", clean);
    }

    #[test]
    fn json_stays_json_of_the_same_shape(texts in prop::collection::vec(dense_text(), 0..5)) {
        let json = serde_json::json!({ "texts": texts, "joe": 1.5, "none": null }).to_string();
        let clean: serde_json::Value =
            serde_json::from_str(&sanitize("{}", &json, "application/json").unwrap()).unwrap();
        prop_assert_eq!(clean["texts"].as_array().unwrap().len(), texts.len());
        prop_assert_eq!(&clean["joe"], &serde_json::json!(1.5));
        for (index, text) in texts.iter().enumerate() {
            let alone = sanitize("{}", text, "text/plain").unwrap();
            prop_assert_eq!(clean["texts"][index].as_str().unwrap(), alone);
        }
    }
}
