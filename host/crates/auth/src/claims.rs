//! What the claims of a signed token have to say.

use std::time::Duration;

use gristmill_core::model::{Caller, Owner, Scope, Timestamp};
use serde_json::{Map, Value};

use super::settings::AuthSettings;

/// The longest subject and tenant, in bytes: they travel in headers, and are stored with each job.
const LONGEST_NAME: usize = 255;
/// The latest moment that is taken for one, in seconds since 1970: the year 9999.
const LATEST: f64 = 253_402_300_799.0;

/// What is wrong with the claims. Never shows what a token says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadClaim {
    #[error("the claim {0} is missing")]
    Missing(String),
    #[error("the claim {0} is not {1}")]
    Form(String, &'static str),
    #[error("it is from another issuer")]
    Issuer,
    #[error("it is for another audience")]
    Audience,
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet")]
    NotYet,
    #[error("it was issued in the future")]
    Future,
    #[error("it expires before it was issued")]
    Backwards,
    #[error("it is valid for longer than auth.max_lifetime")]
    Lifetime,
}

const MOMENT: &str = "a number of seconds since 1970";
const NAME: &str = "a text of 1 to 255 bytes without control characters";

/// Who sends a token with these claims at this moment.
pub(crate) fn judge(claims: &Map<String, Value>, settings: &AuthSettings, now: Timestamp) -> Result<Caller, BadClaim> {
    let required = |name: &str| claims.get(name).ok_or_else(|| BadClaim::Missing(name.to_owned()));
    match required("iss")? {
        Value::String(issuer) if *issuer == settings.issuer => {}
        Value::String(_) => return Err(BadClaim::Issuer),
        _ => return Err(BadClaim::Form("iss".into(), "a text")),
    }
    let is_for_us = match required("aud")? {
        Value::String(audience) => *audience == settings.audience,
        Value::Array(all) if all.iter().all(Value::is_string) => {
            all.iter().any(|audience| audience.as_str() == Some(&settings.audience))
        }
        _ => return Err(BadClaim::Form("aud".into(), "a text, or a list of them")),
    };
    if !is_for_us {
        return Err(BadClaim::Audience);
    }
    moments(claims, settings, now)?;
    let subject = name("sub", required("sub")?)?;
    let tenant = match &settings.tenant_claim {
        Some(claim) => name(claim, required(claim)?)?,
        None => String::new(),
    };
    let scopes = scopes(&settings.scope_claim, claims.get(&settings.scope_claim))?;
    Ok(Caller { owner: Some(Owner { tenant, subject }), scopes })
}

/// Whether it is valid now.
fn moments(claims: &Map<String, Value>, settings: &AuthSettings, now: Timestamp) -> Result<(), BadClaim> {
    let required = |name: &str| match claims.get(name) {
        Some(value) => moment(name, value),
        None => Err(BadClaim::Missing(name.to_owned())),
    };
    let (expires, issued) = (required("exp")?, required("iat")?);
    let not_before = claims.get("nbf").map(|value| moment("nbf", value)).transpose()?;
    let leeway = milliseconds(settings.leeway);
    if now.0 >= expires.saturating_add(leeway) {
        return Err(BadClaim::Expired);
    }
    if not_before.is_some_and(|not_before| now.0.saturating_add(leeway) < not_before) {
        return Err(BadClaim::NotYet);
    }
    if now.0.saturating_add(leeway) < issued {
        return Err(BadClaim::Future);
    }
    if expires < issued {
        return Err(BadClaim::Backwards);
    }
    if expires - issued > milliseconds(settings.max_lifetime) {
        return Err(BadClaim::Lifetime);
    }
    Ok(())
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A moment in milliseconds since 1970.
fn moment(claim: &str, value: &Value) -> Result<i64, BadClaim> {
    let seconds = value.as_f64().filter(|seconds| (0.0..=LATEST).contains(seconds));
    let seconds = seconds.ok_or_else(|| BadClaim::Form(claim.to_owned(), MOMENT))?;
    #[expect(clippy::cast_possible_truncation, reason = "between 0 and the year 9999")]
    Ok((seconds * 1000.0) as i64)
}

fn name(claim: &str, value: &Value) -> Result<String, BadClaim> {
    let is_name = |text: &&str| {
        !text.is_empty() && text.len() <= LONGEST_NAME && !text.chars().any(char::is_control) && text.trim() == *text
    };
    let text = value.as_str().filter(is_name);
    text.map(str::to_owned).ok_or_else(|| BadClaim::Form(claim.to_owned(), NAME))
}

/// The scopes of ours. A token without any is somebody who may nothing.
fn scopes(claim: &str, value: Option<&Value>) -> Result<Vec<Scope>, BadClaim> {
    let form = || BadClaim::Form(claim.to_owned(), "a list of texts, or words");
    let words: Vec<&str> = match value {
        None => Vec::new(),
        Some(Value::String(words)) => words.split(' ').collect(),
        Some(Value::Array(list)) => list.iter().map(|item| item.as_str().ok_or_else(form)).collect::<Result<_, _>>()?,
        Some(_) => return Err(form()),
    };
    let mut scopes: Vec<Scope> = words.into_iter().filter_map(Scope::named).collect();
    scopes.sort_unstable();
    scopes.dedup();
    Ok(scopes)
}
