//! Payloads that are too large for a record: kept as an object, of which the record carries a reference.

use std::fmt;
use std::str::FromStr;

use super::digest::sha256;
use super::ids::JobId;
use super::standing::Run;

/// The name of an object: at most 512 bytes of a-z, 0-9, "-", "_", "." and "/", never "." or ".." between two "/".
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectName(String);

/// What an object is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectOf {
    /// What was submitted.
    Input,
    /// The output of a run with this number, from 0. A later run leaves it alone.
    Output(Run, usize),
}

/// A reference to an object, in place of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPayload {
    /// The object.
    pub name: ObjectName,
    /// Its SHA-256: whoever reads it compares.
    pub sha256: [u8; 32],
    /// Its size in bytes.
    pub size: u64,
}

const LONGEST: usize = 512;

impl ObjectName {
    /// The object of a job, under a name that no other job has. Characters of the id that a name must not have become
    /// "_": digests keep two of such names apart.
    #[must_use]
    pub fn of(pipeline: &str, job: &JobId, what: ObjectOf) -> Self {
        let plain = |text: &str| -> String {
            let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            text.chars().map(|c| if legal(c) { c } else { '_' }).take(100).collect()
        };
        let digest = sha256(format!("{pipeline}\n{job}").as_bytes());
        let what = match what {
            ObjectOf::Input => "input".to_owned(),
            ObjectOf::Output(run, number) => format!("output-{}-{number}", run.0),
        };
        Self(format!("{}/{}-{}/{what}", plain(pipeline), plain(job.as_str()), &digest[..16]))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ObjectName {
    type Err = ();

    /// Refuses everything that could lead out of a folder: headers are written by others.
    fn from_str(text: &str) -> Result<Self, ()> {
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
        let is_part = |part: &str| !part.is_empty() && !part.starts_with('.') && part.bytes().all(legal);
        (text.len() <= LONGEST && text.split('/').all(is_part)).then(|| Self(text.to_owned())).ok_or(())
    }
}

impl fmt::Display for StoredPayload {
    /// As the header has it: `NAME;sha256=HEX;size=BYTES`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};sha256=", self.name.as_str())?;
        for byte in self.sha256 {
            write!(f, "{byte:02x}")?;
        }
        write!(f, ";size={}", self.size)
    }
}

impl FromStr for StoredPayload {
    type Err = ();

    /// Parses what `Display` writes, and no other spelling.
    fn from_str(text: &str) -> Result<Self, ()> {
        let [name, sha256, size] = text.split(';').collect::<Vec<_>>().try_into().map_err(|_| ())?;
        let hex = sha256.strip_prefix("sha256=").filter(|hex| hex.len() == 64 && hex.is_ascii()).ok_or(())?;
        let mut digest = [0; 32];
        for (byte, place) in digest.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&hex[place..place + 2], 16).map_err(|_| ())?;
        }
        let size = size.strip_prefix("size=").and_then(|size| size.parse().ok()).ok_or(())?;
        let read = Self { name: name.parse()?, sha256: digest, size };
        (read.to_string() == text).then_some(read).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EventId, Partition, Position};

    #[test]
    fn a_reference_is_read_as_it_is_written_and_in_no_other_spelling() {
        let event = EventId { partition: Partition { topic: "In/..".into(), index: 0 }, position: Position(7) };
        let name = ObjectName::of("p", &JobId::new("p", &event), ObjectOf::Input);
        assert_eq!(name.as_str().parse(), Ok(name.clone()));
        let stored = StoredPayload { name, sha256: [0xab; 32], size: 5 };
        let text = stored.to_string();
        assert_eq!(text.parse(), Ok(stored));
        for wrong in [text.to_uppercase(), text.replace("size=5", "size=+5"), text.replace("ab", "a"), text + ";"] {
            assert_eq!(wrong.parse::<StoredPayload>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn each_output_of_each_run_has_a_name_of_its_own() {
        let name = |what| ObjectName::of("p", &JobId::submitted(1, &[0; 10]), what);
        let all =
            [ObjectOf::Input, ObjectOf::Output(Run(1), 1), ObjectOf::Output(Run(1), 11), ObjectOf::Output(Run(2), 1)];
        let names: std::collections::BTreeSet<_> = all.into_iter().map(name).collect();
        assert_eq!(names.len(), all.len());
        assert_eq!(names.iter().find(|name| name.as_str().parse() != Ok((*name).clone())), None);
    }

    #[test]
    fn a_name_does_not_lead_out_of_its_folder() {
        for wrong in ["", "/a", "a//b", "a/", "..", "a/../b", "./a", "a/.b", "A", "a\\b", "a\0", &"a".repeat(513)] {
            assert_eq!(wrong.parse::<ObjectName>(), Err(()), "{wrong:?}");
        }
    }
}
