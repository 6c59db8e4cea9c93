//! A JSON object whose values stay as they were written.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// The members of an object in their order. A name that comes twice stays twice.
#[derive(Debug)]
pub(crate) struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<String, &RawValue>()? {
                    members.push(member);
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

impl Object<'_> {
    /// The object with this value, which is JSON text, at its end. Another one of that name goes.
    pub(crate) fn with(&self, name: &str, value: &str) -> String {
        let mut text = String::from("{");
        for (other, kept) in self.0.iter().filter(|(other, _)| other != name) {
            text += &Value::from(other.as_str()).to_string();
            text += ":";
            text += kept.get();
            text += ",";
        }
        text += &Value::from(name).to_string();
        text += ":";
        text += value;
        text + "}"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_value_keeps_its_bytes() {
        let text = r#"{"n": 1.50, "big": 12345678901234567890123, "vector": [1], "s": "\u00e4", "o": {"a" : 1}}"#;
        let object: Object<'_> = serde_json::from_str(text).unwrap();
        let expected = r#"{"n":1.50,"big":12345678901234567890123,"s":"\u00e4","o":{"a" : 1},"vector":[0.5]}"#;
        assert_eq!(object.with("vector", "[0.5]"), expected);
        assert_eq!(serde_json::from_str::<Object<'_>>("{}").unwrap().with("v", "[]"), r#"{"v":[]}"#);
        assert!(serde_json::from_str::<Object<'_>>("[]").is_err());
    }
}
