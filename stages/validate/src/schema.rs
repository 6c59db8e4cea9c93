//! The JSON Schema that an item must fit.

use gristmill_sdk::ConfigFault;
use jsonschema::error::{ValidationError, ValidationErrorKind};
use jsonschema::{Draft, ReferencingError, Registry, RegistryBuilder, Validator};
use serde_json::{Value, json};

use crate::fault::Faults;

/// Whether `format` is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Formats {
    /// It is only an annotation, the default of the standard.
    Annotate,
    /// A value of another format is a fault.
    Assert,
}

/// A compiled schema.
#[derive(Debug)]
pub(crate) struct Schema(Validator);

impl Schema {
    /// Compiles a schema that fits the meta-schema.
    ///
    /// The host has already checked that by the config schema, unless it is of an older draft. The crate would check it again in every instance, which
    /// takes longer than everything else, so it gets a root that is only a reference to the schema: the crate checks
    /// nothing but that root, and as draft 4, whose meta-schema is the fastest to load.
    ///
    /// # Errors
    /// What the meta-schema cannot find, and where: bad references and patterns.
    pub(crate) fn compile(schema: &Value, formats: Formats) -> Result<Self, ConfigFault> {
        if draft_of(schema) != Draft::Draft202012 {
            jsonschema::meta::validate(schema).map_err(|error| config_fault(&error))?;
        }
        let id = schema.get(id_keyword(schema)).and_then(Value::as_str);
        // In older drafts an identifier may be only a fragment, which names no document.
        let uri = id.filter(|id| !id.is_empty() && !id.starts_with('#')).unwrap_or("json-schema:///item");
        let registry = Registry::new().draft(draft_of(schema)).add(uri, schema);
        let registry = registry.and_then(RegistryBuilder::prepare).map_err(|reason| reference_fault(&reason))?;
        let options = jsonschema::options()
            .offline()
            .with_draft(Draft::Draft4)
            .with_registry(&registry)
            .should_validate_formats(formats == Formats::Assert);
        let validator = options.build(&json!({ "$ref": uri }));
        validator.map(Self).map_err(|error| config_fault(&error))
    }

    /// Adds the faults of an item.
    pub(crate) fn check(&self, item: &Value, faults: &mut Faults) {
        for error in self.0.iter_errors(item) {
            faults.add(error.instance_path().as_str(), || without_values(&error));
        }
    }
}

/// The draft that `$schema` names; the config schema allows only these.
fn draft_of(schema: &Value) -> Draft {
    let name = schema.get("$schema").and_then(Value::as_str).unwrap_or_default();
    match name.trim_end_matches('#') {
        "http://json-schema.org/draft-04/schema" => Draft::Draft4,
        "http://json-schema.org/draft-06/schema" => Draft::Draft6,
        "http://json-schema.org/draft-07/schema" => Draft::Draft7,
        "https://json-schema.org/draft/2019-09/schema" => Draft::Draft201909,
        _ => Draft::Draft202012,
    }
}

fn id_keyword(schema: &Value) -> &'static str {
    if draft_of(schema) == Draft::Draft4 { "id" } else { "$id" }
}

fn config_fault(error: &ValidationError) -> ConfigFault {
    match error.kind() {
        ValidationErrorKind::Referencing(reason) => reference_fault(reason),
        _ => ConfigFault::new(&format!("/schema{}", error.instance_path()), error.to_string()),
    }
}

fn reference_fault(reason: &ReferencingError) -> ConfigFault {
    let message =
        format!("{reason}; a `$ref` can only point into this schema: copy its target to `$defs` and refer to that");
    ConfigFault::new("/schema", message)
}

/// The crate's message, with the word "value" in place of the value.
fn without_values(error: &ValidationError) -> String {
    match error.kind() {
        // Here the value is the name of a member, which the crate's masked message contains.
        ValidationErrorKind::PropertyNames { error } => format!("member name: {}", error.masked()),
        _ => error.masked().to_string(),
    }
}

#[cfg(test)]
mod tests;
