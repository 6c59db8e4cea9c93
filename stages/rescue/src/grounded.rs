//! Whether a value was there before: a model may find and rewrite, and never make up.

use std::collections::HashSet;

use serde_json::Value;

use crate::schema::{child, choices};

/// What a value may be made from.
#[derive(Debug)]
pub(crate) struct Ground<'a> {
    /// The text: of the value at fault, or of the whole document where that is missing.
    pub text: &'a str,
    /// Whether the value is chosen or found.
    pub origin: Origin,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It replaces one that is there: it may also be one of those that the schema lists, or `true` or `false`.
    Replaced,
    /// It is missing at its place, and stands elsewhere in the document.
    Found,
}

impl Ground<'_> {
    /// Whether a value is made of what the text holds: each word and each number of its strings stands in the text, capitals
    /// and leading zeros aside, and each of its numbers is one that the text writes, with a comma or a point.
    pub(crate) fn holds(&self, value: &Value, schema: &Value, root: &Value) -> bool {
        if self.origin == Origin::Replaced && choices(schema).contains(value) {
            return true;
        }
        let below = |step: &str| child(root, schema, step).unwrap_or(&Value::Null);
        match value {
            Value::Null => false,
            Value::Bool(_) => self.origin == Origin::Replaced,
            Value::Number(number) => {
                let number = number.to_string();
                numbers(self.text).any(|found| found == normal(&number))
            }
            Value::String(text) => holds_words(self.text, text),
            Value::Array(elements) => {
                let mut elements = elements.iter().enumerate();
                elements.all(|(index, element)| self.holds(element, below(&index.to_string()), root))
            }
            Value::Object(members) => members.iter().all(|(name, value)| {
                let is_known = schema.get("properties").is_some_and(|properties| properties.get(name).is_some());
                (is_known || holds_words(self.text, name)) && self.holds(value, below(name), root)
            }),
        }
    }
}

/// Whether each word of a text stands in another one; false if it has no word.
fn holds_words(text: &str, part: &str) -> bool {
    let known: HashSet<String> = words(text).collect();
    let mut any = false;
    words(part).all(|word| {
        any = true;
        known.contains(&word)
    }) && any
}

/// Whether each number of a text stands in another one.
pub(crate) fn holds_numbers(text: &str, part: &str) -> bool {
    let is_number = |word: &String| word.contains(|c: char| c.is_ascii_digit());
    let known: HashSet<String> = words(text).filter(is_number).collect();
    words(part).filter(is_number).all(|word| known.contains(&word))
}

/// The words of a text: what is between characters that are neither letters nor digits, and where digits meet letters.
fn words(text: &str) -> impl Iterator<Item = String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        let joins = word.chars().next_back().is_none_or(|last| last.is_numeric() == c.is_numeric());
        if !(word.is_empty() || c.is_alphanumeric() && joins) {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
    }
    words.push(word);
    words.into_iter().filter(|word| !word.is_empty()).map(|word| match word.trim_start_matches('0') {
        "" => "0".into(),
        short => short.to_owned(),
    })
}

/// The numbers that a text writes, each in its normal form: "1.234,50" is 1234.5, and "1,234" is both 1234 and 1.234.
fn numbers(text: &str) -> impl Iterator<Item = String> {
    let mut found = Vec::new();
    let mut before = ' ';
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && !is_separator(c)).unwrap_or(rest.len());
        if c.is_ascii_digit() {
            let run = rest[..end].trim_end_matches(is_separator);
            let sign = if before == '-' { "-" } else { "" };
            found.extend(readings(run).into_iter().map(|number| normal(&format!("{sign}{number}"))));
            before = '0';
            rest = &rest[end..];
            continue;
        }
        // A hyphen between words and numbers is no sign.
        before = if c == '-' && before.is_alphanumeric() { ' ' } else { c };
        rest = &rest[c.len_utf8()..];
    }
    found.into_iter()
}

fn is_separator(c: char) -> bool {
    matches!(c, '.' | ',' | '\'' | '\u{a0}' | '\u{202f}')
}

/// How digits with separators can be read.
fn readings(run: &str) -> Vec<String> {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    // Groups of three digits, between separators of one kind.
    let is_grouped = |text: &str| {
        let mut kinds: Vec<char> = text.chars().filter(|c| is_separator(*c)).collect();
        kinds.dedup();
        let groups: Vec<&str> = text.split(is_separator).collect();
        let whole = groups.iter().skip(1).all(|group| group.len() == 3) && groups.first().is_some_and(|g| g.len() <= 3);
        kinds.is_empty() || (kinds.len() == 1 && whole)
    };
    let mut readings = Vec::new();
    if is_grouped(run) {
        readings.push(digits(run));
    }
    if let Some((whole, fraction)) = run.rsplit_once(['.', ','])
        && is_grouped(whole)
        && !fraction.contains(is_separator)
        && !whole.contains(|c: char| run[whole.len()..].starts_with(c))
    {
        readings.push(format!("{}.{fraction}", digits(whole)));
    }
    readings
}

/// A number without what does not count: zeros at its ends, and the sign of zero.
fn normal(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("-", digits));
    if digits.contains(['e', 'E']) {
        return number.to_owned();
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    match (whole, fraction) {
        ("", "") => "0".into(),
        (whole, "") => format!("{sign}{whole}"),
        (whole, fraction) => format!("{sign}{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(origin: Origin, text: &str, value: Value, schema: Value) -> bool {
        Ground { text, origin }.holds(&value, &schema, &schema)
    }

    #[test]
    fn a_number_is_one_that_the_text_writes() {
        for (text, yes, no) in [
            ("1.234,50 EUR", vec![json!(1234.5)], vec![json!(123450), json!(1.2345), json!(1234), json!(50)]),
            ("1,234", vec![json!(1234), json!(1.234)], vec![json!(234)]),
            ("1,5 kg", vec![json!(1.5)], vec![json!(15), json!(5)]),
            ("minus -5.0.", vec![json!(-5)], vec![json!(5)]),
            ("2024-05", vec![json!(2024), json!(5)], vec![json!(-5)]),
            ("1'000'000", vec![json!(1_000_000)], vec![json!(1000)]),
            ("twelve", vec![], vec![json!(12)]),
            ("192.168.1.10", vec![], vec![json!(192.168), json!(10), json!(192168110)]),
        ] {
            for value in yes {
                assert!(holds(Origin::Replaced, text, value.clone(), json!({})), "{text} holds {value}");
            }
            for value in no {
                assert!(!holds(Origin::Replaced, text, value.clone(), json!({})), "{text} does not hold {value}");
            }
        }
    }

    #[test]
    fn a_text_is_made_of_words_that_are_there() {
        for (text, part, expected) in [
            ("31.12.2030", "2030-12-31", true),
            ("1.5.2030", "2030-05-01", true),
            ("31.12.2030", "2031-12-31", false),
            ("ACME GmbH, Berlin", "Berlin", true),
            ("ACME GmbH, Berlin", "Acme Ltd", false),
            ("id: AB12", "AB-12", true),
            ("anything", "", false),
            ("anything", "-", false),
        ] {
            assert_eq!(holds(Origin::Found, text, json!(part), json!({})), expected, "{part} in {text}");
        }
    }

    #[test]
    fn only_a_value_that_is_there_is_chosen_from_a_list() {
        let schema = json!({"enum": ["high", "low"]});
        for (origin, expected) in [(Origin::Replaced, true), (Origin::Found, false)] {
            assert_eq!(holds(origin, "very pressing", json!("high"), schema.clone()), expected);
            assert_eq!(holds(origin, "yes", json!(true), json!({"type": "boolean"})), expected);
        }
        assert!(!holds(Origin::Replaced, "very pressing", json!("medium"), schema));
        assert!(!holds(Origin::Replaced, "null", Value::Null, json!({})));
    }

    #[test]
    fn every_part_of_a_value_is_looked_at() {
        let schema = json!({"properties": {"name": {}, "age": {}}});
        let text = "Ada Byron, 36";
        assert!(holds(Origin::Replaced, text, json!({"name": "Ada", "age": 36}), schema.clone()));
        assert!(!holds(Origin::Replaced, text, json!({"name": "Ada", "age": 37}), schema.clone()));
        assert!(!holds(Origin::Replaced, text, json!({"name": "Ada", "city": "Byron"}), schema.clone()));
        assert!(!holds(Origin::Replaced, text, json!([{"name": "Eve"}]), schema));
    }
}
