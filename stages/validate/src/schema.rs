//! The JSON Schema an item must fit.

use gristmill_sdk::ConfigFault;
use jsonschema::error::{ValidationError, ValidationErrorKind};
use jsonschema::{Draft, ReferencingError, Registry, RegistryBuilder, Validator};
use serde_json::{Value, json};

use crate::fault::Faults;

/// Whether `format` is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Formats {
    /// It only describes, as the standard has it by default.
    Annotate,
    /// A value of another format is a fault.
    Assert,
}

/// A schema ready for use.
#[derive(Debug)]
pub(crate) struct Schema(Validator);

impl Schema {
    /// Compiles a schema that fits the meta-schema.
    ///
    /// That it fits is what the host has checked by the config schema. The crate would check it again in every instance,
    /// which takes longer than all the rest, so it gets a root that is nothing but a reference to the schema: only that
    /// root is checked, and as draft 4, whose meta-schema is the quickest to load.
    ///
    /// # Errors
    /// What is wrong with the schema beyond its form, and where: references, patterns.
    pub(crate) fn compile(schema: &Value, formats: Formats) -> Result<Self, ConfigFault> {
        let uri = schema.get("$id").and_then(Value::as_str).unwrap_or("json-schema:///item");
        let registry = Registry::new().draft(Draft::Draft202012).add(uri, schema);
        let registry = registry.and_then(RegistryBuilder::prepare).map_err(|reason| reference_fault(&reason))?;
        let options = jsonschema::options()
            .offline()
            .with_draft(Draft::Draft4)
            .with_registry(&registry)
            .should_validate_formats(formats == Formats::Assert);
        let validator = options.build(&json!({ "$ref": uri }));
        validator.map(Self).map_err(|error| config_fault(&error))
    }

    /// Adds what does not fit.
    pub(crate) fn check(&self, item: &Value, faults: &mut Faults) {
        for error in self.0.iter_errors(item) {
            faults.add(error.instance_path().as_str(), || without_values(&error));
        }
    }
}

fn config_fault(error: &ValidationError) -> ConfigFault {
    match error.kind() {
        ValidationErrorKind::Referencing(reason) => reference_fault(reason),
        _ => ConfigFault::new(&format!("/schema{}", error.instance_path()), error.to_string()),
    }
}

fn reference_fault(reason: &ReferencingError) -> ConfigFault {
    let message =
        format!("{reason}; a `$ref` reaches only into this schema: put what it names into its `$defs` and name that");
    ConfigFault::new("/schema", message)
}

/// The crate's own text with "value" for the value.
fn without_values(error: &ValidationError) -> String {
    match error.kind() {
        // The name of a member is the value here, and the crate's masked text has it.
        ValidationErrorKind::PropertyNames { error } => format!("the name of a member: {}", error.masked()),
        _ => error.masked().to_string(),
    }
}

#[cfg(test)]
mod tests;
