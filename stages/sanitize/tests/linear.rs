//! A text that is made to be slow takes no longer than any other.

// Clippy allows unwrap only inside test functions, not in their helpers.
#![allow(clippy::unwrap_used)]

mod cpu;

use std::time::Duration;

use gristmill_sdk::{Item, Stage, configure};
use gristmill_stage_sanitize::Sanitize;

/// The size of a long text, and of the part of it that is tried first.
const LONG: usize = 1 << 18;
const SHORT: usize = LONG / 16;
/// How many times as long the long text may take: what is linear takes 16 times as long, what is quadratic 256 times.
const MOST_TIMES: u32 = 64;
/// Less than this says nothing about the growth, and is short enough in any case.
const FLOOR: Duration = Duration::from_millis(100);
/// A fault makes many parts slow; so many of them say enough.
const MOST_FAULTS: usize = 2;
/// The most time for a long text, whatever its growth.
const BOUND: Duration = Duration::from_secs(4);

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
    "curl ",
    "curl -u a:",
    "mysql -p\"",
    "sqlplus a/",
    "jdbc:oracle:thin:a/",
    "|",
    "|---",
    "|---|\n",
    "|phone|\n|---|\n",
    "|phone|\n|---|\n|1|\n\n",
    "S.",
    "S.S.N.1",
    "M:",
    "M: 6123456 ",
    "aa_",
    "a0_",
];

fn time(config: &str, text: &str, media_type: &str) -> Duration {
    let stage: Sanitize = configure(config).unwrap();
    let item = Item::sample(text, Some(media_type));
    cpu::time(|| stage.process(item).unwrap())
}

/// What is wrong with the time of a text, made for a size in bytes. The short one is tried first, so that a fault takes
/// seconds to show and not hours.
fn fault(config: &str, media_type: &str, text: impl Fn(usize) -> String) -> Option<String> {
    // The caches that other work shares can delay any one of them.
    let best = |size: usize| (0..3).map(|_| time(config, &text(size), media_type)).min().unwrap_or_default();
    let short = best(SHORT);
    if short > BOUND / 4 {
        return Some(format!("{short:?} for {SHORT} bytes"));
    }
    let is_slow = |long: Duration| long > BOUND || (long > FLOOR && long > MOST_TIMES * short);
    let long = time(config, &text(LONG), media_type);
    let long = if is_slow(long) && long < BOUND { best(LONG) } else { long };
    is_slow(long).then(|| format!("{short:?} for {SHORT} bytes, {long:?} for {LONG}"))
}

/// The parts that take too long when they are repeated.
fn slow(config: &str, media_type: &str) -> Vec<String> {
    let fault = |part: &&str| fault(config, media_type, |size| part.repeat(size / part.len()));
    PARTS.iter().filter_map(|part| fault(part).map(|fault| format!("{part:?}: {fault}"))).take(MOST_FAULTS).collect()
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
        let parts = |size: usize| part.repeat(size / part.len());
        let array = fault("{}", "application/json", |size| format!("[{}0]", parts(size)));
        assert_eq!(array, None, "an array of {part:?}");
        assert_eq!(fault("{}", "application/json", parts), None, "{part:?}");
    }
}

#[test]
fn names_that_become_equal_are_numbered_in_linear_time() {
    let names = |size: usize| {
        let names: Vec<String> = (0..size / 13).map(|number| format!("\"a{number}@b.de\":1")).collect();
        format!("{{{}}}", names.join(","))
    };
    assert_eq!(fault("{}", "application/json", names), None);
}
