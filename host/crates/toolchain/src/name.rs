//! Names of stages and projects, which become names of crates, files and types.

use std::fmt;
use std::str::FromStr;

/// The longest name.
const LONGEST: usize = 40;

/// Words that no crate in Rust can have as its name, or that mean another one.
const TAKEN: [&str; 50] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "gristmill-sdk",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "where",
];

/// The name of a stage or a project: 1 to 40 of a-z, 0-9 and "-", the first a letter, the last none of "-".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

/// A text that is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} cannot be the name of a stage: {why}")]
pub struct BadName {
    text: String,
    why: &'static str,
}

impl Name {
    /// The name itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of a type: `MyStage` for "my-stage".
    #[must_use]
    pub fn type_name(&self) -> String {
        let mut text = String::new();
        for part in self.0.split('-') {
            let mut letters = part.chars();
            text.extend(letters.next().map(|first| first.to_ascii_uppercase()));
            text.push_str(letters.as_str());
        }
        text
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let bad = |why| Err(BadName { text: text.chars().take(100).collect(), why });
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.is_empty() || text.len() > LONGEST || !text.chars().all(legal) {
            return bad("names have 1 to 40 of a-z, 0-9 and \"-\"");
        }
        if !text.starts_with(|c: char| c.is_ascii_lowercase()) || text.ends_with('-') {
            return bad("names begin with a letter and do not end in \"-\"");
        }
        // A file in a test folder of cargo, a keyword, or a crate that every other one knows.
        if TAKEN.contains(&text) {
            return bad("it means something to Rust; choose another");
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_type() {
        for (name, expected) in [("shout", "Shout"), ("my-first-stage", "MyFirstStage"), ("a--b2", "AB2")] {
            assert_eq!(name.parse::<Name>().unwrap().type_name(), expected);
        }
    }

    #[test]
    fn what_cannot_be_a_crate_is_no_name() {
        let long = "a".repeat(41);
        for text in ["", "Shout", "-a", "a-", "9a", "../a", "a_b", "fn", "std", "gristmill-sdk", "schön", &long] {
            let refused = text.parse::<Name>().unwrap_err().to_string();
            assert!(refused.contains("cannot be the name of a stage"), "{refused}");
        }
    }
}
