//! The check of a configuration against the schema that its stage brings.

use jsonschema::{Draft, PatternOptions};

use super::error::{ConfigFault, Reason};
use gristmill_core::model::schema::is_affordable;

/// Backtracking steps that a pattern in a schema may take on one text, so that it cannot block the host.
const PATTERN_STEPS: usize = 100_000;
/// The largest schema of a configuration, in bytes.
const LARGEST: usize = 1 << 20;

/// Checks the configuration against the stage's own schema.
pub(super) fn check(schema: Option<&str>, config: &serde_json::Value) -> Result<(), Reason> {
    let Some(schema) = schema else {
        let empty = config.as_object().is_none_or(serde_json::Map::is_empty);
        let fault = ConfigFault::new("", "the stage takes no configuration");
        return if empty { Ok(()) } else { Err(Reason::Config(vec![fault])) };
    };
    if schema.len() > LARGEST {
        return Err(Reason::TooMany { what: "bytes in its JSON Schema", most: LARGEST });
    }
    let schema = serde_json::from_str(schema).map_err(|error| Reason::Schema(error.to_string()))?;
    if !is_affordable(&schema) {
        return Err(Reason::Schema("its parts refer to each other too often".into()));
    }
    let validator = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .with_pattern_options(PatternOptions::fancy_regex().backtrack_limit(PATTERN_STEPS))
        .build(&schema)
        .map_err(|error| Reason::Schema(error.to_string()))?;
    let mut faults = validator.iter_errors(config).peekable();
    if faults.peek().is_none() {
        return Ok(());
    }
    Err(Reason::config(faults, |error| ConfigFault::new(error.instance_path().as_str(), &error.to_string())))
}
