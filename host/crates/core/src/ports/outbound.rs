//! Calls of other services, as stages make them.

use async_trait::async_trait;

use super::{Caller, StoreError};
use crate::model::{Blame, HttpFailure, HttpRequest, HttpResponse};

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboundError {
    /// There is none. The stage decides what to do.
    Http {
        /// Why.
        failure: HttpFailure,
        /// Whose fault that is, as far as what others get leaves it open. `None` if the failure alone tells.
        blame: Option<Blame>,
    },
    /// The answer could not be recalled or kept. Never reported to a stage.
    Store(StoreError),
}

impl From<HttpFailure> for OutboundError {
    fn from(failure: HttpFailure) -> Self {
        Self::Http { failure, blame: None }
    }
}

impl From<StoreError> for OutboundError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What a service answered to a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The answer.
    pub response: HttpResponse,
    /// Whose fault it is if the stage takes it for a failure: its status can say that the service is at fault.
    pub blame: Option<Blame>,
}

/// The calls that one stage may make.
#[async_trait]
pub trait Outbound: Send + Sync {
    /// Makes a call if it is allowed, within its `timeout` or the grant's. A dropped call is abandoned, but might have
    /// arrived.
    async fn call(&self, caller: &Caller, request: &HttpRequest) -> Result<Answered, OutboundError>;

    /// How many calls the stage may make for one item, or one batch of items.
    fn most_calls(&self) -> u32;
}
