//! Whatever the text, it ends in a pipeline or in faults that can be shown.

use proptest::prelude::*;

use super::parse;

const EXAMPLE: &str = include_str!("example.toml");

/// What breaks a file in interesting ways.
const SPLINTERS: [&str; 14] =
    ["\"", "'''", "[", "]]", "{", "}", "=", "\n", ".", "\\", "ä€", "key = \"canary\"", "\u{0}", "99999999999999999999"];

proptest! {
    #[test]
    fn a_damaged_file_is_refused_or_read_but_never_breaks_us(
        damages in prop::collection::vec((0..EXAMPLE.len(), 0..40usize, prop::sample::select(&SPLINTERS[..])), 1..6),
        pointer in "(/[a-z0-9~]{0,8}){0,4}",
    ) {
        let mut text = EXAMPLE.to_owned();
        for (start, length, splinter) in damages {
            let start = text.floor_char_boundary(start);
            let end = text.floor_char_boundary(start + length);
            text.replace_range(start..end.max(start), splinter);
        }
        match parse(&text) {
            Ok(pipeline) => drop(pipeline.place(&pointer).to_string()),
            Err(error) => prop_assert!(error.to_string().starts_with("error: ")),
        }
    }
}
