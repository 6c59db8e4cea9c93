//! Texts that are too long.

use gristmill_sdk::llm::Model;
use serde::Deserialize;

use crate::config::{Config, Length, Shorten};
use crate::grounded::holds_numbers;
use crate::mended::{Mended, Stop};
use crate::prompt;

/// A text of at most `max_chars` characters in place of a longer one.
pub(crate) fn mended(config: &Config, length: &Length, text: &str, model: &dyn Model) -> Result<Mended, Stop> {
    let most = length.max_chars;
    if length.how == Shorten::Cut {
        return Ok(Mended::by_rules(cut(text, most)));
    }
    config.readable(text)?;
    let response = model.chat(prompt::summary(config, text, most))?;
    let unusable = |why: &str| Stop::cannot(format!("the summary of {} {why}", response.model));
    let Summary { summary } = serde_json::from_str(&response.text).map_err(|_| unusable("is not as asked for"))?;
    if summary.trim().is_empty() || summary.chars().count() > most {
        return Err(unusable(&format!("does not have 1 to {most} characters")));
    }
    if !holds_numbers(text, &summary) {
        return Err(unusable("has a number that the text does not have"));
    }
    Ok(Mended::by_model(summary, response))
}

#[derive(Deserialize)]
struct Summary {
    summary: String,
}

/// The beginning of a text, of at most so many characters: up to the last end of a paragraph, else of a sentence or a line,
/// else of a word, if that is in its second half.
fn cut(text: &str, most: usize) -> &str {
    let Some((end, _)) = text.char_indices().nth(most) else { return text };
    let (head, half) = (&text[..end], end / 2);
    let sentence = |head: &str| {
        let ends = head.char_indices().filter(|(_, c)| matches!(c, '.' | '!' | '?' | '…' | '。' | '！' | '？' | '\n'));
        let mut ends = ends.map(|(at, c)| at + c.len_utf8());
        // A point in a number or an address ends nothing.
        let is_end =
            |at: &usize| text[*at..].starts_with(char::is_whitespace) || !text[..*at].ends_with(['.', '!', '?']);
        ends.rfind(is_end)
    };
    let places = [head.rfind("\n\n"), sentence(head), head.rfind(char::is_whitespace)];
    let place = places.into_iter().flatten().find(|place| *place > half);
    head[..place.unwrap_or(end)].trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_where_something_ends() {
        for (text, most, expected) in [
            ("One. Two is 2.5 long. Three", 24, "One. Two is 2.5 long."),
            ("One. Two is 2.5 long. Three", 17, "One. Two is 2.5"),
            ("One paragraph.\n\nAnother. One", 25, "One paragraph."),
            ("eins zwei drei", 9, "eins zwei"),
            ("一二三。四五六", 6, "一二三。"),
            ("äöüäöüäöü", 4, "äöüä"),
            ("short", 9, "short"),
        ] {
            assert_eq!(cut(text, most), expected, "{text}");
            assert!(cut(text, most).chars().count() <= most);
        }
    }
}
