//! What a history comes to: which versions there are, in which state, and the rule which one serves.

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::entry::{By, Change, Entry};

/// The versions of a stage, by its history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// In the order of their numbers.
    pub versions: Vec<Version>,
    /// The modules that served, each once more when it served again, the last one last; with what the file named then.
    served: Vec<(Digest, Digest)>,
}

/// A version of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Counted from 1.
    pub number: u64,
    /// Its module.
    pub digest: Digest,
    /// Its state.
    pub state: State,
    /// How it first came here.
    pub by: By,
    /// Since when it is in this state, in milliseconds since the Unix epoch.
    pub since: u64,
    /// Why it is.
    pub reason: Option<String>,
}

/// The state of a version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It was tried out and can be activated.
    #[default]
    Ready,
    /// New jobs run it.
    Serving,
    /// A share of the new jobs runs it.
    Canary,
    /// It served before, or was a canary.
    Retired,
    /// It failed a step.
    Refused,
}

/// What a user's word for a version leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<'s> {
    /// This one.
    One(&'s Version),
    /// Several: digits of a digest that more than one begins with.
    Several,
    /// None.
    None,
}

impl Standing {
    /// What these entries come to, the oldest first.
    #[must_use]
    pub fn of(entries: &[Entry]) -> Self {
        let mut standing = Self::default();
        for entry in entries {
            standing.add(entry);
        }
        standing.versions.sort_by_key(|version| version.number);
        standing
    }

    fn add(&mut self, entry: &Entry) {
        let state = match entry.change {
            Change::Ready => State::Ready,
            Change::Serving => State::Serving,
            Change::Canary => State::Canary,
            Change::Withdrawn => State::Retired,
            Change::Refused => State::Refused,
        };
        if entry.change == Change::Serving {
            for version in &mut self.versions {
                if matches!(version.state, State::Serving | State::Canary) {
                    (version.state, version.since, version.reason) = (State::Retired, entry.at, None);
                }
            }
            if self.served.last().is_none_or(|(digest, _)| *digest != entry.digest) {
                self.served.push((entry.digest.clone(), entry.file.clone()));
            } else if let Some((_, file)) = self.served.last_mut() {
                file.clone_from(&entry.file);
            }
        }
        let (since, reason) = (entry.at, entry.reason.clone());
        match self.versions.iter_mut().find(|version| version.digest == entry.digest) {
            // What serves and could not be loaded once more, with another configuration say, serves on.
            Some(version) if entry.change == Change::Refused && version.state == State::Serving => {}
            Some(version) => (version.state, version.since, version.reason) = (state, since, reason),
            None => {
                let (number, digest) = (entry.version, entry.digest.clone());
                self.versions.push(Version { number, digest, state, by: entry.by, since, reason });
            }
        }
    }

    /// Which module serves when the pipeline file names the module `file`: the one that served last, as long as the file
    /// names the same as then; else the file's.
    #[must_use]
    pub fn choose<'d>(&'d self, file: &'d Digest) -> &'d Digest {
        match self.served.last() {
            Some((digest, of)) if of == file => digest,
            _ => file,
        }
    }

    /// The module that served last, and the one that the file named then.
    #[must_use]
    pub fn serving(&self) -> Option<&(Digest, Digest)> {
        self.served.last()
    }

    /// The module that served before the last one.
    #[must_use]
    pub fn before(&self) -> Option<&Digest> {
        let (_, before) = self.served.split_last()?;
        before.last().map(|(digest, _)| digest)
    }

    /// The version with this module.
    #[must_use]
    pub fn version(&self, digest: &Digest) -> Option<&Version> {
        self.versions.iter().find(|version| version.digest == *digest)
    }

    /// The version that a user means: its number, or at least the first eight digits of its digest.
    #[must_use]
    pub fn find(&self, word: &str) -> Found<'_> {
        if let Some(version) = self.versions.iter().find(|version| version.number.to_string() == word) {
            return Found::One(version);
        }
        let digits = word.strip_prefix("sha256:").unwrap_or(word);
        if digits.len() < 8 {
            return Found::None;
        }
        let mut found = self.versions.iter().filter(|version| version.digest.starts_with(digits));
        match (found.next(), found.next()) {
            (Some(version), None) => Found::One(version),
            (Some(_), Some(_)) => Found::Several,
            (None, _) => Found::None,
        }
    }

    /// The number of a module: its own, or that of the next new one.
    pub(super) fn number(&self, digest: &Digest) -> u64 {
        let next = || self.versions.iter().map(|version| version.number).max().map_or(1, |last| last + 1);
        self.version(digest).map_or_else(next, |version| version.number)
    }

    /// The modules worth keeping, the most important first: what serves, what served before, and then the newest.
    pub(super) fn worth_keeping(&self, most: usize) -> Vec<Digest> {
        let mut kept: Vec<Digest> = Vec::new();
        let canary = self.versions.iter().filter(|version| version.state == State::Canary);
        let mut by_age: Vec<&Version> =
            self.versions.iter().filter(|version| version.state != State::Refused).collect();
        by_age.sort_by_key(|version| std::cmp::Reverse(version.since));
        let wanted = self.serving().map(|(digest, _)| digest).into_iter();
        let wanted = wanted.chain(canary.map(|version| &version.digest)).chain(self.before());
        for digest in wanted.chain(by_age.into_iter().map(|version| &version.digest)) {
            if kept.len() < most && !kept.contains(digest) {
                kept.push(digest.clone());
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    /// A history of module, change and what the file named.
    fn standing(lines: &[(&str, Change, &str)]) -> Standing {
        let mut entries: Vec<Entry> = Vec::new();
        for (at, (module, change, file)) in lines.iter().enumerate() {
            let version = Standing::of(&entries).number(&digest(module));
            entries.push(Entry {
                at: at as u64,
                version,
                digest: digest(module),
                change: *change,
                by: By::Push,
                file: digest(file),
                reason: None,
            });
        }
        Standing::of(&entries)
    }

    #[test]
    fn a_version_that_was_activated_holds_until_the_files_own_module_changes() {
        use Change::*;
        for (lines, file, expected) in [
            (vec![], "a", "a"),
            (vec![("a", Serving, "a")], "a", "a"),
            (vec![("a", Serving, "a"), ("p", Serving, "a")], "a", "p"),
            (vec![("a", Serving, "a"), ("p", Serving, "a")], "b", "b"),
            (vec![("a", Serving, "a"), ("p", Ready, "a")], "a", "a"),
            (vec![("a", Serving, "a"), ("p", Canary, "a")], "a", "a"),
            (vec![("a", Serving, "a"), ("p", Serving, "a"), ("a", Serving, "a")], "a", "a"),
            // Back to what an earlier file had.
            (vec![("a", Serving, "a"), ("b", Serving, "b"), ("a", Serving, "b")], "b", "a"),
            // A file that was refused changes nothing of what served, and is tried again at the next start.
            (vec![("a", Serving, "a"), ("p", Serving, "a"), ("b", Refused, "b")], "a", "p"),
            (vec![("a", Serving, "a"), ("p", Serving, "a"), ("b", Refused, "b")], "b", "b"),
        ] {
            let standing = standing(&lines);
            assert_eq!(standing.choose(&digest(file)), &digest(expected), "{lines:?} with {file}");
        }
    }

    #[test]
    fn one_version_serves_and_those_before_it_are_retired() {
        use Change::*;
        let standing = standing(&[
            ("a", Serving, "a"),
            ("p", Canary, "a"),
            ("x", Refused, "a"),
            ("p", Serving, "a"),
            ("q", Ready, "a"),
        ]);
        let states: Vec<_> = standing.versions.iter().map(|version| (version.number, version.state)).collect();
        let expected = [(1, State::Retired), (2, State::Serving), (3, State::Refused), (4, State::Ready)];
        assert_eq!(states, expected);
        assert_eq!(standing.before(), Some(&digest("a")));
    }

    #[test]
    fn back_is_to_what_served_before_and_back_again_returns() {
        use Change::*;
        let mut lines = vec![("a", Serving, "a"), ("p", Serving, "a"), ("x", Refused, "a"), ("p", Serving, "a")];
        assert_eq!(standing(&lines).before(), Some(&digest("a")), "the same version twice is one");
        lines.push(("a", Serving, "a"));
        assert_eq!(standing(&lines).before(), Some(&digest("p")));
        assert_eq!(standing(&lines[..1]).before(), None);
    }

    #[test]
    fn a_version_is_found_by_its_number_or_the_first_digits_of_its_digest() {
        let standing = standing(&[("a", Change::Serving, "a"), ("b", Change::Ready, "a")]);
        let b = digest("b");
        for word in ["2", &b[..8], &*b, &format!("sha256:{}", &b[..12])] {
            assert!(matches!(standing.find(word), Found::One(version) if version.digest == b), "{word}");
        }
        for word in ["3", "0", "", &b[..7], "zzzzzzzz"] {
            assert_eq!(standing.find(word), Found::None, "{word}");
        }
    }

    #[test]
    fn what_serves_and_what_served_before_is_kept_first() {
        use Change::*;
        let standing = standing(&[
            ("a", Serving, "a"),
            ("b", Serving, "a"),
            ("c", Ready, "a"),
            ("d", Ready, "a"),
            ("x", Refused, "a"),
            ("e", Canary, "a"),
        ]);
        let kept = |most| standing.worth_keeping(most);
        assert_eq!(kept(3), [digest("b"), digest("e"), digest("a")]);
        assert_eq!(kept(10), ["b", "e", "a", "d", "c"].map(digest));
    }
}
