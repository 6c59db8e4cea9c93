//! Vectors for texts through the host: a stage names an alias and never sees a key. Needs the grant "embeddings".

#[cfg(target_arch = "wasm32")]
use crate::bindings::gristmill::stage::embeddings as host;
pub use crate::bindings::gristmill::stage::embeddings::{Purpose, Request, Response};
pub use crate::llm::{Error, Usage};
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::imports::embeddings as host;

/// Something that embeds texts: [`Host`], or one of your own in unit tests.
pub trait Model {
    /// Vectors for the inputs, in order.
    ///
    /// # Errors
    /// Why there are none. The host has already done what it could: return the error with `?`. If one of several inputs
    /// may be at fault ([`is_of_an_input`]), ask for each alone: those that are good have been paid for.
    fn embed(&self, request: Request) -> Result<Response, Error>;
}

/// The host's models.
#[derive(Debug, Clone, Copy, Default)]
pub struct Host;

impl Model for Host {
    fn embed(&self, mut request: Request) -> Result<Response, Error> {
        request.for_item = request.for_item.or_else(crate::llm::current_item);
        host::embed(&request)
    }
}

impl Request {
    /// A request for vectors of these texts; every other field is left to the alias. In a
    /// [`Stage::process_batch`](crate::Stage::process_batch) of your own it is for all items of the batch.
    #[must_use]
    pub fn new(inputs: Vec<String>) -> Self {
        Self {
            model: None,
            inputs,
            purpose: Purpose::Unspecified,
            for_item: None,
            dimensions: None,
            idempotency_key: None,
            timeout: None,
        }
    }

    /// Sets the alias of the model to ask.
    #[must_use]
    pub fn model(mut self, alias: &str) -> Self {
        self.model = Some(alias.into());
        self
    }

    /// Sets what the vectors are for.
    #[must_use]
    pub fn purpose(mut self, purpose: Purpose) -> Self {
        self.purpose = purpose;
        self
    }

    /// Sets the length of the vectors, for models that can shorten them.
    #[must_use]
    pub fn dimensions(mut self, dimensions: u32) -> Self {
        self.dimensions = Some(dimensions);
        self
    }

    /// Sets the only item that the request is for.
    #[must_use]
    pub fn for_item(mut self, id: &str) -> Self {
        self.for_item = Some(id.into());
        self
    }
}

/// Whether a request for several inputs may have failed because of one of them.
#[must_use]
pub fn is_of_an_input(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidRequest(_)
            | Error::ContextLengthExceeded(_)
            | Error::ContentFiltered(_)
            | Error::InvalidOutput(_)
    )
}
