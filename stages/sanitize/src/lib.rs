//! The `sanitize` stage: replaces personal data and secrets and removes text artifacts, in text, JSON and CSV.

mod actions;
mod artifacts;
mod canonical;
mod clean;
mod config;
mod context;
mod csv;
mod fold;
mod json;
mod kind;
mod literal;
mod names;
mod payload;
mod pii;
mod pointer;
mod recognise;
mod replacement;
mod report;
mod rewrite;
mod selection;
mod siblings;
mod sweep;

use gristmill_sdk::llm::Model;
#[cfg(not(feature = "models"))]
use gristmill_sdk::llm::{Error, Request, Response};
use gristmill_sdk::{ConfigFault, Descriptor, Header, Item, Outcome, Output, Stage, StageError};

use crate::clean::Cleaner;
pub use crate::config::Config;
use crate::config::{Mode, Recognise, Record};
use crate::context::Context;
use crate::payload::{Form, Payloads};
use crate::report::Report;

/// The `sanitize` stage.
pub struct Sanitize {
    payloads: Payloads,
    record: Record,
    recognise: Option<Recognise>,
}

impl Stage for Sanitize {
    type Config = Config;

    fn describe() -> Descriptor {
        let description = "Replaces personal data and secrets and removes text artifacts";
        // "application/*" covers the types that end in "+json"; types without JSON are rejected in `process`.
        Descriptor::new("sanitize", env!("CARGO_PKG_VERSION"), description)
            .max_batch(32)
            .config_schema(include_str!("../config.schema.json"))
            .accepts(&["text/*", "application/*"])
    }

    fn new(config: Config) -> Result<Self, Vec<ConfigFault>> {
        if config.recognise.is_some() && !cfg!(feature = "models") {
            let message = "this component cannot ask models: build the stage with its feature `models`";
            return Err(vec![ConfigFault::new("/recognise", message)]);
        }
        Self::with_model(config)
    }

    fn process(&self, item: Item) -> Result<Outcome, StageError> {
        #[cfg(feature = "models")]
        return self.sanitize(item, &gristmill_sdk::llm::Host);
        #[cfg(not(feature = "models"))]
        self.sanitize(item, &NoModel)
    }
}

/// Stands for the host's models in a component that does not import them: one that does needs a grant.
#[cfg(not(feature = "models"))]
struct NoModel;

#[cfg(not(feature = "models"))]
impl Model for NoModel {
    fn chat(&self, _: Request) -> Result<Response, Error> {
        Err(Error::Denied("this component does not ask models".into()))
    }
}

impl Sanitize {
    /// Creates a stage whose caller has a model for [`Sanitize::sanitize`].
    ///
    /// # Errors
    /// The faults in the configuration.
    pub fn with_model(config: Config) -> Result<Self, Vec<ConfigFault>> {
        match (config.digester(), config.pointers(), config.always(), config.finder()) {
            (Ok(digester), Ok(fields), Ok(always), Ok(finder)) => {
                let cleaner = Cleaner {
                    own: config.patterns.iter().map(|own| own.action).collect(),
                    actions: config.pii,
                    digester,
                    switches: config.artifacts.switches(),
                    finder,
                    allow: config.allow,
                    mode: config.mode,
                };
                let payloads = Payloads { cleaner, fields, always, names: config.names.unwrap_or(true) };
                Ok(Self { payloads, record: config.record, recognise: config.recognise })
            }
            (digester, fields, always, finder) => {
                let lists = [fields.err(), always.err(), finder.err()];
                Err(digester.err().into_iter().chain(lists.into_iter().flatten().flatten()).collect())
            }
        }
    }

    /// Handles one item; the model is asked only if the configuration says so.
    ///
    /// # Errors
    /// The model has no usable answer.
    pub fn sanitize(&self, item: Item, model: &dyn Model) -> Result<Outcome, StageError> {
        let Some(form) = Form::of(item.media_type().as_deref()) else {
            let reason = "the media type is neither text, JSON nor CSV: put `extract` before this stage";
            return Ok(Outcome::reject("unsupported-media-type", reason));
        };
        let Some(text) = item.text() else {
            let reason = "the payload is not UTF-8 text: convert it before this stage";
            return Ok(Outcome::reject("not-utf8", reason));
        };
        let mut report = Report::default();
        if let Some(recognise) = &self.recognise {
            report.quotes = recognise::ask(model, recognise.model.as_deref(), text)?;
        }
        let clean = match self.payloads.clean(text, form, &mut report) {
            Ok(clean) => clean,
            Err(invalid) => {
                let reason = format!("the media type is JSON but the payload is not: {}", invalid.reason);
                return Ok(Outcome::reject("invalid-json", reason));
            }
        };
        let key = self.clean_key(&item, &mut report);
        let mut output = Output::from(item);
        self.clean_headers(&mut output.headers, &mut report);
        output.key = key.or(output.key);
        if let Some(clean) = clean {
            output = output.payload(clean);
        }
        let output = report.annotate(output);
        Ok(Outcome::one(match self.payloads.cleaner.mode {
            Mode::Replace => output,
            Mode::Report => report.annotate_places(output),
        }))
    }

    /// The clean key, if it is to be cleaned and changes.
    fn clean_key(&self, item: &Item, report: &mut Report) -> Option<Vec<u8>> {
        let key = item.key.as_deref().filter(|_| self.record.key)?;
        self.clean_part("key", "key", key, report)
    }

    fn clean_headers(&self, headers: &mut [Header], report: &mut Report) {
        for header in headers {
            let named = self.record.headers.iter().any(|name| name == "*" || name.eq_ignore_ascii_case(&header.name));
            let Some(value) = header.value.as_deref().filter(|_| named) else { continue };
            if let Some(clean) = self.clean_part(&header.name, &format!("header:{}", header.name), value, report) {
                header.value = Some(clean);
            }
        }
    }

    /// A key or a header: JSON if it is an object or array, otherwise text. What is not UTF-8 stays.
    fn clean_part(&self, name: &str, place: &str, value: &[u8], report: &mut Report) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(value).ok()?;
        if json::is_container(text) {
            return self.payloads.clean(text, Form::Json, report).ok()?.map(String::into_bytes);
        }
        report.at(Some(place.to_owned()));
        let clean = self.payloads.cleaner.clean(text, &Context::of_field(name), report);
        let clean = (*clean != *text).then(|| clean.into_owned().into_bytes());
        report.at(None);
        clean
    }
}

gristmill_sdk::stage!(Sanitize);
