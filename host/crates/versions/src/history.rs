//! The history of a stage: a line of JSON for each entry, on disk before it counts. What a crash left half is skipped.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::digest::Digest;
use super::entry::{Change, Entry};

/// How many entries a history has at most; then the older half is dropped, but for what still counts.
const MOST: usize = 1_000;
/// The longest reason, in bytes.
const LONGEST_REASON: usize = 2 << 10;
/// The most that is read of a file, in bytes: more than so many entries ever have.
const LARGEST: u64 = 16 << 20;

pub(super) struct History {
    path: PathBuf,
}

impl History {
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// All entries, the oldest first.
    pub(super) fn read(&self) -> io::Result<Vec<Entry>> {
        let mut text = Vec::new();
        match File::open(&self.path) {
            Ok(file) => file.take(LARGEST).read_to_end(&mut text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let (mut entries, mut skipped) = (Vec::new(), 0_usize);
        for line in lines {
            match serde_json::from_slice(line) {
                Ok(entry) => entries.push(entry),
                Err(_) => skipped += 1,
            }
        }
        if skipped > 0 {
            tracing::warn!(path = %self.path.display(), skipped, "lines of the history are not whole; the others count");
        }
        Ok(entries)
    }

    /// Adds an entry. It is on disk when this returns. `before` are the entries that are there.
    pub(super) fn append(&self, before: &[Entry], mut entry: Entry) -> io::Result<Entry> {
        entry.reason = entry.reason.map(|reason| reason[..reason.floor_char_boundary(LONGEST_REASON)].to_owned());
        if before.len() >= MOST {
            self.shorten(before)?;
        }
        let is_new = !self.path.exists();
        let mut file = OpenOptions::new().append(true).read(true).create(true).mode(0o600).open(&self.path)?;
        let mut line = if ends_half(&mut file)? { vec![b'\n'] } else { Vec::new() };
        serde_json::to_writer(&mut line, &entry)?;
        line.push(b'\n');
        file.write_all(&line)?;
        file.sync_data()?;
        if is_new {
            sync_folder(&self.path)?;
        }
        Ok(entry)
    }

    fn shorten(&self, entries: &[Entry]) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let mut text = Vec::new();
        for entry in worth_keeping(entries) {
            serde_json::to_writer(&mut text, entry)?;
            text.push(b'\n');
        }
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        sync_folder(&self.path)
    }
}

/// The newer half, and before it what the standing needs: what serves, what served before, the highest number.
fn worth_keeping(entries: &[Entry]) -> impl Iterator<Item = &Entry> {
    let newer = entries.len() - entries.len().min(MOST / 2);
    let mut needed: Vec<usize> = Vec::new();
    let mut served: Option<&Digest> = None;
    for (index, entry) in entries.iter().enumerate().rev().filter(|(_, entry)| entry.change == Change::Serving) {
        needed.push(index);
        match served {
            None => served = Some(&entry.digest),
            Some(digest) if *digest != entry.digest => break,
            Some(_) => {}
        }
    }
    let highest = entries.iter().enumerate().max_by_key(|(_, entry)| entry.version).map(|(index, _)| index);
    let is_kept = move |index: usize| index >= newer || needed.contains(&index) || Some(index) == highest;
    entries.iter().enumerate().filter(move |(index, _)| is_kept(*index)).map(|(_, entry)| entry)
}

/// Whether the last line was not written to its end.
fn ends_half(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::entry::By;
    use crate::standing::Standing;

    fn entry(module: u64, change: Change) -> Entry {
        let digest = Digest::of(&module.to_le_bytes());
        Entry { at: module, version: module, file: digest.clone(), digest, change, by: By::File, reason: None }
    }

    fn append(history: &History, entry: Entry) -> Entry {
        history.append(&history.read().unwrap(), entry).unwrap()
    }

    proptest! {
        #[test]
        fn whatever_a_crash_left_of_the_last_line_the_others_count_and_the_next_is_whole(cut in 1_usize..300) {
            let folder = tempfile::tempdir().unwrap();
            let history = History::at(folder.path().join("s.jsonl"));
            for module in 1..=3 {
                append(&history, entry(module, Change::Serving));
            }
            let text = fs::read(&history.path).unwrap();
            let last = text.len() - text[..text.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() - 1;
            let cut = cut.min(last);
            fs::write(&history.path, &text[..text.len() - cut]).unwrap();
            let left = history.read().unwrap();
            // Without its line feed alone it is whole.
            prop_assert_eq!(left.len(), if cut == 1 { 3 } else { 2 });
            append(&history, entry(4, Change::Serving));
            let versions: Vec<u64> = history.read().unwrap().iter().map(|entry| entry.version).collect();
            prop_assert_eq!(versions, if cut == 1 { vec![1, 2, 3, 4] } else { vec![1, 2, 4] });
        }
    }

    #[test]
    fn lines_of_something_else_are_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let history = History::at(folder.path().join("s.jsonl"));
        append(&history, entry(1, Change::Serving));
        let mut file = OpenOptions::new().append(true).open(&history.path).unwrap();
        file.write_all(b"\0\0\0\xff\n{\"at\":1}\n\n[]\n").unwrap();
        append(&history, entry(2, Change::Ready));
        assert_eq!(history.read().unwrap().len(), 2);
    }

    #[test]
    fn a_long_history_is_shortened_and_stands_as_before() {
        let folder = tempfile::tempdir().unwrap();
        let history = History::at(folder.path().join("s.jsonl"));
        let mut entries = vec![entry(2_000, Change::Ready), entry(1, Change::Serving), entry(2, Change::Serving)];
        entries.extend((3..MOST as u64).map(|module| entry(module, Change::Refused)));
        let text: Vec<String> = entries.iter().map(|entry| serde_json::to_string(entry).unwrap() + "\n").collect();
        fs::write(&history.path, text.concat()).unwrap();
        let before = Standing::of(&history.read().unwrap());
        let long = Entry { reason: Some("é".repeat(LONGEST_REASON)), ..entry(1_500, Change::Refused) };
        let written = append(&history, long);
        assert!(written.reason.unwrap().len() <= LONGEST_REASON);
        let entries = history.read().unwrap();
        assert_eq!(entries.len(), MOST / 2 + 4);
        let after = Standing::of(&entries);
        assert_eq!((after.serving(), after.before()), (before.serving(), before.before()));
        assert_eq!(after.number(&Digest::of(b"new")), 2_001, "numbers are not used again");
    }
}
