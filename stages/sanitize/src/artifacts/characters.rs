//! Artifacts that consist of one or a few characters.

use std::borrow::Cow;
use std::ops::Range;

use super::Artifact;
use super::scripts::{
    FLAG, is_pictograph, is_tag, is_variation_selector, region_length, separates_words_invisibly, shapes_with_joiners,
};
use crate::config::Switches;
use crate::report::Report;
use crate::rewrite::Rewrite;
use crate::sweep::{Eight, Mask, Sweep};

/// The replacement of one artifact.
struct Fix {
    artifact: Artifact,
    range: Range<usize>,
    with: &'static str,
}

/// Removes or replaces the enabled artifacts.
pub(super) fn remove<'t>(text: &'t str, switches: &Switches, report: &mut Report) -> Cow<'t, str> {
    let mut rewrite = Rewrite::new(text);
    let mut next = 0;
    for at in Sweep::new(text.as_bytes(), unusual) {
        if at < next || !may_begin(text.as_bytes()[at]) {
            continue;
        }
        let Some(c) = text[at..].chars().next() else { break };
        next = at + c.len_utf8();
        if c == FLAG {
            next += region_length(&text[next..]).unwrap_or(0);
            continue;
        }
        if let Some(fix) = fix(text, at, c, &rewrite)
            && switches.removes(fix.artifact)
        {
            next = fix.range.end;
            rewrite.replace(fix.range, fix.with);
            report.removed(fix.artifact);
        }
    }
    rewrite.finish()
}

/// All but printable ASCII.
fn unusual(eight: Eight) -> Mask {
    eight.outside(b' ', b'~')
}

/// Whether an artifact or a flag can begin with this unusual byte: not with a line feed, a tab or a form feed, and most
/// alphabets have other first bytes.
fn may_begin(byte: u8) -> bool {
    match byte {
        b'\n' | b'\t' | b'\x0c' => false,
        0x80.. => matches!(byte, 0xc2 | 0xd8 | 0xe2 | 0xef | 0xf0 | 0xf3),
        _ => true,
    }
}

/// What to do with the character at `at`.
fn fix(text: &str, at: usize, c: char, rewrite: &Rewrite<'_>) -> Option<Fix> {
    let end = at + c.len_utf8();
    let before = rewrite.char_before(at);
    let after = text[end..].chars().next();
    let (artifact, range, with) = match c {
        '\r' if after == Some('\n') => return None,
        // Other line breaks.
        '\r' | '\u{b}' | '\u{85}' => (Artifact::Control, at..end, "\n"),
        '\u{1b}' => (Artifact::Control, at..end + terminal_sequence_length(&text[end..]), ""),
        '\u{fff9}'..='\u{fffb}' => (Artifact::Control, at..end, ""),
        _ if c.is_control() => (Artifact::Control, at..end, ""),

        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            (Artifact::Bidi, at..end, "")
        }

        '\u{200b}' if [before, after].iter().flatten().any(|c| separates_words_invisibly(*c)) => return None,
        '\u{200c}' | '\u{200d}' if before.is_some_and(shapes_with_joiners) => return None,
        '\u{200d}' if before.is_some_and(is_pictograph) && after.is_some_and(is_pictograph) => return None,
        '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{feff}' => {
            (Artifact::ZeroWidth, at..end, "")
        }
        _ if is_tag(c) => (Artifact::ZeroWidth, at..end, ""),
        // One may select the form of the character before it; sequences of them carry hidden text.
        _ if is_variation_selector(c) && before.is_none_or(is_variation_selector) => (Artifact::ZeroWidth, at..end, ""),

        '\u{ad}' => (Artifact::SoftHyphens, at..end + used_break_length(before, &text[end..]), ""),

        '\u{fb00}'..='\u{fb06}' => {
            let range = if stands_apart(before, text, at, end) { at - 1..end + 1 } else { at..end };
            (Artifact::Ligatures, range, letters(c))
        }
        _ => return None,
    };
    Some(Fix { artifact, range, with })
}

/// The length of a terminal control sequence (colours and the like) after its escape character.
fn terminal_sequence_length(rest: &str) -> usize {
    let Some(parameters) = rest.strip_prefix('[') else {
        return 0;
    };
    let length = parameters.bytes().take_while(|byte| matches!(byte, b' '..=b'?')).count();
    match parameters.as_bytes().get(length) {
        Some(b'@'..=b'~') => 1 + length + 1,
        _ => 0,
    }
}

/// The length of the line break after a soft hyphen that broke a word: it is removed together with the hyphen.
fn used_break_length(before: Option<char>, rest: &str) -> usize {
    let Some(next_line) = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')) else {
        return 0;
    };
    match before.is_some_and(char::is_alphabetic) && next_line.starts_with(char::is_alphabetic) {
        true => rest.len() - next_line.len(),
        false => 0,
    }
}

/// Whether a ligature is alone between two spaces: extraction has split it from its word, as in "e ﬃ cient".
fn stands_apart(before: Option<char>, text: &str, at: usize, end: usize) -> bool {
    let left = text[..at].strip_suffix(' ').is_some_and(|left| left.ends_with(char::is_alphabetic));
    let right = text[end..].strip_prefix(' ').is_some_and(|right| right.starts_with(char::is_lowercase));
    // The space must still exist: it may have been removed with the previous ligature.
    left && right && before == Some(' ')
}

fn letters(ligature: char) -> &'static str {
    match ligature {
        '\u{fb00}' => "ff",
        '\u{fb01}' => "fi",
        '\u{fb02}' => "fl",
        '\u{fb03}' => "ffi",
        '\u{fb04}' => "ffl",
        _ => "st",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(text: &str) -> String {
        remove(text, &Switches::default(), &mut Report::default()).into_owned()
    }

    #[test]
    fn control_characters_are_removed_and_layout_stays() {
        assert_eq!(clean("a\0b\x07c\x7fd\u{9d}e\u{fffb}"), "abcde");
        assert_eq!(clean("a\tb\nc\r\nd\x0ce"), "a\tb\nc\r\nd\x0ce");
        assert_eq!(clean("a\rb\x0bc\u{85}d\r\r\n"), "a\nb\nc\nd\n\r\n");
    }

    #[test]
    fn terminal_sequences_are_removed_as_a_whole() {
        assert_eq!(clean("\x1b[1;31mred\x1b[0m \x1b[2K\x1b]x \x1b[é"), "red ]x [é");
    }

    #[test]
    fn zero_width_characters_are_removed() {
        assert_eq!(clean("\u{feff}j\u{200b}o\u{200c}h\u{200d}n\u{2060}@x"), "john@x");
    }

    #[test]
    fn joiners_that_scripts_and_emoji_need_stay() {
        for text in [
            "می\u{200c}خواهم",
            "क\u{94d}\u{200d}ष",
            "ന\u{d4d}\u{200d}",
            "👩\u{200d}🚀",
            "🏳\u{fe0f}\u{200d}🌈",
            "ภาษา\u{200b}ไทย",
        ] {
            assert_eq!(clean(text), text);
        }
        assert_eq!(clean("👩\u{200d} a\u{200d}🚀 می\u{200c}\u{200c}خ"), "👩 a🚀 می\u{200c}خ");
    }

    #[test]
    fn tags_stay_only_in_flags() {
        let scotland = "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}";
        assert_eq!(clean(scotland), scotland);
        assert_eq!(clean("a\u{e0069}\u{e0067}\u{e006e}b\u{e007f}"), "ab");
        let smuggled: String = std::iter::repeat_n('\u{e0061}', 40).collect();
        assert_eq!(clean(&format!("🏴{smuggled}\u{e007f}")), "🏴");
    }

    #[test]
    fn one_variation_selector_stays_and_more_are_removed() {
        assert_eq!(clean("☺\u{fe0f} 葛\u{e0100}"), "☺\u{fe0f} 葛\u{e0100}");
        assert_eq!(clean("a\u{fe01}\u{e0121}\u{e0133}b"), "a\u{fe01}b");
    }

    #[test]
    fn bidi_controls_are_removed() {
        assert_eq!(clean("if \u{202e}admin\u{202c} \u{2066}x\u{2069}\u{200f}"), "if admin x");
    }

    #[test]
    fn soft_hyphens_are_removed_with_their_line_break() {
        assert_eq!(
            clean("Donau\u{ad}dampf exam\u{ad}\nple exam\u{ad}\r\nple end\u{ad}\n- x"),
            "Donaudampf example example end\n- x"
        );
    }

    #[test]
    fn ligatures_become_letters() {
        assert_eq!(clean("ﬁnd oﬀ ﬂow eﬃcient raﬄe ﬆop"), "find off flow efficient raffle stop");
    }

    #[test]
    fn split_ligatures_are_rejoined() {
        assert_eq!(clean("e ﬃ cient con ﬁ guration"), "efficient configuration");
        assert_eq!(clean("S. 3 ﬀ und oﬀ the con ﬁ Guration"), "S. 3 ff und off the con fi Guration");
        assert_eq!(clean("a ﬁ ﬁ b"), clean(&clean("a ﬁ ﬁ b")));
    }

    #[test]
    fn plain_text_of_any_script_is_not_copied() {
        for text in ["plain\tASCII\n", "Grüße, žluťoučký, 日本語, עברית, ไทย, 😀 — “quoted”…"]
        {
            assert!(matches!(remove(text, &Switches::default(), &mut Report::default()), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn what_begins_with_a_byte_that_is_passed_over_is_no_artifact() {
        for c in ('\u{80}'..=char::MAX).filter(|c| !may_begin(c.to_string().as_bytes()[0])) {
            for before in ["", "a", " ", "\u{fe0f}"] {
                let text = format!("{before}{c} a");
                assert!(fix(&text, before.len(), c, &Rewrite::new(&text)).is_none(), "{c:?} after {before:?}");
                assert_ne!(c, FLAG);
            }
        }
    }
}
