//! What the configuration adds: texts that are never let through and patterns; and what this stage wrote itself.

use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};
use regex::{Regex, RegexBuilder};

use super::boundary::is_word;
use super::matches::Match;
use crate::kind::Kind;

/// Texts that are always replaced, whole words in any letter case.
#[derive(Debug)]
pub(crate) struct Deny(AhoCorasick);

impl Deny {
    /// `None` if there are more texts than an automaton can hold.
    pub(crate) fn new(texts: &[String]) -> Option<Self> {
        // The automaton ignores the case of ASCII letters only.
        let spellings = |text: &String| [text.clone(), text.to_lowercase(), text.to_uppercase()];
        let texts: Vec<String> = texts.iter().flat_map(spellings).collect();
        let builder =
            AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).ascii_case_insensitive(true).build(texts);
        builder.ok().map(Self)
    }

    pub(super) fn scan(&self, text: &str, report: &mut dyn FnMut(Kind, Range<usize>)) {
        for found in self.0.find_iter(text) {
            let part = &text[found.range()];
            let opens = !(part.starts_with(is_word) && text[..found.start()].ends_with(is_word));
            let closes = !(part.ends_with(is_word) && text[found.end()..].starts_with(is_word));
            if opens && closes {
                report(Kind::Denied, found.range());
            }
        }
    }
}

/// The sandbox has a small stack, and each level of an expression takes some of it.
const DEEPEST: u32 = 32;
/// The most memory for a compiled expression, in bytes.
const LARGEST: usize = 1 << 20;

/// A regular expression of the configuration. Its time is linear in the text.
#[derive(Debug)]
pub(crate) struct Pattern {
    pub(crate) name: String,
    regex: Regex,
}

impl Pattern {
    /// # Errors
    /// What is wrong with the expression.
    pub(crate) fn new(name: &str, expression: &str) -> Result<Self, String> {
        let mut builder = RegexBuilder::new(expression);
        let regex = builder.nest_limit(DEEPEST).size_limit(LARGEST).build().map_err(|error| error.to_string())?;
        if regex.is_match("") {
            return Err("it matches the empty text".into());
        }
        Ok(Self { name: name.into(), regex })
    }

    /// The first group of the expression is what to replace; all of it if there is none.
    pub(super) fn scan(&self, text: &str, report: &mut dyn FnMut(Range<usize>)) {
        if self.regex.captures_len() == 1 {
            self.regex.find_iter(text).map(|found| found.range()).filter(|range| !range.is_empty()).for_each(report);
            return;
        }
        for found in self.regex.captures_iter(text) {
            if let Some(group) = found.get(1).filter(|group| !group.is_empty()) {
                report(group.range());
            }
        }
    }
}

/// A bare hash has this many digits.
const HASH: usize = 32;

/// The replacements of this stage in a text: labels in square brackets, and hashes if `written` knows them.
pub(super) fn written(text: &str, written: &dyn Fn(&str) -> bool) -> Vec<Match> {
    let mut all = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    for open in memchr::memchr_iter(b'[', bytes) {
        if open < at {
            continue;
        }
        hashes(text, at..open, written, &mut all);
        at = open;
        let inner =
            bytes[open + 1..].iter().take(40).take_while(|byte| byte.is_ascii_uppercase() || **byte == b'_').count();
        if inner < 2 {
            continue;
        }
        let rest = &bytes[open + 1 + inner..];
        let Some(close) = rest.iter().take(64).position(|byte| *byte == b']') else { continue };
        let end = open + 1 + inner + close + 1;
        if text.is_char_boundary(end) && is_label(&text[open + 1 + inner..end - 1]) {
            all.push(Match { kind: None, range: open..end });
            at = end;
        }
    }
    hashes(text, at..text.len(), written, &mut all);
    all
}

/// What follows the name in a label: nothing, a token or the shown part of a value.
fn is_label(rest: &str) -> bool {
    let token = rest.len() == 16 && rest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    rest.is_empty() || token || rest.starts_with(" ****")
}

fn hashes(text: &str, range: Range<usize>, written: &dyn Fn(&str) -> bool, all: &mut Vec<Match>) {
    // Whoever knows no hash need not look for one.
    if !written("") {
        return;
    }
    let mut run = 0;
    for at in range.start..=range.end {
        if at < range.end && text.as_bytes()[at].is_ascii_hexdigit() {
            run += 1;
            continue;
        }
        if run == HASH && written(&text[at - run..at]) {
            all.push(Match { kind: None, range: at - run..at });
        }
        run = 0;
    }
}
