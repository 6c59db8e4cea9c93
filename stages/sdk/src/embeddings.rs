//! Vectors for texts through the host. Needs the grant "embeddings". This version's host has no embedding models yet and
//! denies every call.

use crate::bindings::gristmill::stage::embeddings as host;
pub use crate::bindings::gristmill::stage::embeddings::{Purpose, Request, Response};
pub use crate::llm::{Error, Usage};

/// Something that embeds texts: [`Host`] in the sandbox, a script in unit tests.
pub trait Model {
    /// Vectors for the inputs, in order.
    ///
    /// # Errors
    /// Why there are none. The host has already done what it could: return the error with `?`.
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
    /// A request for vectors of these texts; every other field is left to the alias.
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
}
