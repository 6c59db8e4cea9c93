//! A consumer group: created, created again after it was lost, and asked what is pending.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use gristmill_core::model::Position;
use gristmill_core::ports::Start;
use redis::{RedisResult, Value};

use super::client::Link;
use super::entry::{id, position};
use super::settings::Creation;

/// Where a group begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// At the first entry, or at what is added from now on.
    At(Start),
    /// After this entry.
    After(Position),
}

impl Begin {
    fn id(self) -> String {
        match self {
            Self::At(Start::Earliest) => "0".to_owned(),
            Self::At(Start::Latest) => "$".to_owned(),
            Self::After(position) => id(position),
        }
    }

    /// Where a group that was lost goes on: after what this host has read, if that is still the same stream. One that has given
    /// out lower ids since is another, and is read from its start.
    pub(super) fn again(read: Option<Position>, last: Option<Position>, start: Start) -> Self {
        match (read, last) {
            (Some(read), Some(last)) if read <= last => Self::After(read),
            (Some(_), _) => Self::At(Start::Earliest),
            (None, _) => Self::At(start),
        }
    }
}

/// Creates the group, and its stream if that may be created. One that exists stays as it is.
pub(super) async fn create(
    link: &mut Link,
    (stream, group): (&str, &str),
    begin: Begin,
    creation: Creation,
) -> RedisResult<()> {
    let mut create = redis::cmd("XGROUP");
    create.arg("CREATE").arg(stream).arg(group).arg(begin.id());
    if creation == Creation::Missing {
        create.arg("MKSTREAM");
    }
    match create.exec_async(link).await {
        Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
        created => created,
    }
}

/// How often entries were delivered that a consumer has pending, between two ids.
pub(super) async fn deliveries(
    link: &mut Link,
    (stream, group): (&str, &str),
    consumer: &str,
    (first, last): (Position, Position),
    most: usize,
) -> RedisResult<BTreeMap<Position, NonZeroU32>> {
    let mut pending = redis::cmd("XPENDING");
    pending.arg(stream).arg(group).arg(id(first)).arg(id(last)).arg(most).arg(consumer);
    let rows: Vec<(String, String, u64, u32)> = pending.query_async(link).await?;
    let row = |(id, _, _, count): (String, _, _, u32)| Some((position(id.as_bytes())?, NonZeroU32::new(count)?));
    Ok(rows.into_iter().filter_map(row).collect())
}

/// The consumers of a group, and how many entries each has pending.
pub(super) async fn consumers(link: &mut Link, (stream, group): (&str, &str)) -> RedisResult<BTreeMap<String, u64>> {
    let consumers: Vec<BTreeMap<String, Value>> =
        redis::cmd("XINFO").arg("CONSUMERS").arg(stream).arg(group).query_async(link).await?;
    let row = |consumer: BTreeMap<String, Value>| match (consumer.get("name"), consumer.get("pending")) {
        (Some(Value::BulkString(name)), Some(Value::Int(pending))) => {
            Some((String::from_utf8_lossy(name).into_owned(), u64::try_from(*pending).unwrap_or_default()))
        }
        _ => None,
    };
    Ok(consumers.into_iter().filter_map(row).collect())
}

/// The first ids that a consumer has pending.
pub(super) async fn pending(
    link: &mut Link,
    (stream, group): (&str, &str),
    consumer: &str,
    most: usize,
) -> RedisResult<Vec<Position>> {
    let mut pending = redis::cmd("XPENDING");
    pending.arg(stream).arg(group).arg("-").arg("+").arg(most).arg(consumer);
    let rows: Vec<(String, String, u64, u32)> = pending.query_async(link).await?;
    Ok(rows.into_iter().filter_map(|(id, _, _, _)| position(id.as_bytes())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_was_lost_goes_on_where_it_was() {
        let [early, late] = [Position(5 << 64), Position(9 << 64)];
        let again = |read, last| Begin::again(read, last, Start::Latest);
        assert_eq!(again(Some(early), Some(late)), Begin::After(early), "only the group was deleted");
        assert_eq!(again(Some(late), Some(early)), Begin::At(Start::Earliest), "another stream");
        assert_eq!(again(Some(late), None), Begin::At(Start::Earliest), "the stream will be another");
        assert_eq!(again(None, Some(late)), Begin::At(Start::Latest), "nothing was read");
    }
}
