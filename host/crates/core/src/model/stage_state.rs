//! What a stage keeps between items: small values under keys of its own, within a quota. Pure: stores apply these rules.

use bytes::Bytes;

/// The longest key, in bytes.
pub const LONGEST_KEY: usize = 256;
/// The longest value, in bytes.
pub const LONGEST_VALUE: usize = 64 << 10;

/// A value, and its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Another one with each write in the same stage, also after a deletion. Only equality means anything.
    pub version: u64,
    /// The value.
    pub value: Bytes,
}

/// What has to be there for a write to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Anything, or nothing.
    Any,
    /// Nothing.
    Absent,
    /// An entry of this version.
    Version(u64),
}

impl Expected {
    /// Whether an entry of this version, or none, is what was expected.
    #[must_use]
    pub fn is_met_by(self, version: Option<u64>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => version.is_none(),
            Self::Version(expected) => version == Some(expected),
        }
    }
}

/// How much the entries of a stage may take together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How many.
    pub keys: u64,
    /// The bytes of their keys and values.
    pub bytes: u64,
}

/// A change of one entry of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateWrite {
    /// At most [`LONGEST_KEY`] bytes, not empty.
    pub key: String,
    /// At most [`LONGEST_VALUE`] bytes; `None` deletes the entry.
    pub value: Option<Bytes>,
    /// What has to be there.
    pub expected: Expected,
    /// What all entries may take together afterwards. A write that makes them no larger always fits.
    pub quota: Quota,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrote {
    /// It was made, and got this version.
    Done(u64),
    /// Something else was there, or nothing: this.
    Conflict(Option<Entry>),
    /// There is no room for it.
    Full,
}

/// What the entries of a stage take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Space {
    /// How many there are.
    pub keys: u64,
    /// The bytes of their keys and values.
    pub bytes: u64,
    /// The last version that was given.
    pub version: u64,
}

impl Space {
    /// What they take after a write in place of a value of so many bytes; `None` if there is no room.
    #[must_use]
    pub fn after(self, write: &StateWrite, before: Option<usize>) -> Option<Self> {
        let size = |value: usize| (write.key.len() + value) as u64;
        let (old, new) = (before.map(size), write.value.as_ref().map(|value| size(value.len())));
        let keys = (self.keys + u64::from(new.is_some())).saturating_sub(u64::from(old.is_some()));
        let bytes = (self.bytes + new.unwrap_or(0)).saturating_sub(old.unwrap_or(0));
        let (more_keys, more_bytes) = (keys > self.keys, bytes > self.bytes);
        let fits = (!more_keys || keys <= write.quota.keys) && (!more_bytes || bytes <= write.quota.bytes);
        fits.then_some(Self { keys, bytes, version: self.version + 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(value: Option<usize>, quota: Quota) -> StateWrite {
        let value = value.map(|length| Bytes::from(vec![0; length]));
        StateWrite { key: "key".into(), value, expected: Expected::Any, quota }
    }

    #[test]
    fn what_makes_nothing_larger_always_fits() {
        let (over, none) = (Space { keys: 9, bytes: 900, version: 4 }, Quota { keys: 0, bytes: 0 });
        assert_eq!(over.after(&write(None, none), Some(7)), Some(Space { keys: 8, bytes: 890, version: 5 }));
        assert_eq!(over.after(&write(Some(7), none), Some(7)), Some(Space { version: 5, ..over }));
        assert_eq!(over.after(&write(Some(8), none), Some(7)), None);
        assert_eq!(over.after(&write(Some(0), none), None), None);
    }

    #[test]
    fn a_quota_is_used_to_the_last_byte_and_key() {
        let quota = Quota { keys: 1, bytes: 10 };
        assert_eq!(
            Space::default().after(&write(Some(7), quota), None),
            Some(Space { keys: 1, bytes: 10, version: 1 })
        );
        assert_eq!(Space::default().after(&write(Some(8), quota), None), None);
        assert_eq!(Space { keys: 1, ..Space::default() }.after(&write(Some(1), quota), None), None);
    }
}
