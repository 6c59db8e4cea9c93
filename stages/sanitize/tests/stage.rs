//! The stage as the host sees it: events in, outcomes out.

// Clippy allows unwrap only inside test functions, not in their helpers.
#![allow(clippy::unwrap_used)]

use gristmill_sdk::{Attribute, Header, Item, Outcome, Output, Stage, configure};
use gristmill_stage_sanitize::Sanitize;
use serde_json::json;

fn process(config: &str, payload: impl Into<Vec<u8>>, media_type: Option<&str>) -> Outcome {
    let stage: Sanitize = configure(config).unwrap();
    stage.process(Item::sample(payload, media_type)).unwrap()
}

fn output(config: &str, payload: &str, media_type: Option<&str>) -> Output {
    match process(config, payload, media_type) {
        Outcome::Emit(mut outputs) if outputs.len() == 1 => outputs.remove(0),
        other => panic!("expected one output, got {other:?}"),
    }
}

fn text(config: &str, payload: &str, media_type: &str) -> String {
    String::from_utf8(output(config, payload, Some(media_type)).payload).unwrap()
}

fn code(outcome: Outcome) -> String {
    match outcome {
        Outcome::Reject(failure) => failure.code,
        other => panic!("expected a rejection, got {other:?}"),
    }
}

const MAIL: &str = "From joe@example.com (joe@example.com), +49 30 901820, IBAN DE89 3704 0044 0532 0130 00.";

#[test]
fn everything_is_masked_by_default() {
    assert_eq!(text("{}", MAIL, "text/plain"), "From [EMAIL] ([EMAIL]), [PHONE], IBAN [IBAN].");
}

#[test]
fn each_kind_has_its_label() {
    let all = "a@b.de, +49 30 901820, DE89370400440532013000, 4111 1111 1111 1111, 10.1.2.3, 00:1a:2b:3c:4d:5e, \
               078-05-1123, ftp://a:b@c";
    let masked = "[EMAIL], [PHONE], [IBAN], [CARD], [IP], [MAC], [SSN], ftp://[URL_CREDENTIALS]@c";
    assert_eq!(text("{}", all, "text/plain"), masked);
    let named = r#"{"pii":{"default":"keep","email":"mask","phone":"mask","iban":"mask","card":"mask","ip":"mask",
                    "mac":"mask","ssn":"mask","url_credentials":"mask"}}"#;
    assert_eq!(text(named, all, "text/plain"), masked);
    assert_eq!(text(r#"{"pii":{"default":"keep"}}"#, all, "text/plain"), all);
}

#[test]
fn a_kept_card_is_not_taken_for_something_else() {
    let config = r#"{"pii":{"card":"keep"}}"#;
    assert_eq!(text(config, "Tel 4111 1111 1111 1111", "text/plain"), "Tel 4111 1111 1111 1111");
}

#[test]
fn counts_are_attributes_and_kept_kinds_do_not_count() {
    let output = output(r#"{"pii":{"phone":"keep"}}"#, &format!("\u{200b}{MAIL}"), Some("text/plain"));
    let attributes: Vec<(&str, &str)> =
        output.attributes.iter().map(|Attribute { name, value }| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        attributes,
        [
            ("sanitize.email", "2"),
            ("sanitize.iban", "1"),
            ("sanitize.artifacts.zero-width", "1"),
            ("sanitize.total", "3"),
        ]
    );
}

#[test]
fn a_clean_payload_passes_with_a_total_of_zero() {
    let output = output("{}", "nothing here", Some("text/plain"));
    assert_eq!(output.payload, b"nothing here");
    assert_eq!(output.attributes, [Attribute { name: "sanitize.total".into(), value: "0".into() }]);
}

#[test]
fn headers_and_media_type_are_unchanged() {
    let mut item = Item::sample("a@b.de", Some("text/markdown; charset=utf-8"));
    item.headers = vec![Header { name: "reply-to".into(), value: Some(b"a@b.de".to_vec()) }];
    let stage: Sanitize = configure("{}").unwrap();
    let Outcome::Emit(outputs) = stage.process(item.clone()).unwrap() else { panic!("no output") };
    assert_eq!(outputs[0].headers, item.headers);
    assert_eq!(outputs[0].content_type, item.content_type);
    assert_eq!(outputs[0].key, None);
}

#[test]
fn equal_values_get_equal_tokens() {
    let masked = text(r#"{"pii":{"default":"token"}}"#, MAIL, "text/plain");
    let first = masked.find("[EMAIL_").unwrap();
    let token = &masked[first..first + "[EMAIL_0123456789abcdef]".len()];
    assert_eq!(masked.matches(token).count(), 2, "{masked}");
    let keyed = text(r#"{"pii":{"default":"token"},"key":"0123456789abcdef"}"#, MAIL, "text/plain");
    assert!(!keyed.contains(token), "{keyed}");
}

#[test]
fn a_hash_has_no_label_and_is_keyed() {
    let config = r#"{"pii":{"email":"hash"},"key":"0123456789abcdef"}"#;
    assert_eq!(text(config, "a@b.de", "text/plain"), "5b730c06fe0439461ff0bb15b99f7ca2");
}

#[test]
fn a_hash_without_a_key_is_a_fault() {
    let faults = configure::<Sanitize>(r#"{"pii":{"iban":"hash"}}"#).err().unwrap();
    assert_eq!(faults[0].pointer, "/pii");
    assert!(faults[0].message.contains("iban") && faults[0].message.contains("key"), "{}", faults[0].message);
    assert!(configure::<Sanitize>(r#"{"pii":{"default":"hash","iban":"keep"}}"#).is_err());
}

#[test]
fn all_faults_are_reported_and_none_shows_the_key() {
    let faults = configure::<Sanitize>(r#"{"key":"sesame","fields":["/a","b","/~"]}"#).err().unwrap();
    let pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
    assert_eq!(pointers, ["/key", "/fields/1", "/fields/2"]);
    assert!(faults.iter().all(|fault| !fault.message.contains("sesame")));
}

#[test]
fn unknown_settings_are_rejected() {
    for config in
        [r#"{"pi":{}}"#, r#"{"pii":{"name":"mask"}}"#, r#"{"artifacts":{"all":true}}"#, r#"{"pii":{"ip":"drop"}}"#]
    {
        assert!(configure::<Sanitize>(config).is_err(), "{config}");
    }
}

#[test]
fn artifacts_can_be_disabled_together_or_individually() {
    let dirty = "a\u{ad}b \u{202e}c exam-\nple";
    assert_eq!(text("{}", dirty, "text/plain"), "ab c exam-\nple");
    assert_eq!(text(r#"{"artifacts":true}"#, dirty, "text/plain"), "ab c exam-\nple");
    assert_eq!(text(r#"{"artifacts":false}"#, dirty, "text/plain"), dirty);
    let some = r#"{"artifacts":{"bidi":false,"hyphenation":true}}"#;
    assert_eq!(text(some, dirty, "text/plain"), "ab \u{202e}c example");
}

#[test]
fn running_lines_are_removed_from_pages() {
    let pages = "ACME\none\n- 1 -\n\x0cACME\ntwo\n- 2 -\n\x0cACME\nthree\n- 3 -\n\x0c";
    let output = output("{}", pages, Some("text/plain"));
    assert_eq!(output.payload, b"one\n\x0ctwo\n\x0cthree\n\x0c");
    assert!(output.attributes.iter().any(|a| a.name == "sanitize.artifacts.running-lines" && a.value == "6"));
}

#[test]
fn data_hidden_by_invisible_characters_is_found() {
    assert_eq!(text("{}", "joe\u{200b}@exam\u{ad}ple.com", "text/plain"), "[EMAIL]");
}

#[test]
fn json_is_sanitised_in_all_values_or_in_the_configured_fields() {
    let json =
        r#"{"to": "a@b.de", "n": 4111111111111111, "m": [{"text": "\u0061@b.de", "id": "c@d.de"}], "e@f.de": null}"#;
    assert_eq!(
        text("{}", json, "application/json"),
        r#"{"to": "[EMAIL]", "n": "[CARD]", "m": [{"text": "[EMAIL]", "id": "[EMAIL]"}], "[EMAIL]": null}"#
    );
    assert_eq!(
        text(r#"{"fields":["/m/*/text","/n","/absent"]}"#, json, "application/cloudevents+json; charset=utf-8"),
        r#"{"to": "a@b.de", "n": "[CARD]", "m": [{"text": "[EMAIL]", "id": "c@d.de"}], "e@f.de": null}"#
    );
}

#[test]
fn a_payload_without_a_media_type_is_json_if_it_parses_as_json() {
    let payload = |payload: &str| String::from_utf8(output("{}", payload, None).payload).unwrap();
    assert_eq!(payload(r#"{"a@b.de":"\na@b.de"}"#), r#"{"[EMAIL]":"\n[EMAIL]"}"#);
    assert_eq!(payload("{a@b.de}"), "{[EMAIL]}");
}

#[test]
fn bad_payloads_are_rejected_with_a_code_and_without_their_content() {
    assert_eq!(code(process("{}", [b'a', 0xff], Some("text/plain"))), "not-utf8");
    assert_eq!(code(process("{}", [0xff], Some("application/json"))), "not-utf8");
    assert_eq!(code(process("{}", "{\"a@b.de\"", Some("application/json"))), "invalid-json");
    assert_eq!(code(process("{}", [0xff, 0xd8], Some("application/pdf"))), "unsupported-media-type");
    let Outcome::Reject(failure) = process("{}", "{\"a@b.de\" 7", Some("application/json")) else { panic!("accepted") };
    assert!(!failure.message.contains("a@b.de"), "{}", failure.message);
}

#[test]
fn the_description_carries_a_schema_that_names_every_setting() {
    let descriptor = Sanitize::describe();
    let schema: serde_json::Value = serde_json::from_str(&descriptor.config_schema_json.unwrap()).unwrap();
    let mut names: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    // Whether serde_json keeps the order depends on the features that other crates in the build enable.
    names.sort();
    let all = [
        "allow",
        "always",
        "artifacts",
        "countries",
        "deny",
        "fields",
        "key",
        "mode",
        "names",
        "patterns",
        "pii",
        "recognise",
        "record",
    ];
    assert_eq!(names, all);
}

const KEYED: &str = "0123456789abcdef";

#[test]
fn the_name_of_a_member_says_what_its_value_is() {
    let json = r#"{"mobile": "6123456789", "phone_number": 2025550143, "ssn": "219099998", "id": "6123456789", "pan": [4111111111111111],
        "contact": {"phone": {"number": "07700900123"}}, "password": "hunter2", "n": 2025550143}"#;
    assert_eq!(
        text("{}", json, "application/json"),
        r#"{"mobile": "[PHONE]", "phone_number": "[PHONE]", "ssn": "[SSN]", "id": "6123456789", "pan": ["[CARD]"],
        "contact": {"phone": {"number": "[PHONE]"}}, "password": "[SECRET]", "n": 2025550143}"#
    );
}

#[test]
fn names_of_members_are_cleaned_unless_that_is_off() {
    let json = r#"{"a@b.de": 1, "c@d.de": 2}"#;
    assert_eq!(text("{}", json, "application/json"), r#"{"[EMAIL]": 1, "[EMAIL]_2": 2}"#);
    assert_eq!(text(r#"{"names":false}"#, json, "application/json"), json);
}

#[test]
fn a_byte_order_mark_before_json_is_no_fault() {
    let json = "\u{feff}{\"e\": \"mia@example.com\"}";
    for media_type in [Some("application/json"), None] {
        assert_eq!(output("{}", json, media_type).payload, b"{\"e\": \"[EMAIL]\"}");
    }
    let kept = output(r#"{"artifacts":false}"#, json, Some("application/json")).payload;
    assert_eq!(kept, "\u{feff}{\"e\": \"[EMAIL]\"}".as_bytes());
}

#[test]
fn the_header_of_a_table_names_its_columns() {
    assert_eq!(text("{}", "name,phone\nMia,2025550143\n", "text/csv"), "name,phone\nMia,[PHONE]\n");
    assert_eq!(
        text("{}", "id;e-mail\r\n\"1\";\"a@b.de\"\r\n", "text/csv; charset=utf-8"),
        "id;e-mail\r\n\"1\";[EMAIL]\r\n"
    );
    let always = r#"{"always":["/name"]}"#;
    assert_eq!(text(always, "name\tn\nMia\t1\n", "text/tab-separated-values"), "name\tn\n[FIELD]\t1\n");
}

#[test]
fn each_line_of_json_lines_is_json() {
    let lines = "{\"phone\":\"2025550143\"}\n\n{\"n\":1}\r\n[\"a@b.de\"]";
    let clean = "{\"phone\":\"[PHONE]\"}\n\n{\"n\":1}\r\n[\"[EMAIL]\"]";
    for media_type in ["application/x-ndjson", "application/jsonl", "application/json-lines"] {
        assert_eq!(text("{}", lines, media_type), clean);
    }
    let Outcome::Reject(failure) = process("{}", "{}\n{", Some("application/jsonl")) else { panic!("accepted") };
    assert!(failure.code == "invalid-json" && failure.message.contains("line 2"), "{}", failure.message);
}

#[test]
fn fields_can_be_replaced_whatever_they_hold() {
    let json = r#"{"customer":{"name":"Mia","age":7,"vip":true,"none":null,"tags":["x"]},"name":"Mia"}"#;
    assert_eq!(
        text(r#"{"always":["/customer"]}"#, json, "application/json"),
        r#"{"customer":{"name":"[FIELD]","age":"[FIELD]","vip":"[FIELD]","none":null,"tags":["[FIELD]"]},"name":"Mia"}"#
    );
    let config = format!(r#"{{"always":["/customer/name"],"pii":{{"field":"hash"}},"key":"{KEYED}"}}"#);
    let once = text(&config, json, "application/json");
    assert_ne!(once, json);
    assert_eq!(text(&config, &once, "application/json"), once);
}

#[test]
fn patterns_of_ones_own_have_a_name_and_an_action() {
    let config = r#"{"patterns":[{"name":"customer","regex":"KD-\\d{6}"},{"name":"case","regex":"case (\\w+)","action":"token"}]}"#;
    let output = output(config, "KD-123456 and case Ab7", Some("text/plain"));
    let clean = String::from_utf8(output.payload).unwrap();
    assert!(clean.starts_with("[CUSTOMER] and case [CASE_") && !clean.contains("Ab7"), "{clean}");
    assert!(output.attributes.iter().any(|attribute| attribute.name == "sanitize.customer" && attribute.value == "1"));
    for (patterns, pointer) in [
        (r#"[{"name":"email","regex":"x"}]"#, "/patterns/0/name"),
        (r#"[{"name":"x","regex":"("}]"#, "/patterns/0/regex"),
        (r#"[{"name":"x","regex":"x*"}]"#, "/patterns/0/regex"),
    ] {
        let faults = configure::<Sanitize>(&format!(r#"{{"patterns":{patterns}}}"#)).err().unwrap();
        assert_eq!(faults[0].pointer, pointer);
    }
}

#[test]
fn values_can_be_allowed_and_texts_denied() {
    let config = r#"{"allow":["+49 30 901820","@example.com","INFO@b.de"],"deny":["Project Falcon","Ärger"]}"#;
    assert_eq!(
        text(
            config,
            "0049 30 901820, a@example.com, info@b.de, x@b.de, project falcon, Project Falcons, ÄRGER",
            "text/plain"
        ),
        "0049 30 901820, a@example.com, info@b.de, [EMAIL], [DENIED], Project Falcons, [DENIED]"
    );
}

#[test]
fn a_country_that_is_named_adds_what_is_dialled_there() {
    let numbers = "612 345 678, 9876543210";
    assert_eq!(text("{}", numbers, "text/plain"), numbers);
    assert_eq!(text(r#"{"countries":["ES","IN"]}"#, numbers, "text/plain"), "[PHONE], [PHONE]");
    assert_eq!(text(r#"{"countries":["FR"]}"#, "12345678Z 185057800608491", "text/plain"), "12345678Z [NATIONAL_ID]");
    assert_eq!(configure::<Sanitize>(r#"{"countries":["Spain"]}"#).err().unwrap()[0].pointer, "/countries/0");
}

#[test]
fn a_partial_mask_shows_the_last_four() {
    let config = r#"{"pii":{"default":"partial"}}"#;
    let clean = "[CARD ****1111], [EMAIL ****@b.de]";
    assert_eq!(text(config, "4111-1111-1111-1111, a@b.de", "text/plain"), clean);
    assert_eq!(text(config, clean, "text/plain"), clean);
}

#[test]
fn notations_of_one_value_get_one_token() {
    for pair in
        ["+49 30 901820, 0049 30 901820", "2001:db8:0:0::1, 2001:DB8::1", "mia [at] example [dot] com, Mia@Example.com"]
    {
        let clean = text(r#"{"pii":{"default":"token"}}"#, pair, "text/plain");
        let (one, other) = clean.split_once(", ").unwrap();
        assert_eq!(one, other);
    }
}

#[test]
fn hashing_twice_changes_nothing_more() {
    let config = format!(r#"{{"pii":{{"default":"hash"}},"key":"{KEYED}"}}"#);
    for once in ["https://joe:s3cret@example.com/x a@b.de", "password=hunter2 4111111111111111"] {
        let once = text(&config, once, "text/plain");
        assert_eq!(text(&config, &once, "text/plain"), once);
    }
}

#[test]
fn key_and_headers_are_cleaned_if_they_are_named() {
    let mut item = Item::sample("x", Some("text/plain"));
    item.key = Some(b"a@b.de".to_vec());
    let header = |name: &str, value: &[u8]| Header { name: name.into(), value: Some(value.to_vec()) };
    item.headers =
        vec![header("phone", b"2025550143"), header("other", b"c@d.de"), header("json", br#"{"ssn":"219099998"}"#)];
    let clean = |config: &str| {
        let stage: Sanitize = configure(config).unwrap();
        let Outcome::Emit(mut outputs) = stage.process(item.clone()).unwrap() else { panic!("no output") };
        outputs.remove(0)
    };
    let output = clean(r#"{"record":{"key":true,"headers":["phone","json"]}}"#);
    assert_eq!(output.key.as_deref(), Some(&b"[EMAIL]"[..]));
    assert_eq!(
        output.headers,
        [header("phone", b"[PHONE]"), header("other", b"c@d.de"), header("json", br#"{"ssn":"[SSN]"}"#)]
    );
    let output = clean("{}");
    assert_eq!((output.key, output.headers), (None, item.headers.clone()));
}

#[test]
fn a_report_says_where_and_changes_nothing() {
    let findings = |payload: &str, media_type: &str| {
        let output = output(r#"{"mode":"report"}"#, payload, Some(media_type));
        assert_eq!(output.payload, payload.as_bytes());
        let found = output.attributes.iter().find(|attribute| attribute.name == "sanitize.findings").unwrap();
        serde_json::from_str::<serde_json::Value>(&found.value).unwrap()
    };
    assert_eq!(
        findings("é a@b.de, +49 30 901820", "text/plain"),
        json!([{ "kind": "email", "start": 3, "end": 9 }, { "kind": "phone", "start": 11, "end": 24 }])
    );
    assert_eq!(
        findings(r#"{"m":[{"a/b":"x a@b.de"}]}"#, "application/json"),
        json!([{ "kind": "email", "at": "/m/0/a~1b", "start": 2, "end": 8 }])
    );
    assert_eq!(
        findings("n,phone\n1,2025550143\n", "text/csv"),
        json!([{ "kind": "phone", "at": "/1/phone", "start": 0, "end": 10 }])
    );
}

#[test]
fn a_member_says_what_the_one_next_to_it_is() {
    for (json, clean) in [
        (r#"{"type":"mobile","value":"612345678"}"#, r#"{"type":"mobile","value":"[PHONE]"}"#),
        (r#"{"value":6123456789,"n":[{}],"type":"mobile"}"#, r#"{"value":"[PHONE]","n":[{}],"type":"mobile"}"#),
        (r#"[{"key":"ssn","text":"219099998"}]"#, r#"[{"key":"ssn","text":"[SSN]"}]"#),
        (r#"{"name":"password","value":"hunter2"}"#, r#"{"name":"password","value":"[SECRET]"}"#),
        (
            r#"{"documentType":"PASSPORT","number":"XK123456"}"#,
            r#"{"documentType":"PASSPORT","number":"[NATIONAL_ID]"}"#,
        ),
    ] {
        assert_eq!(text("{}", json, "application/json"), clean);
    }
    for json in [
        r#"{"type":"order","value":"612345678"}"#,
        r#"{"type":"version","value":"1.2.3.4"}"#,
        r#"{"type":"mobile","model":"612345678"}"#,
        r#"{"value":"612345678","inner":{"type":"mobile"}}"#,
        r#"[{"type":"mobile"},{"value":"612345678"}]"#,
        r#"{"title":"Password","text":"Choose a new one, please."}"#,
    ] {
        assert_eq!(text("{}", json, "application/json"), json);
    }
}

#[test]
fn a_column_says_what_the_one_next_to_it_is() {
    let table = "value,kind,n\n612345678,mobile,1\n612345678,order,1\n";
    assert_eq!(text("{}", table, "text/csv"), "value,kind,n\n[PHONE],mobile,1\n612345678,order,1\n");
}
