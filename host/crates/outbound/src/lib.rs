//! Adapter: the calls of other services that stages make, as far as their grants allow them.
//!
//! - [`HttpGrant`]: what the operator allows one stage
//! - [`Calls`]: makes the calls of one stage; [`Parts`] is what it needs for that
//! - [`Lookup`]: asks name servers
//!
//! A call is checked as it is written (`address`, `rule`, `headers`), its secrets are put in (`secrets`), its name is looked up
//! and each address compared (`resolver`), it is sent (`client`), and its answer cleaned, judged and, if the grant says so,
//! kept (`journal`).

mod address;
mod calls;
mod client;
mod headers;
mod journal;
mod resolver;
mod rule;
mod secrets;
mod settings;

pub use calls::{BadGrant, Calls, Parts};
pub use resolver::{Lookup, SystemLookup};
pub use settings::{HttpGrant, SecretGrant};
