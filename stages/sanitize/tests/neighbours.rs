//! What members and columns say about the ones next to them.

// Clippy allows unwrap only inside test functions, not in their helpers.
#![allow(clippy::unwrap_used)]

use gristmill_sdk::{Item, Outcome, Stage, configure};
use gristmill_stage_sanitize::Sanitize;

fn clean(payload: &str, media_type: &str) -> String {
    let stage: Sanitize = configure("{}").unwrap();
    match stage.process(Item::sample(payload, Some(media_type))).unwrap() {
        Outcome::Emit(mut outputs) => String::from_utf8(outputs.remove(0).payload).unwrap(),
        other => panic!("not emitted: {other:?}"),
    }
}

#[test]
fn a_member_says_what_the_one_next_to_it_is() {
    for (json, expected) in [
        (r#"{"type":"mobile","value":"612345678"}"#, r#"{"type":"mobile","value":"[PHONE]"}"#),
        (r#"{"value":6123456789,"n":[{}],"type":"mobile"}"#, r#"{"value":"[PHONE]","n":[{}],"type":"mobile"}"#),
        (r#"[{"key":"ssn","text":"219099998"}]"#, r#"[{"key":"ssn","text":"[SSN]"}]"#),
        (r#"{"name":"password","value":"hunter2"}"#, r#"{"name":"password","value":"[SECRET]"}"#),
        (
            r#"{"documentType":"PASSPORT","number":"XK123456"}"#,
            r#"{"documentType":"PASSPORT","number":"[NATIONAL_ID]"}"#,
        ),
    ] {
        assert_eq!(clean(json, "application/json"), expected);
    }
    for json in [
        r#"{"type":"order","value":"612345678"}"#,
        r#"{"type":"version","value":"1.2.3.4"}"#,
        r#"{"type":"mobile","model":"612345678"}"#,
        r#"{"value":"612345678","inner":{"type":"mobile"}}"#,
        r#"[{"type":"mobile"},{"value":"612345678"}]"#,
        r#"{"title":"Password","text":"Choose a new one, please."}"#,
    ] {
        assert_eq!(clean(json, "application/json"), json);
    }
}

#[test]
fn a_column_says_what_the_one_next_to_it_is() {
    let table = "value,kind,n\n612345678,mobile,1\n612345678,order,1\n";
    assert_eq!(clean(table, "text/csv"), "value,kind,n\n[PHONE],mobile,1\n612345678,order,1\n");
}
