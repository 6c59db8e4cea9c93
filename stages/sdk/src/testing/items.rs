//! Items for property tests.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

use crate::{Attribute, Header, Item};

/// Items of all kinds: text, JSON and bytes that are neither, with and without a media type, which need not be true.
///
/// ```
/// use gristmill_sdk::testing::items;
/// use proptest::prelude::*;
///
/// proptest!(|(item in items())| {
///     // Whatever comes in, the stage does not panic.
///     let _ = item.utf8();
/// });
/// ```
pub fn items() -> impl Strategy<Value = Item> {
    let payload = prop_oneof![
        3 => texts().prop_map(String::into_bytes),
        3 => documents(3).prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..200),
        1 => Just(Vec::new()),
    ];
    let types = ["text/plain", "Text/Markdown; charset=utf-8", "text/html", "application/json", "application/pdf", ""];
    let media_type = option::of(proptest::sample::select(types.to_vec()));
    let pairs = || vec(("[a-z][a-z.-]{0,10}", texts()), 0..4);
    (payload, media_type, pairs(), pairs(), option::of(vec(any::<u8>(), 0..20)), any::<u64>()).prop_map(
        |(payload, media_type, attributes, headers, key, seed)| {
            let headers = headers.into_iter().map(|(name, value)| Header { name, value: Some(value.into_bytes()) });
            Item {
                attributes: attributes.into_iter().map(|(name, value)| Attribute { name, value }).collect(),
                headers: headers.collect(),
                key,
                seed,
                ..Item::sample(payload, media_type)
            }
        },
    )
}

/// Texts as they come: lines, signs, many scripts, no text at all.
pub fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9 .,;:()\\n-]{0,200}",
        "\\PC{0,80}",
        "[äöüßéñ日本語العربية🙂\u{200b}\u{feff}\t\r\n ]{0,60}",
        Just(String::new()),
    ]
}

/// JSON documents of so many levels at most.
fn documents(levels: u32) -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        texts().prop_map(Into::into),
    ];
    let nested = leaf.prop_recursive(levels, 30, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
            vec(("[a-z]{1,6}", inner), 0..5)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    });
    nested.prop_map(|document| document.to_string())
}
