//! Who is let into the HTTP API.

use std::time::Duration;

use async_trait::async_trait;

use crate::model::Caller;

/// Why somebody is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// There is no token, and one is needed.
    #[error("send a token as \"Authorization: Bearer TOKEN\"")]
    NoToken,
    /// The token is not good. Says what of it, and never shows it.
    #[error("the token is not accepted: {0}")]
    BadToken(String),
    /// Nobody can say now whether it is: the keys of its issuer cannot be had.
    #[error("the keys of the tokens' issuer cannot be had for now")]
    NotNow {
        /// When to ask again.
        retry_after: Duration,
    },
}

/// Knows tokens.
#[async_trait]
pub trait Admission: Send + Sync {
    /// Whose token it is. `None` if the request has none. Bounded in time. Cancel-safe.
    async fn admit(&self, token: Option<&str>) -> Result<Caller, Denied>;
}
