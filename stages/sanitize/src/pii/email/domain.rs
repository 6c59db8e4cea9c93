//! The part after the "@".

use super::super::boundary::is_word;
use super::super::words::is_mark;
use super::signs::{Style, dot};

/// Top-level domains of scripts without spaces; after them, a sentence may go on.
const UNSPACED: [&str; 14] = [
    "中国",
    "中國",
    "公司",
    "网络",
    "網路",
    "香港",
    "台湾",
    "台灣",
    "新加坡",
    "한국",
    "在线",
    "中文网",
    "みんな",
    "ไทย",
];

/// Endings of file names that are no top-level domains.
const FILE_TYPES: &str = " png jpg jpeg gif webp avif svg ico bmp tif tiff css scss sass less js mjs cjs jsx tsx ts json html htm xhtml xml \
    yml yaml toml pdf txt csv tsv doc docx xls xlsx ppt pptx odt gz tgz bz2 xz whl jar war exe dll bin log sql lock map woff woff2 \
    ttf otf mp3 mp4 avi mkv wav ogg deb rpm apk ipa iso dmg img bak tmp cfg ini conf php asp aspx jsp cpp hpp java class go rb \
    swift kt vue svelte proto parquet avro service socket timer ";

/// The end of the longest domain name that begins at `start`: labels separated by dots, the last one all letters.
pub(super) fn end(text: &str, start: usize, style: Style) -> Option<usize> {
    let mut end = None;
    let mut label_start = start;
    loop {
        let rest = &text[label_start..];
        let label = &rest[..label_length(rest, end.is_none())];
        if label.is_empty() || label.starts_with('-') {
            return end;
        }
        if label_start > start {
            end = top_level(label).map(|length| label_start + length).or(end);
            if end.is_some_and(|end| end < label_start + label.len()) && label.starts_with(is_unspaced) {
                return end;
            }
        }
        label_start += label.len();
        // In words only, a sentence could go on with them.
        let style = if style == Style::Words && end.is_some() { Style::Brackets } else { style };
        match dot(&text[label_start..], style) {
            Some(length) if !label.ends_with('-') => label_start += length,
            _ => return end,
        }
    }
}

/// The length of the label at the start of `rest`. Few labels have anything but ASCII; the names of some hosts have "_".
fn label_length(rest: &str, may_underline: bool) -> usize {
    if rest.starts_with(is_unspaced) {
        return rest.find(|c: char| !is_unspaced(c) && c != '-' && !c.is_ascii_digit()).unwrap_or(rest.len());
    }
    let ascii = rest.bytes().take_while(|byte| byte.is_ascii() && is_label(char::from(*byte))).count();
    match rest.as_bytes().get(ascii) {
        Some(b'_') if may_underline => {
            let whole =
                rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')).count();
            if rest[whole..].starts_with('.') { whole } else { ascii }
        }
        Some(byte) if !byte.is_ascii() => ascii + rest[ascii..].find(|c| !is_label(c)).unwrap_or(rest.len() - ascii),
        _ => ascii,
    }
}

fn is_label(c: char) -> bool {
    c == '-' || (c != '_' && is_letter(c))
}

/// A letter, digit, mark or "_" of a script with spaces between words.
pub(super) fn is_letter(c: char) -> bool {
    is_word(c) || (!c.is_ascii() && !is_unspaced(c) && (c.is_alphanumeric() || is_mark(c)))
}

/// A letter of a script that writes words without spaces between them.
pub(super) fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{2e80}'..='\u{9fff}'
        | '\u{a960}'..='\u{a97f}' | '\u{ac00}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
        && (c.is_alphanumeric() || is_mark(c))
}

/// The length of the top-level domain that a label is or begins with, as in `com-like`.
fn top_level(label: &str) -> Option<usize> {
    if label.starts_with("xn--") {
        return Some(label.trim_end_matches('-').len());
    }
    if let Some(known) = UNSPACED.iter().find(|known| label.starts_with(**known)) {
        return Some(known.len());
    }
    let letters = label.split('-').next().unwrap_or_default();
    let fits = letters.chars().nth(1).is_some() && letters.chars().all(|c| c.is_alphabetic() || is_mark(c));
    fits.then_some(letters.len())
}

/// Whether it is the end of a file name such as `icon@2x.png`, or a version such as `1.0.0-beta.rc`.
pub(super) fn is_file_or_version(domain: &str) -> bool {
    let mut labels = domain.split('.');
    let first = labels.next().unwrap_or_default();
    let second = labels.next().unwrap_or_default();
    let last = domain.rsplit('.').next().unwrap_or_default();
    let number = |label: &str| label.strip_prefix('v').unwrap_or(label).starts_with(|c: char| c.is_ascii_digit());
    let scale = first.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_scaled = scale.len() < first.len() && (scale == "x" || scale.starts_with("x-"));
    let is_version = number(first) && number(second) && first.len() <= 4;
    let is_hour = matches!(last, "am" | "pm") && number(first);
    let is_file = last.is_ascii() && FILE_TYPES.contains(&format!(" {} ", last.to_ascii_lowercase()));
    is_scaled || is_version || is_hour || is_file
}
