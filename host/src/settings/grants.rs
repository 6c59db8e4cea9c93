//! What a pipeline file grants a stage.

use std::borrow::Cow;

use gristmill_core::model::Quota;
use gristmill_core::settings::ByteSize;
use gristmill_outbound::HttpGrant;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The grants of one stage, written as a list: `["llm", { http = ["https://api.example.com/v1/*"] }]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<Grant>", into = "Vec<Grant>")]
#[schemars(inline, with = "Vec<Grant>", extend("x-form" = r#"for example grants = ["llm"]"#))]
pub struct Grants {
    /// It may ask language models.
    pub llm: bool,
    /// It may ask embedding models.
    pub embeddings: bool,
    /// It may call other services.
    pub http: Option<HttpGrant>,
    /// It may keep values between items.
    pub state: Option<StateQuota>,
    /// It may count in the host's metrics.
    pub metrics: bool,
}

impl Grants {
    /// Whether it may ask models for something, which is paid for.
    #[must_use]
    pub fn asks_models(&self) -> bool {
        self.llm || self.embeddings
    }

    /// Whether a call of the stage may wait for something outside.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.asks_models() || self.http.is_some() || self.state.is_some()
    }

    /// Whether what services answer is kept.
    #[must_use]
    pub fn journals(&self) -> bool {
        self.http.as_ref().is_some_and(|http| http.journal)
    }

    /// What it may import.
    #[must_use]
    pub fn imports(&self) -> gristmill_wasm::Grants {
        let Self { llm, embeddings, http, state, metrics } = self;
        gristmill_wasm::Grants {
            llm: *llm,
            embeddings: *embeddings,
            http: http.is_some(),
            state: state.is_some(),
            metrics: *metrics,
        }
    }
}

/// How much a stage may keep between items: `{ state = { keys = 1000, bytes = "1MiB" } }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StateQuota {
    /// How many keys.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub keys: u64,
    /// All its keys and values together.
    #[schemars(extend("x-min" = "1KiB", "x-max" = "1GiB"))]
    pub bytes: ByteSize,
}

impl Default for StateQuota {
    /// 10,000 keys, 16 MiB.
    fn default() -> Self {
        Self { keys: 10_000, bytes: ByteSize::mib(16) }
    }
}

impl From<StateQuota> for Quota {
    fn from(StateQuota { keys, bytes }: StateQuota) -> Self {
        Self { keys, bytes: bytes.get() }
    }
}

/// One element of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Grant {
    Named(Named),
    Http(HttpGrant),
    State(OfState),
}

/// The grants that need no more than their name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline, extend("x-noun" = "grant"))]
enum Named {
    Llm,
    Embeddings,
    State,
    Metrics,
}

/// The grant `state` with a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OfState {
    /// How much.
    state: StateQuota,
}

impl JsonSchema for Grant {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Grant".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let named = generator.subschema_for::<Named>();
        let http = generator.subschema_for::<HttpGrant>();
        let state = generator.subschema_for::<OfState>();
        json_schema!({
            "if": { "type": "string" },
            "then": named,
            "else": { "if": { "required": ["state"] }, "then": state, "else": http },
        })
    }
}

impl TryFrom<Vec<Grant>> for Grants {
    type Error = String;

    fn try_from(list: Vec<Grant>) -> Result<Self, String> {
        let mut grants = Self::default();
        for grant in list {
            match grant {
                Grant::Named(Named::Llm) => grants.llm = true,
                Grant::Named(Named::Embeddings) => grants.embeddings = true,
                Grant::Named(Named::Metrics) => grants.metrics = true,
                Grant::Named(Named::State) => drop(grants.state.get_or_insert_default()),
                Grant::State(OfState { state }) if grants.state.is_none() => grants.state = Some(state),
                Grant::Http(http) if grants.http.is_none() => grants.http = Some(http),
                Grant::State(_) => return Err("state is granted twice; write it once".into()),
                Grant::Http(_) => {
                    return Err("http is granted twice; write all its addresses into one list".into());
                }
            }
        }
        Ok(grants)
    }
}

impl From<Grants> for Vec<Grant> {
    fn from(grants: Grants) -> Self {
        let Grants { llm, embeddings, http, state, metrics } = grants;
        let named = [(llm, Named::Llm), (embeddings, Named::Embeddings), (metrics, Named::Metrics)];
        let mut list: Self =
            named.into_iter().filter_map(|(granted, name)| granted.then_some(Grant::Named(name))).collect();
        list.extend(http.map(Grant::Http));
        list.extend(state.map(|state| Grant::State(OfState { state })));
        list
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(list: serde_json::Value) -> Result<Grants, String> {
        serde_json::from_value(list).map_err(|error| error.to_string())
    }

    #[test]
    fn a_list_names_what_is_granted_and_says_more_where_it_must() {
        let grants = read(json!(["llm", "state", { "http": ["https://a.example/*"], "journal": true }])).unwrap();
        assert!(grants.llm && grants.journals() && grants.waits() && !grants.metrics);
        assert_eq!(grants.state, Some(StateQuota::default()));
        let quota = read(json!([{ "state": { "keys": 7 } }])).unwrap().state.unwrap();
        assert_eq!((quota.keys, quota.bytes), (7, ByteSize::mib(16)));
        let again: Grants = serde_json::from_value(serde_json::to_value(&grants).unwrap()).unwrap();
        assert_eq!(again, grants);
        for twice in [
            json!([{ "http": ["https://a.example/*"] }, { "http": ["https://b.example/*"] }]),
            json!(["state", { "state": {} }]),
        ] {
            assert!(read(twice).unwrap_err().contains("twice"));
        }
    }
}
