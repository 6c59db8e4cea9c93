//! Entries of others: taken over when their host has fallen silent, and found again when their consumer was deleted.

use std::collections::BTreeMap;

use gristmill_core::model::Position;
use redis::{RedisResult, Value};

use super::client::Link;
use super::entry::{Entry, Unexpected, entries, position, positions};
use super::group;
use super::member::Member;
use super::scripts::Scripts;

/// How many ids are remembered of each consumer. More are found by none if it is deleted.
const REMEMBERED: usize = 1_000;
/// How many ids one script looks at: Redis does nothing else meanwhile.
const RENEWED: usize = 200;

/// A part of what `XAUTOCLAIM` has found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claimed {
    /// Where to go on; `None` at the end.
    pub(super) next: Option<Position>,
    pub(super) entries: Vec<Entry>,
    /// Were pending, but are not in the stream any more. Redis has forgotten them.
    pub(super) deleted: Vec<Position>,
}

impl Claimed {
    pub(super) fn of(value: Value) -> Result<Self, Unexpected> {
        let unexpected = Unexpected("list of claimed entries");
        let Value::Array(parts) = value else { return Err(unexpected) };
        let mut parts = parts.into_iter();
        let next = match parts.next() {
            Some(Value::BulkString(id)) => position(&id).ok_or_else(|| unexpected.clone())?,
            _ => return Err(unexpected),
        };
        let entries = entries(parts.next().ok_or(unexpected)?)?;
        // Before 7.0 Redis does not say, and answers them without fields.
        let deleted = parts.next().map_or(Ok(Vec::new()), |deleted| positions(&deleted))?;
        Ok(Self { next: (next != Position(0)).then_some(next), entries, deleted })
    }
}

/// What became of entries that were said to be in work.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Renewed {
    /// Another consumer has them.
    pub(super) taken: Vec<Position>,
    /// They were not pending any more and are again.
    pub(super) restored: Vec<Position>,
    /// They were not pending any more, and are not in the stream.
    pub(super) lost: Vec<Position>,
}

/// Says that entries are in work here.
pub(super) async fn renew(
    link: &mut Link,
    scripts: &Scripts,
    (stream, group): (&str, &str),
    consumer: &str,
    held: &[Position],
) -> RedisResult<Renewed> {
    let mut renewed = Renewed::default();
    for chunk in held.chunks(RENEWED) {
        let mut renew = scripts.renew.key(stream);
        renew.arg(group).arg(consumer);
        for held in chunk {
            renew.arg(super::entry::id(*held));
        }
        let (taken, restored, lost): (Value, Value, Value) = renew.invoke_async(link).await?;
        let list = |ids: &Value| positions(ids).map_err(|error| redis::ParsingError::from(error.to_string()));
        renewed.taken.extend(list(&taken)?);
        renewed.restored.extend(list(&restored)?);
        renewed.lost.extend(list(&lost)?);
    }
    Ok(renewed)
}

/// What other consumers of the group had pending when it was looked last. If one is deleted, Redis forgets what it had: that
/// would never be delivered again.
#[derive(Debug, Default)]
pub(super) struct Others {
    had: BTreeMap<String, Vec<Position>>,
}

impl Others {
    /// Looks again, and returns what was pending with consumers that were deleted since. One that has left by itself had
    /// nothing pending.
    pub(super) async fn look(
        &mut self,
        link: &mut Link,
        (stream, group): (&str, &str),
        member: &Member,
    ) -> RedisResult<Vec<(String, Vec<Position>)>> {
        let consumers = group::consumers(link, (stream, group)).await?;
        let deleted = deleted(&self.had, &consumers, &member.known(link).await?);
        let mut had = BTreeMap::new();
        for (name, _) in consumers.into_iter().filter(|(name, pending)| *name != member.name && *pending > 0) {
            let pending = group::pending(link, (stream, group), &name, REMEMBERED).await?;
            had.insert(name, pending);
        }
        self.had = had;
        Ok(deleted)
    }
}

/// Those that had something, are no consumers any more, and have not left: their name is still noted.
fn deleted(
    had: &BTreeMap<String, Vec<Position>>,
    consumers: &BTreeMap<String, u64>,
    noted: &[String],
) -> Vec<(String, Vec<Position>)> {
    let gone = had.iter().filter(|(name, _)| !consumers.contains_key(*name) && noted.contains(*name));
    gone.map(|(name, pending)| (name.clone(), pending.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::tests::text;

    fn at(milliseconds: u128) -> Position {
        Position(milliseconds << 64)
    }

    #[test]
    fn what_is_claimed_and_what_is_gone_is_told() {
        let entry = Value::Array(vec![text("5-0"), Value::Array(vec![text("a"), text("1")])]);
        let answer = |next: &str, rest: Vec<Value>| {
            let first = vec![text(next), Value::Array(vec![entry.clone()])];
            Claimed::of(Value::Array(first.into_iter().chain(rest).collect())).unwrap()
        };
        let claimed = answer("0-0", vec![Value::Array(vec![text("6-0")])]);
        assert_eq!((claimed.next, claimed.entries[0].position, claimed.deleted), (None, at(5), vec![at(6)]));
        let before_7 = answer("7-0", Vec::new());
        assert_eq!((before_7.next, before_7.deleted), (Some(at(7)), Vec::new()));
    }

    #[test]
    fn only_a_consumer_that_was_deleted_leaves_something_behind() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let had: BTreeMap<String, Vec<Position>> =
            ["alive", "left", "deleted"].into_iter().map(|name| (name.to_owned(), vec![at(1)])).collect();
        let consumers = BTreeMap::from([("alive".to_owned(), 1)]);
        let found = deleted(&had, &consumers, &names(&["alive", "deleted"]));
        assert_eq!(found, [("deleted".to_owned(), vec![at(1)])]);
    }
}
