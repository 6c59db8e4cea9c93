//! Records of jobs, as every store changes them: it loads what a change is about, lets it be made here, and writes what is
//! different, as one step. So no store has rules of its own.
//!
//! - `change`: what is asked of records, and the answers
//! - `working`: the records of a batch in memory, on which the rules of the core are applied
//! - `row`: by what records are found
//! - `codec`: their encoding

mod change;
mod codec;
mod row;
#[cfg(test)]
pub(crate) mod samples;
mod working;

pub(crate) use change::{Change, DeliveryChange, Done};
pub(crate) use codec::{decode, decode_moment, encode, encode_moment};
pub(crate) use row::{Row, attribute, batch, created, number, once, owner, status};
pub(crate) use working::{Entry, Working, unreadable};
