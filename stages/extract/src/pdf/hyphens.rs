//! Joins words that are divided at the end of a line.
//!
//! A hyphen there is either a division ("imple-mentation") or part of the word ("well-known"). The rest of the document
//! often says which: it has the word elsewhere, with the hyphen or without.

use std::collections::HashMap;

use super::lines::{Break, Line};
use super::sheet::Sheet;

/// First parts of words that keep their hyphen.
const KEEP: [&str; 26] = [
    "self", "well", "half", "all", "ex", "cross", "high", "low", "long", "short", "full", "part", "one", "two",
    "three", "four", "five", "six", "ten", "so", "must", "non", "state", "user", "real", "open",
];
/// Words before which a hyphen stands for the end of a word that comes later ("pre- and postwar").
const OMISSIONS: [&str; 9] = ["and", "or", "to", "und", "oder", "bzw", "sowie", "bis", "et"];

/// What becomes of the end of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Join {
    /// The hyphen only divides the word.
    Word,
    /// It is part of the word.
    Hyphen,
    /// The lines stay apart.
    No,
}

/// The words that occur in the document, among those in question.
type Words = HashMap<String, bool>;

/// Joins the divided words of a document, and writes the soft hyphens that are seen as hyphens.
pub(super) fn join(sheets: &mut [Sheet]) {
    let words = words(sheets);
    for sheet in sheets {
        let mut joined: Vec<Line> = Vec::with_capacity(sheet.lines.len());
        for line in std::mem::take(&mut sheet.lines) {
            let last = joined.last_mut().filter(|last| may_join(last, &line));
            match last.map(|last| (decide(&last.text, &line.text, &words), last)) {
                Some((join @ (Join::Word | Join::Hyphen), last)) => {
                    last.text.pop();
                    if join == Join::Hyphen {
                        last.text.push('-');
                    }
                    last.text.push_str(&line.text);
                    (last.base, last.size) = (line.base, line.size);
                    last.cells.extend(line.cells.iter().skip(1));
                }
                _ => joined.push(line),
            }
        }
        joined.iter_mut().filter(|line| line.text.contains('\u{AD}')).for_each(|line| {
            line.text = line.text.replace('\u{AD}', "-");
        });
        sheet.lines = joined;
    }
}

fn may_join(last: &Line, line: &Line) -> bool {
    line.before == Break::Line && last.cells.len() <= 1 && line.cells.len() <= 1 && last.lie == line.lie
}

/// The divided words of all lines, joined and with their hyphen, and whether they occur elsewhere.
fn words(sheets: &[Sheet]) -> Words {
    let mut words = Words::new();
    for sheet in sheets {
        for pair in sheet.lines.windows(2).filter(|pair| may_join(&pair[0], &pair[1])) {
            if let Some((first, second)) = parts(&pair[0].text, &pair[1].text) {
                words.insert(format!("{first}{second}").to_lowercase(), false);
                words.insert(format!("{first}-{second}").to_lowercase(), false);
            }
        }
    }
    if !words.is_empty() {
        for word in sheets.iter().flat_map(|sheet| &sheet.lines).flat_map(|line| line.text.split_whitespace()) {
            if let Some(occurs) = words.get_mut(&bare(word).to_lowercase()) {
                *occurs = true;
            }
        }
    }
    words
}

/// A word without the marks around it.
fn bare(word: &str) -> &str {
    word.trim_matches(|letter: char| !letter.is_alphanumeric())
}

/// The parts of a word that is divided between two lines.
fn parts<'a>(last: &'a str, next: &'a str) -> Option<(&'a str, &'a str)> {
    let first = last.strip_suffix(['-', '\u{2010}', '\u{AD}'])?;
    let first = first.rsplit(char::is_whitespace).next()?;
    let first = first.trim_start_matches(|letter: char| !letter.is_alphanumeric());
    let second = next.split(char::is_whitespace).next()?;
    let end = second.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(second.len());
    let is_word = first.ends_with(char::is_alphanumeric) && end > 0;
    is_word.then(|| (first, &second[..end]))
}

fn decide(last: &str, next: &str, words: &Words) -> Join {
    let Some((first, second)) = parts(last, next) else { return Join::No };
    let occurs = |word: String| words.get(&word.to_lowercase()).is_some_and(|occurs| *occurs);
    let is_soft = last.ends_with('\u{AD}');
    if OMISSIONS.contains(&second) && !is_soft {
        return Join::No;
    }
    let is_divided = second.starts_with(char::is_lowercase) && first.ends_with(char::is_alphabetic);
    let is_upper = |part: &str| part.chars().all(char::is_uppercase);
    let may_be_divided = is_divided || (is_upper(first) && is_upper(second));
    if may_be_divided && (is_soft || occurs(format!("{first}{second}"))) {
        return Join::Word;
    }
    if !is_divided {
        return Join::Hyphen;
    }
    let keeps = occurs(format!("{first}-{second}"))
        || first.contains('-')
        || first.chars().count() < 2
        || first.chars().skip(1).any(|letter| !letter.is_lowercase())
        || KEEP.contains(&first.to_lowercase().as_str());
    if keeps { Join::Hyphen } else { Join::Word }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(last: &str, next: &str, elsewhere: &[&str]) -> Join {
        let words = elsewhere.iter().map(|word| ((*word).to_owned(), true)).collect();
        decide(last, next, &words)
    }

    #[test]
    fn divided_words_are_joined_and_compounds_keep_their_hyphen() {
        assert_eq!(joined("the imple-", "mentation of", &[]), Join::Word);
        assert_eq!(joined("a well-", "known plan", &[]), Join::Hyphen);
        assert_eq!(joined("Form W-", "4 of", &[]), Join::Hyphen);
        assert_eq!(joined("the Anglo-", "Saxon", &[]), Join::Hyphen);
        assert_eq!(joined("mother-in-", "law", &[]), Join::Hyphen);
        assert_eq!(joined("YYMMDDhhmm-", "hh", &[]), Join::Hyphen);
        assert_eq!(joined("pre-", "and postwar", &[]), Join::No);
        assert_eq!(joined("a dash -", "and more", &[]), Join::No);
    }

    #[test]
    fn the_rest_of_the_document_decides() {
        assert_eq!(joined("water-", "proof", &["water-proof"]), Join::Hyphen);
        assert_eq!(joined("the ELE-", "MENT", &["element"]), Join::Word);
        assert_eq!(joined("non-", "sense", &["nonsense"]), Join::Word);
    }
}
