//! How far behind a group is. Pure but for the question.

use gristmill_core::model::Position;
use redis::{RedisResult, Value};

use super::client::Link;
use super::entry::position;
use super::scripts::Scripts;

/// A stream, and a group on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    length: u64,
    /// The last id that was given to an entry, which may be deleted since.
    pub(super) last: Position,
    /// How many entries were ever added. Redis knows since 7.0.
    added: Option<u64>,
    first: Option<Position>,
    group: Option<Group>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Group {
    pending: u64,
    delivered: Position,
    read: Option<u64>,
    /// Entries that were not delivered yet. Redis knows since 7.0, and not always.
    unread: Option<u64>,
}

impl Look {
    /// Asks Redis; `None` if there is no such stream.
    pub(super) async fn at(link: &mut Link, scripts: &Scripts, stream: &str, group: &str) -> RedisResult<Option<Self>> {
        let mut look = scripts.look.key(stream);
        look.arg(group);
        let answer: Vec<Value> = look.invoke_async(link).await?;
        Ok(Self::of(&answer))
    }

    fn of(answer: &[Value]) -> Option<Self> {
        let number = |index: usize| match answer.get(index) {
            Some(Value::Int(number)) => u64::try_from(*number).ok(),
            _ => None,
        };
        let id = |index: usize| match answer.get(index) {
            Some(Value::BulkString(id)) => position(id),
            _ => None,
        };
        let group = number(4).zip(id(5));
        let group = group.map(|(pending, delivered)| {
            // Redis does not say so of a group that has read nothing at all.
            let read = number(6).or((delivered == Position(0)).then_some(0));
            Group { pending, delivered, read, unread: number(7) }
        });
        Some(Self { length: number(0)?, last: id(1)?, added: number(2), first: id(3), group })
    }

    /// How many entries are not settled: those pending and those not delivered yet. Where Redis does not know the latter, all
    /// that the stream holds count, unless the group is at its end.
    pub(super) fn unsettled(&self) -> Option<u64> {
        let Group { pending, delivered, unread, .. } = self.group?;
        let unread = unread.unwrap_or(if delivered >= self.last { 0 } else { self.length });
        Some(pending + unread)
    }

    /// How many entries were trimmed before the group has read them. 0 where Redis does not know.
    pub(super) fn trimmed_unread(&self) -> u64 {
        let Some(Group { delivered, read: Some(read), .. }) = self.group else { return 0 };
        let Some(added) = self.added else { return 0 };
        // Entries that were deleted in the middle are no gap between what was read and the first that is left.
        let gap = self.first.map_or(self.last > delivered, |first| first > delivered);
        if gap { added.saturating_sub(self.length).saturating_sub(read) } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u128) -> Position {
        Position(milliseconds << 64)
    }

    fn look(group: Group) -> Look {
        Look { length: 10, last: at(20), added: Some(20), first: Some(at(11)), group: Some(group) }
    }

    #[test]
    fn what_is_pending_and_what_is_unread_is_unsettled() {
        let group = Group { pending: 3, delivered: at(15), read: Some(15), unread: Some(5) };
        assert_eq!(look(group).unsettled(), Some(8));
        assert_eq!(look(Group { unread: None, ..group }).unsettled(), Some(13), "the bound from above");
        assert_eq!(look(Group { unread: None, delivered: at(20), ..group }).unsettled(), Some(3), "at the end");
        assert_eq!(Look { group: None, ..look(group) }.unsettled(), None);
    }

    #[test]
    fn entries_that_were_trimmed_unread_are_counted() {
        let group = Group { pending: 0, delivered: at(7), read: Some(7), unread: None };
        assert_eq!(look(group).trimmed_unread(), 3, "8, 9 and 10");
        assert_eq!(look(Group { delivered: at(11), read: Some(11), ..group }).trimmed_unread(), 0);
        let emptied = Look { length: 0, first: None, ..look(group) };
        assert_eq!(emptied.trimmed_unread(), 13);
        assert_eq!(Look { added: None, ..look(group) }.trimmed_unread(), 0, "unknown before 7.0");
    }

    #[test]
    fn an_answer_without_a_group_is_read() {
        let id = |id: &str| Value::BulkString(id.into());
        let answer = [Value::Int(1), id("5-0"), Value::Int(-1), id("")];
        let expected = Look { length: 1, last: at(5), added: None, first: None, group: None };
        assert_eq!(Look::of(&answer), Some(expected));
        assert_eq!(Look::of(&[]), None);
    }
}
