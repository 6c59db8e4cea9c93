//! Words and file names that this project does not use, each with the better one.

use std::path::Path;

/// Odd phrases, in lower case.
const PHRASES: &[(&str, &str)] = &[
    ("goes on where it was", "resumes where it left off"),
    ("is told at the start", "is reported at startup"),
    ("all of it fits", "OK"),
    ("what lies in", "what is stored in"),
    ("a first own", "your first"),
    ("what is there in", "what ... includes"),
    ("whoever typed it", "the user"),
    ("made anew", "recreated"),
    ("thrown out of the group", "removed from the group"),
    ("are told at once", "are reported immediately"),
    ("waits in vain", "times out"),
    ("begun anew", "started again"),
    ("the way out", "how to fix it"),
    ("ways between", "routes between"),
    ("what was acknowledged is there", "everything acknowledged is kept"),
];

/// Names that say nothing about what a file holds.
const NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "manager", "managers", "misc"];

pub(super) fn phrases(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    // One line, so that a phrase is found across a line break in a comment or a paragraph.
    let joined: Vec<&str> =
        text.lines().flat_map(|line| line.trim().trim_start_matches(['/', '!', '#']).split_whitespace()).collect();
    let joined = format!(" {} ", joined.join(" ").to_lowercase());
    for (phrase, better) in PHRASES {
        let found = joined.match_indices(phrase).any(|(at, _)| {
            let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            !letter(joined[..at].chars().next_back()) && !letter(joined[at + phrase.len()..].chars().next())
        });
        if found {
            faults.push(format!("{name} says {phrase:?}; write {better:?}"));
        }
    }
    faults
}

pub(super) fn file_name(name: &str) -> Option<String> {
    let parts = Path::new(name).iter().filter_map(|part| Path::new(part).file_stem()?.to_str());
    let vague = parts.into_iter().find(|part| NAMES.contains(part))?;
    Some(format!("{name}: `{vague}` does not say what it holds; name it after its content"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_is_found_across_lines_and_only_as_whole_words() {
        let faults = phrases("a.rs", "/// The job Goes on where\n/// it was.\n");
        assert_eq!(faults, ["a.rs says \"goes on where it was\"; write \"resumes where it left off\""]);
        assert!(phrases("a.rs", "// it forgoes on where it was").is_empty());
        assert!(phrases("a.rs", "// the job resumes").is_empty());
    }

    #[test]
    fn vague_file_and_folder_names_are_rejected() {
        assert!(file_name("host/src/utils.rs").is_some());
        assert!(file_name("host/src/common/mod.rs").is_some());
        assert!(file_name("host/src/common_words.rs").is_none());
    }
}
