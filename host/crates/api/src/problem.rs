//! Errors as RFC 9457 has them. Their types are stable: clients decide by them.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// What a type begins with. A name and no address: there is nothing to fetch that `detail` does not say.
const TYPES: &str = "urn:gristmill:problem:";

/// The kinds of errors. Never rename one, and never give one another status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request is not what the documentation says.
    BadRequest,
    /// A token is needed, or the one that was sent is not good.
    Unauthenticated,
    /// The token lacks a scope.
    MissingScope,
    /// A web site asks through somebody's browser, and is not let in.
    ForeignOrigin,
    /// There is no such path, pipeline, job or batch; or it is not the caller's.
    NotFound,
    /// The path does not take this method.
    MethodNotAllowed,
    /// The client accepts no media type that there is.
    NotAcceptable,
    /// The body, or the request's head, did not arrive in time.
    Timeout,
    /// The job is not in a state for that: over already, or not over yet.
    WrongState,
    /// What is needed for that is deleted already: the event of a job, its result.
    Gone,
    /// The body is larger than `max_body`.
    BodyTooLarge,
    /// The body has a media type or encoding that is not taken here.
    UnsupportedMediaType,
    /// The idempotency key was used for another request.
    IdempotencyKeyReused,
    /// Too many requests of this client at a time.
    TooManyRequests,
    /// Something inside broke. The log has the reason.
    Internal,
    /// The broker does not take events for now.
    BrokerUnavailable,
    /// The state store or the object store does not answer for now.
    StoreUnavailable,
    /// The keys of the issuer of tokens cannot be had for now.
    KeysUnavailable,
    /// The host is starting or stopping, or the pipeline is.
    NotRunning,
}

impl Kind {
    /// All of them, for the documentation.
    pub const ALL: [Self; 19] = [
        Self::BadRequest,
        Self::Unauthenticated,
        Self::MissingScope,
        Self::ForeignOrigin,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::Timeout,
        Self::WrongState,
        Self::Gone,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::IdempotencyKeyReused,
        Self::TooManyRequests,
        Self::Internal,
        Self::BrokerUnavailable,
        Self::StoreUnavailable,
        Self::KeysUnavailable,
        Self::NotRunning,
    ];

    /// The status, the end of the type, and the title.
    #[must_use]
    pub fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "bad-request", "The request is malformed"),
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated", "A valid token is needed"),
            Self::MissingScope => (StatusCode::FORBIDDEN, "missing-scope", "The token lacks a scope"),
            Self::ForeignOrigin => (StatusCode::FORBIDDEN, "foreign-origin", "Web sites are not let in"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "There is nothing here"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "The method is not allowed")
            }
            Self::NotAcceptable => (StatusCode::NOT_ACCEPTABLE, "not-acceptable", "No acceptable media type"),
            Self::Timeout => (StatusCode::REQUEST_TIMEOUT, "timeout", "The request took too long to arrive"),
            Self::WrongState => (StatusCode::CONFLICT, "wrong-state", "The job is not in a state for that"),
            Self::Gone => (StatusCode::GONE, "gone", "It was deleted"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large"),
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The media type is not supported")
            }
            Self::IdempotencyKeyReused => {
                (StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", "The idempotency key was used before")
            }
            Self::TooManyRequests => (StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something broke"),
            Self::BrokerUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "broker-unavailable", "The broker is away"),
            Self::StoreUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "store-unavailable", "A store is away"),
            Self::KeysUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "keys-unavailable", "The issuer's keys are away")
            }
            Self::NotRunning => (StatusCode::SERVICE_UNAVAILABLE, "not-running", "The pipeline does not run"),
        }
    }
}

/// An error as its client sees it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    /// Its kind.
    pub kind: Kind,
    /// What is wrong, and how to fix it. No secrets, and nothing of another's job.
    pub detail: String,
    /// After how many seconds to ask again.
    pub retry_after: Option<u32>,
}

/// The body of an error, as `application/problem+json`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Members {
    /// The kind, as a stable name.
    r#type: String,
    /// The kind, for people.
    title: String,
    /// The status of the answer.
    status: u16,
    /// What is wrong, and how to fix it.
    detail: String,
}

impl Problem {
    /// A problem that asking again does not mend by itself.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), retry_after: None }
    }

    /// A store that does not answer, or something inside that broke. The log has the reason; clients get none of it.
    pub(crate) fn of_store(error: &dyn std::error::Error) -> Self {
        tracing::warn!(error = %error, "a request of the API needs a store, which does not do its work");
        Self::new(Kind::StoreUnavailable, "the state store does not answer for now; ask again").retry_after(2)
    }

    /// A change that is not made because it cannot be written down.
    pub(crate) fn of_audit(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = %error, "a change was refused");
        Self::new(Kind::StoreUnavailable, "the audit log cannot be written, so nothing is changed; ask again")
            .retry_after(5)
    }

    /// What became of a change, as the audit log says it.
    pub(crate) fn outcome(result: Result<(), &Self>) -> &'static str {
        match result {
            Ok(()) => "done",
            Err(problem) => problem.kind.parts().1,
        }
    }

    /// The host stops before it has done what was asked.
    pub(crate) fn stopping() -> Self {
        Self::new(Kind::NotRunning, "the host is stopping; ask again").retry_after(5)
    }

    /// The same, to be asked again after so many seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, end, title) = self.kind.parts();
        let members = Members {
            r#type: format!("{TYPES}{end}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.detail,
        };
        // A struct of text and a number is always JSON.
        let mut response = Response::new(Body::from(serde_json::to_vec(&members).unwrap_or_default()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_a_type_of_its_own() {
        let types: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.parts().1).collect();
        assert_eq!(types.len(), Kind::ALL.len());
    }

    #[test]
    fn a_problem_says_when_to_ask_again() {
        let problem = Problem::new(Kind::BrokerUnavailable, "the broker does not answer").retry_after(5);
        let response = problem.into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "5");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    }
}
