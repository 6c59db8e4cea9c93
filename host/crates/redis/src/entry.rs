//! Entries of a stream as Redis answers them, and their ids.

use bytes::Bytes;
use gristmill_core::model::Position;
use redis::Value;

/// The names and values of an entry, in order. Names may come twice.
pub(super) type Fields = Vec<(Bytes, Bytes)>;

/// One entry of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) position: Position,
    /// `None` if it is pending, but no longer in the stream: it was trimmed or deleted.
    pub(super) fields: Option<Fields>,
}

/// What Redis answered is not what the command answers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Redis answered something that is no {0}")]
pub(super) struct Unexpected(pub(super) &'static str);

/// A position as an id. Unlike [`Position`]'s own text it always has both numbers: Redis takes "5" for "5-0".
pub(super) fn id(position: Position) -> String {
    let (milliseconds, sequence) = numbers(position);
    format!("{milliseconds}-{sequence}")
}

/// When the entry was added by the clock of Redis, in milliseconds since the Unix epoch, unless its producer chose the id.
pub(super) fn milliseconds(position: Position) -> u64 {
    numbers(position).0
}

#[allow(clippy::cast_possible_truncation, reason = "each half is taken")]
fn numbers(position: Position) -> (u64, u64) {
    ((position.0 >> 64) as u64, position.0 as u64)
}

/// The position of an id.
pub(super) fn position(id: &[u8]) -> Option<Position> {
    let (milliseconds, sequence) = std::str::from_utf8(id).ok()?.split_once('-')?;
    let (milliseconds, sequence): (u64, u64) = (milliseconds.parse().ok()?, sequence.parse().ok()?);
    Some(Position(u128::from(milliseconds) << 64 | u128::from(sequence)))
}

/// The entries of one stream, as `XRANGE` and the streams of `XREAD` answer them.
pub(super) fn entries(value: Value) -> Result<Vec<Entry>, Unexpected> {
    match value {
        Value::Nil => Ok(Vec::new()),
        Value::Array(entries) => entries.into_iter().filter(|entry| *entry != Value::Nil).map(entry).collect(),
        _ => Err(Unexpected("list of entries")),
    }
}

/// The entries of the only stream that was read by `XREAD` or `XREADGROUP`; none if nothing came in time.
pub(super) fn of_stream(value: Value) -> Result<Vec<Entry>, Unexpected> {
    let stream = match value {
        Value::Nil => return Ok(Vec::new()),
        Value::Array(streams) => match streams.into_iter().next() {
            Some(Value::Array(mut stream)) if stream.len() == 2 => stream.pop(),
            _ => None,
        },
        Value::Map(streams) => streams.into_iter().next().map(|(_, entries)| entries),
        _ => None,
    };
    entries(stream.ok_or(Unexpected("list of streams"))?)
}

fn entry(value: Value) -> Result<Entry, Unexpected> {
    let unexpected = Unexpected("entry of a stream");
    let Value::Array(parts) = value else { return Err(unexpected) };
    let mut parts = parts.into_iter();
    let (Some(Value::BulkString(id)), Some(fields)) = (parts.next(), parts.next()) else { return Err(unexpected) };
    let Some(position) = position(&id) else { return Err(unexpected) };
    let fields = match fields {
        Value::Nil => None,
        Value::Array(fields) => Some(pairs(fields)?),
        Value::Map(fields) => {
            let flat = fields.into_iter().flat_map(|(name, value)| [name, value]);
            Some(pairs(flat.collect())?)
        }
        _ => return Err(unexpected),
    };
    Ok(Entry { position, fields })
}

fn pairs(values: Vec<Value>) -> Result<Fields, Unexpected> {
    let mut fields = Vec::with_capacity(values.len() / 2);
    let mut values = values.into_iter();
    while let Some(name) = values.next() {
        match (name, values.next()) {
            (Value::BulkString(name), Some(Value::BulkString(value))) => fields.push((name.into(), value.into())),
            _ => return Err(Unexpected("list of fields")),
        }
    }
    Ok(fields)
}

/// A list of positions, as scripts and `XAUTOCLAIM` answer ids.
pub(super) fn positions(value: &Value) -> Result<Vec<Position>, Unexpected> {
    let unexpected = Unexpected("list of ids");
    let Value::Array(ids) = value else { return Err(unexpected) };
    let one = |id: &Value| match id {
        Value::BulkString(id) => position(id),
        _ => None,
    };
    ids.iter().map(one).collect::<Option<_>>().ok_or(unexpected)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A text as Redis answers it.
    pub(crate) fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn list(values: impl IntoIterator<Item = Value>) -> Value {
        Value::Array(values.into_iter().collect())
    }

    #[test]
    fn names_keep_their_order_and_may_come_twice() {
        let fields = list(["a", "1", "b", "2", "a", "3"].map(text));
        let read = of_stream(list([list([text("s"), list([list([text("7-1"), fields])])])])).unwrap();
        let expected =
            [("a", "1"), ("b", "2"), ("a", "3")].map(|(name, value)| (Bytes::from(name), Bytes::from(value)));
        assert_eq!(read, [Entry { position: Position((7 << 64) | 1), fields: Some(expected.to_vec()) }]);
    }

    #[test]
    fn a_trimmed_entry_has_no_fields() {
        let read = entries(list([list([text("7-1"), Value::Nil]), Value::Nil])).unwrap();
        assert_eq!(read, [Entry { position: Position((7 << 64) | 1), fields: None }]);
    }

    #[test]
    fn an_answer_of_another_form_is_an_error() {
        for odd in [Value::Int(1), list([Value::Int(1)]), list([list([text("7"), Value::Nil])])] {
            assert!(entries(odd).is_err());
        }
        assert!(entries(list([list([text("7-1"), list([text("a")])])])).is_err(), "a name without a value");
        assert_eq!(of_stream(Value::Nil), Ok(Vec::new()), "nothing came in time");
    }

    proptest! {
        #[test]
        fn an_id_and_its_position_are_the_same(milliseconds in any::<u64>(), sequence in any::<u64>()) {
            let written = format!("{milliseconds}-{sequence}");
            let read = position(written.as_bytes()).unwrap();
            prop_assert_eq!(id(read), written);
            prop_assert_eq!(super::milliseconds(read), milliseconds);
        }

        #[test]
        fn positions_are_in_the_order_of_ids(a in any::<(u64, u64)>(), b in any::<(u64, u64)>()) {
            let at = |(milliseconds, sequence): (u64, u64)| position(format!("{milliseconds}-{sequence}").as_bytes()).unwrap();
            prop_assert_eq!(at(a).cmp(&at(b)), a.cmp(&b));
        }
    }
}
