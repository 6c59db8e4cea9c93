//! The text of a configuration file, and the places in it that messages point to.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::{DeArray, DeTable, DeValue};

/// A file as messages show it, with the secrets in it starred out.
pub(super) struct Document {
    path: PathBuf,
    text: String,
}

impl Document {
    /// `secrets` are the spans of string values, quotes included. They keep their length in bytes, so that all other
    /// spans of the original text remain valid.
    pub(super) fn new(path: &Path, text: &str, secrets: &[Range<usize>]) -> Self {
        let mut shown = text.to_owned();
        for secret in secrets {
            shown.replace_range(secret.clone(), &starred(&text[secret.clone()]));
        }
        Self { path: path.to_owned(), text: shown }
    }

    /// The folder that relative paths in the file are resolved against.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// The span of a key in the table at a JSON Pointer; `None` if there is no such key.
    fn find_key(&self, pointer: &str, key: &str) -> Option<Range<usize>> {
        let (root, _) = DeTable::parse_recoverable(&self.text);
        let mut table = root.get_ref();
        let mut array: Option<&DeArray<'_>> = None;
        for token in tokens(pointer) {
            let child = match array {
                Some(elements) => elements.get(token.parse::<usize>().ok()?)?,
                None => table.get(token.as_str())?,
            };
            match child.get_ref() {
                DeValue::Table(inner) => (table, array) = (inner, None),
                DeValue::Array(elements) => array = Some(elements),
                _ => return None,
            }
        }
        table.get_key_value(key).map(|(key, _)| key.span())
    }

    /// The span of the value at a JSON Pointer, or of the nearest value around it; `None` for the file itself.
    fn find(&self, pointer: &str) -> Option<Range<usize>> {
        let (root, _) = DeTable::parse_recoverable(&self.text);
        let mut tokens = tokens(pointer);
        let mut value = root.get_ref().get(tokens.next()?.as_str())?;
        for token in tokens {
            let child = match value.get_ref() {
                DeValue::Table(table) => table.get(token.as_str()),
                DeValue::Array(array) => token.parse::<usize>().ok().and_then(|index| array.get(index)),
                _ => None,
            };
            match child {
                Some(child) => value = child,
                None => break,
            }
        }
        Some(value.span())
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}

/// The tokens of a JSON Pointer.
pub(super) fn tokens(pointer: &str) -> impl Iterator<Item = String> {
    pointer.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~"))
}

/// The JSON Pointer of a member of the value that `pointer` names.
pub(super) fn member(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// A TOML string literal with the same quotes and line breaks, and stars for the rest.
fn starred(literal: &str) -> String {
    let quotes = if literal.starts_with("\"\"\"") || literal.starts_with("'''") { 3 } else { 1 };
    let inside = quotes..literal.len().saturating_sub(quotes);
    let mut stars = String::with_capacity(literal.len());
    for (at, character) in literal.char_indices() {
        if inside.contains(&at) && !matches!(character, '\n' | '\r') {
            stars.extend(std::iter::repeat_n('*', character.len_utf8()));
        } else {
            stars.push(character);
        }
    }
    stars
}

/// A place in a configuration file, or the file as a whole. Shown as `pipeline.toml:17:11`; cheap to clone.
#[derive(Clone)]
pub struct Place {
    document: Arc<Document>,
    span: Option<Range<usize>>,
}

/// How much of a line is shown before and after a place, in bytes: a file can be one line.
const SHOWN_BESIDE: usize = 160;

/// The line of a place, for messages.
pub(super) struct Excerpt {
    /// Number of the line, from 1.
    pub(super) line: usize,
    /// Number of the character in it, from 1.
    column: usize,
    /// The line without its end, of a long one the part around the place.
    pub(super) text: String,
    /// The part of that text before the place, by which the caret is indented.
    pub(super) before: String,
    /// Characters to mark, at least 1.
    pub(super) width: usize,
}

impl Place {
    pub(super) fn of_file(document: &Arc<Document>) -> Self {
        Self { document: Arc::clone(document), span: None }
    }

    pub(super) fn of_span(document: &Arc<Document>, span: Range<usize>) -> Self {
        // A fault at the end of the file is shown after its last character, not on an empty line below.
        let text = &document.text;
        let written = text.trim_end().len();
        let span = if span.start >= text.len() { written..written } else { span };
        Self { document: Arc::clone(document), span: Some(span) }
    }

    pub(super) fn of_pointer(document: &Arc<Document>, pointer: &str) -> Self {
        Self { document: Arc::clone(document), span: document.find(pointer) }
    }

    /// The place of a member's key, or of the table if there is no such key.
    pub(super) fn of_key(document: &Arc<Document>, pointer: &str, key: &str) -> Self {
        match document.find_key(pointer, key) {
            Some(span) => Self { document: Arc::clone(document), span: Some(span) },
            None => Self::of_pointer(document, pointer),
        }
    }

    /// The path of the file, as given when it was loaded.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.document.path
    }

    /// Line and column in characters, both from 1; `None` for the file as a whole.
    #[must_use]
    pub fn line_and_column(&self) -> Option<(usize, usize)> {
        let excerpt = self.excerpt()?;
        Some((excerpt.line, excerpt.column))
    }

    /// The byte offset, by which places are sorted.
    pub(super) fn offset(&self) -> usize {
        self.span.as_ref().map_or(0, |span| span.start)
    }

    pub(super) fn excerpt(&self) -> Option<Excerpt> {
        let span = self.span.as_ref()?;
        let text = &self.document.text;
        let before = text.get(..span.start)?;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let end = text[span.start..].find('\n').map_or(text.len(), |newline| span.start + newline);
        let from = match span.start - start > SHOWN_BESIDE {
            true => text.ceil_char_boundary(span.start - SHOWN_BESIDE),
            false => start,
        };
        let to = match end - span.start > SHOWN_BESIDE {
            true => text.floor_char_boundary(span.start + SHOWN_BESIDE),
            false => end,
        };
        let marked = text.get(span.start..span.end.clamp(span.start, to)).unwrap_or_default();
        let (cut_before, cut_after) = (if from > start { "…" } else { "" }, if to < end { "…" } else { "" });
        Some(Excerpt {
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
            text: format!("{cut_before}{}{cut_after}", text[from..to].trim_end_matches('\r')),
            before: format!("{cut_before}{}", &before[from..]),
            width: marked.trim_end().chars().count().max(1),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path().display();
        match self.line_and_column() {
            Some((line, column)) => write!(f, "{path}:{line}:{column}"),
            None => path.fmt(f),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}
