//! A text that is made to be slow takes no longer than any other.

// Clippy allows unwrap only inside test functions, not in their helpers.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use gristmill_sdk::{Item, Stage, configure};
use gristmill_stage_sanitize::Sanitize;

/// Anything that is not linear takes minutes.
const BOUND: Duration = Duration::from_secs(2);

/// Repeated, each of these begins something at every place that never ends, or ends in what it is not.
const PARTS: &[&str] = &[
    "a",
    "1",
    "-",
    "_",
    " ",
    ".",
    "@",
    "+",
    "(",
    "[",
    "[[A",
    "'",
    "\"",
    ":",
    "/",
    "%",
    "=",
    "\n",
    "é",
    "１",
    "漢",
    "\u{200b}",
    "\u{fe0f}",
    "1 ",
    "1-",
    "12.",
    "1.2.3.4.",
    "a.",
    "a@",
    "a@b.",
    "@a.",
    "%40",
    "a%40b.",
    "=40",
    "&commat;",
    "[at]",
    "(at) ",
    " at ",
    " at b dot ",
    "\"@",
    "\"a\"@",
    "a!#$@",
    "x/@",
    "{}@",
    "0:",
    "::",
    "a:",
    "aa:bb:",
    "00:11:22:33:44:55:",
    "00-11-",
    "0011.2233.",
    "DE89",
    "DE89 ",
    "DE8937040044",
    "IBAN",
    "+49 ",
    "(+49",
    "+1(",
    "00 49 ",
    "Tel. ",
    "Tel ",
    "phone number is ",
    "number ",
    "no.\n",
    "SSN-",
    "078-05-",
    "4111 ",
    "4111\n",
    "4111-1111-",
    "4111111111111111",
    "12 345 678 ",
    "AB 12 34 56 ",
    "RSSMRA85T10A562",
    "-----BEGIN PRIVATE KEY",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\n-----END ",
    "eyJ",
    "eyJ-",
    "eyJaaaaaaaa.",
    "_eyJ",
    "xoxb-",
    "ghp_",
    "sk-",
    "AKIA",
    "key-",
    "password",
    "password=",
    "password='",
    "password=`'\"",
    "password:",
    "--password ",
    "token=a1",
    "Bearer ",
    "://",
    "a://",
    "a://b:c",
    "a://b:c@",
    "[EMAIL",
    "[EMAIL_0123456789abcdef]",
    "5b730c06fe0439461ff0bb156b00547d",
    "5b730c06fe0439461ff0bb156b00547d ",
    "версия ",
    "手机",
    "手机号码",
    "号码",
    "Project ",
    "caseABC1",
    "nr. 1 ",
    "$5",
    "\r",
    "\t1",
    "1\t",
    "a-",
    "a1",
    "A1",
    "1a",
    "x12",
    " x1",
];

fn time(config: &str, text: &str, media_type: &str) -> Duration {
    let stage: Sanitize = configure(config).unwrap();
    let start = Instant::now();
    let _ = stage.process(Item::sample(text, Some(media_type))).unwrap();
    start.elapsed()
}

/// What is slow: tried on a part first, so that a fault takes seconds to show and not hours.
fn slow(config: &str, media_type: &str) -> Vec<String> {
    let mut slow = Vec::new();
    for part in PARTS {
        let text = part.repeat((1 << 18) / part.len());
        let first = &text[..text.floor_char_boundary(1 << 14)];
        // Other work on the machine can delay any one of them.
        let sixteenth = (0..3).map(|_| time(config, first, media_type)).min().unwrap_or_default();
        let whole = if sixteenth < BOUND / 20 { time(config, &text, media_type) } else { Duration::MAX };
        if whole > BOUND {
            slow.push(format!("{part:?}: {sixteenth:?} for a sixteenth, {whole:?}"));
        }
    }
    slow
}

#[test]
fn a_long_text_of_anything_stays_linear() {
    let config = r#"{"artifacts":{"hyphenation":true},"pii":{"default":"hash"},"key":"0123456789abcdef","deny":["Project X"],
        "patterns":[{"name":"own","regex":"(a+)+$|\\d+x"}],"countries":["DE","US","IN"],"allow":["a@b.de"]}"#;
    let slow = [slow("{}", "text/plain"), slow(config, "text/csv")].concat();
    assert!(slow.is_empty(), "{slow:#?}");
}

#[test]
fn a_long_text_of_small_values_stays_linear() {
    for part in [
        r#""a@b.de","#,
        r#"{"a":1},"#,
        r#"{"phone":"2025550147"},"#,
        "4111111111111111,",
        r#"{"a@b.de":1},"#,
        "[1,",
        r#"{"a":"#,
    ] {
        let parts = part.repeat((1 << 18) / part.len());
        for json in [format!("[{parts}0]"), parts.clone()] {
            let took = time("{}", &json, "application/json");
            assert!(took < BOUND, "{part:?} took {took:?}");
        }
    }
    // Names that become equal are numbered.
    let names: Vec<String> = (0..20_000).map(|number| format!("\"a{number}@b.de\":1")).collect();
    let took = time("{}", &format!("{{{}}}", names.join(",")), "application/json");
    assert!(took < BOUND, "equal names took {took:?}");
}
