//! Words broken over two lines: `exam-` and `ple` on the next line become `example`.

use std::borrow::Cow;

use super::Artifact;
use crate::report::Report;
use crate::rewrite::Rewrite;

/// Before these words the hyphen belongs to the first word: "Ein- und Ausgabe", "pre- and postwar".
const CONJUNCTIONS: [&str; 14] =
    ["und", "oder", "bzw", "sowie", "and", "or", "to", "et", "ou", "y", "o", "e", "en", "of"];

/// Joins broken words. Both parts must have at least two letters, lower-case at the break. A compound that has a hyphen
/// of its own loses it, which is why this is off by default.
pub(super) fn remove<'t>(text: &'t str, report: &mut Report) -> Cow<'t, str> {
    let mut rewrite = Rewrite::new(text);
    for line_end in memchr::memchr_iter(b'\n', text.as_bytes()) {
        let line = text[..line_end].strip_suffix('\r').unwrap_or(&text[..line_end]);
        let Some(head) = line.strip_suffix(['-', '\u{2010}']) else {
            continue;
        };
        let tail_start = line_end + 1 + indent(&text[line_end + 1..]);
        if ends_open(head) && begins_rest(&text[tail_start..]) {
            rewrite.replace(head.len()..tail_start, "");
            report.removed(Artifact::Hyphenation);
        }
    }
    rewrite.finish()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t']).len()
}

fn ends_open(head: &str) -> bool {
    let mut letters = head.chars().rev();
    letters.next().is_some_and(char::is_lowercase) && letters.next().is_some_and(char::is_alphabetic)
}

fn begins_rest(tail: &str) -> bool {
    let word = &tail[..tail.find(|c: char| !c.is_lowercase()).unwrap_or(tail.len())];
    let is_conjunction =
        CONJUNCTIONS.contains(&word) && tail[word.len()..].chars().next().is_none_or(char::is_whitespace);
    word.chars().nth(1).is_some() && !is_conjunction
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(text: &str) -> String {
        remove(text, &mut Report::default()).into_owned()
    }

    #[test]
    fn broken_words_are_joined() {
        assert_eq!(clean("an exam-\nple and ano-\r\n  ther"), "an example and another");
        assert_eq!(clean("Über-\ngröße, inter-\nnatio-\nnal"), "Übergröße, international");
    }

    #[test]
    fn other_hyphens_at_the_end_of_a_line_stay() {
        for text in [
            "Ein-\nund Ausgabe",
            "Anglo-\nSaxon",
            "A-\nbomb",
            "10-\nfold",
            "list:\n-\nitem",
            "x --\nyes",
            "well-\n\nknown",
            "re-\nx",
        ] {
            assert_eq!(clean(text), text);
        }
    }

    #[test]
    fn a_conjunction_that_continues_is_part_of_a_word() {
        assert_eq!(clean("aben-\nund-\nlich"), "abenundlich");
    }
}
