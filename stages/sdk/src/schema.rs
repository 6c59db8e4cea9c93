//! JSON Schemas that types describe themselves by.

use schemars::{JsonSchema, generate::SchemaSettings};

use crate::Descriptor;

/// The JSON Schema (2020-12) of a type, as `#[derive(JsonSchema)]` makes it from fields and documentation.
#[must_use]
pub fn of<T: JsonSchema>() -> String {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.meta_schema = None);
    settings.into_generator().into_root_schema_for::<T>().to_value().to_string()
}

impl Descriptor {
    /// Sets the schema that the host checks the configuration against to that of the type.
    ///
    /// ```
    /// use gristmill_sdk::Descriptor;
    /// use schemars::JsonSchema;
    /// use serde::Deserialize;
    ///
    /// /// What the pipeline file sets under `config`.
    /// #[derive(Deserialize, JsonSchema)]
    /// #[serde(deny_unknown_fields)]
    /// struct Config {
    ///     /// Appended to each text, at most 20 characters.
    ///     #[serde(default)]
    ///     #[schemars(length(max = 20))]
    ///     suffix: String,
    /// }
    ///
    /// let descriptor = Descriptor::new("shout", "0.1.0", "Upper-cases text").config::<Config>();
    /// assert!(descriptor.config_schema_json.is_some_and(|schema| schema.contains(r#""maxLength":20"#)));
    /// ```
    #[must_use]
    pub fn config<C: JsonSchema>(self) -> Self {
        self.config_schema(&of::<C>())
    }
}
