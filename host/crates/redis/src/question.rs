//! What a reader asks Redis for.

use std::time::Duration;

use gristmill_core::model::Position;
use redis::Cmd;

use super::entry::id;
use super::keeper::Names;

/// How many entries are read at a time, at most.
const PAGE: usize = 32;
/// How many bytes that should be, by the size of those before.
const PAGE_BYTES: usize = 8 << 20;

/// What an answer is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// What the consumer has pending, after this.
    Before { after: Position },
    /// New entries; waits this long for the first.
    New { wait: Duration },
    /// What others have had for this long without a word, from this on.
    Claim { idle: Duration, from: Position },
}

impl Question {
    /// The command that asks for so many entries.
    pub(super) fn command(self, names: &Names, consumer: &str, count: usize) -> Cmd {
        let (stream, group) = names.both();
        match self {
            Self::Before { after } => {
                let mut read = read(group, consumer, count);
                read.arg("STREAMS").arg(stream).arg(id(after));
                read
            }
            Self::New { wait } => {
                let mut read = read(group, consumer, count);
                read.arg("BLOCK").arg(milliseconds(wait)).arg("STREAMS").arg(stream).arg(">");
                read
            }
            Self::Claim { idle, from } => {
                let mut claim = redis::cmd("XAUTOCLAIM");
                claim.arg(stream).arg(group).arg(consumer).arg(milliseconds(idle));
                claim.arg(id(from)).arg("COUNT").arg(count);
                claim
            }
        }
    }
}

fn read(group: &str, consumer: &str, count: usize) -> Cmd {
    let mut read = redis::cmd("XREADGROUP");
    read.arg("GROUP").arg(group).arg(consumer).arg("COUNT").arg(count);
    read
}

/// How many entries to ask for; `None` if there is no room. `size` is what one has had so far.
pub(super) fn page(room: usize, size: usize) -> Option<usize> {
    let fits = PAGE_BYTES / size.max(1);
    (room > 0).then(|| room.min(PAGE).min(fits.max(1)))
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_read_than_there_is_room_for() {
        assert_eq!(page(0, 0), None);
        assert_eq!(page(5, 0), Some(5));
        assert_eq!(page(5_000, 100), Some(PAGE));
        assert_eq!(page(5_000, 2 << 20), Some(4), "large entries");
        assert_eq!(page(5_000, 64 << 20), Some(1), "one larger entry may exceed it");
    }
}
