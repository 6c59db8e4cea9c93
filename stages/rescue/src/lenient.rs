//! Reads JSON with the faults of syntax that can be mended in one way only, and writes it as JSON.

use serde_json::Value;

/// How deep values may be, as for serde.
const DEEPEST: usize = 127;

/// The text as JSON, numbers and white space as they were: without a byte order mark and code fences around it, without
/// commas behind the last element; strings and names in single quotes and names without quotes in double ones; control
/// characters in strings escaped; `True`, `False` and `None` as JSON writes them; a comma where a line that ends with a
/// value is followed by one that begins with a name or a string. `None` for any other fault, and for a text whose end is
/// missing.
pub(crate) fn read(text: &str) -> Option<String> {
    let mut reader = Reader { rest: unwrapped(text), out: String::with_capacity(text.len()) };
    reader.value(0)?;
    reader.space();
    reader.rest.is_empty().then_some(reader.out)
}

/// The text without a byte order mark and a code fence around it.
pub(crate) fn unwrapped(text: &str) -> &str {
    let text = text.trim_start_matches('\u{feff}');
    let fenced = || {
        let (opening, inside) = text.trim().strip_prefix("```")?.split_once('\n')?;
        let is_info = opening.trim().chars().all(|c| c.is_ascii_alphanumeric());
        inside.strip_suffix("```").filter(|_| is_info)
    };
    fenced().unwrap_or(text)
}

struct Reader<'a> {
    rest: &'a str,
    out: String,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Option<()> {
        self.space();
        match self.rest.chars().next()? {
            _ if depth > DEEPEST => None,
            '{' => self.container('}', depth),
            '[' => self.container(']', depth),
            quote @ ('"' | '\'') => self.string(quote),
            _ => self.word(),
        }
    }

    fn container(&mut self, close: char, depth: usize) -> Option<()> {
        self.pass();
        // Where the last comma was written, if nothing has followed it yet.
        let mut comma = None;
        let mut is_first = true;
        loop {
            let lines = self.space();
            let next = self.rest.chars().next()?;
            if next == close {
                if let Some(comma) = comma {
                    self.out.remove(comma);
                }
                self.pass();
                return Some(());
            }
            if comma.is_none() && !is_first {
                let is_missing = lines > 0 && matches!(next, '"' | '\'');
                match (next, is_missing) {
                    (',', _) => {
                        comma = Some(self.out.len());
                        self.pass();
                        continue;
                    }
                    (_, true) => self.out.insert(self.out.trim_end().len(), ','),
                    _ => return None,
                }
            }
            (comma, is_first) = (None, false);
            if close == '}' {
                self.name()?;
                self.space();
                self.rest.starts_with(':').then(|| self.pass())?;
            }
            self.value(depth + 1)?;
        }
    }

    fn name(&mut self) -> Option<()> {
        if let Some(quote @ ('"' | '\'')) = self.rest.chars().next() {
            return self.string(quote);
        }
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '-');
        let end = self.rest.find(|c: char| !is_part(c))?;
        let name = self.rest.get(..end).filter(|name| !name.is_empty())?;
        self.out.push_str(&Value::from(name).to_string());
        self.rest = self.rest.get(end..)?;
        Some(())
    }

    fn string(&mut self, quote: char) -> Option<()> {
        self.rest = self.rest.get(1..)?;
        self.out.push('"');
        loop {
            let next = self.rest.chars().next()?;
            match next {
                c if c == quote => break,
                '\\' => self.escape()?,
                c => {
                    match c {
                        '"' => self.out.push_str("\\\""),
                        c if c < ' ' => self.out.push_str(Value::from(c.to_string()).to_string().trim_matches('"')),
                        c => self.out.push(c),
                    }
                    self.rest = self.rest.get(c.len_utf8()..)?;
                }
            }
        }
        self.rest = self.rest.get(1..)?;
        self.out.push('"');
        Some(())
    }

    /// An escape that JSON has, or that of a single quote. Any other may be meant as it stands, or not.
    fn escape(&mut self) -> Option<()> {
        let escape = self.rest.get(..2)?;
        match escape {
            "\\'" => self.out.push('\''),
            "\\u" if !self.rest.get(2..6)?.bytes().all(|byte| byte.is_ascii_hexdigit()) => return None,
            "\\\"" | "\\\\" | "\\/" | "\\b" | "\\f" | "\\n" | "\\r" | "\\t" | "\\u" => self.out.push_str(escape),
            _ => return None,
        }
        self.rest = self.rest.get(2..)?;
        Some(())
    }

    fn word(&mut self) -> Option<()> {
        let end = self.rest.find(|c: char| c.is_whitespace() || matches!(c, ',' | '}' | ']' | ':' | '"' | '\''));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let written = match word {
            "True" => "true",
            "False" => "false",
            "None" => "null",
            "true" | "false" | "null" => word,
            _ => is_number(word).then_some(word)?,
        };
        self.out.push_str(written);
        self.rest = rest;
        Some(())
    }

    /// Copies one ASCII character.
    fn pass(&mut self) {
        let (first, rest) = self.rest.split_at(1);
        self.out.push_str(first);
        self.rest = rest;
    }

    /// Copies white space, and says how many lines end in it. Of spaces that JSON does not have, one of its own.
    fn space(&mut self) -> usize {
        let end = self.rest.find(|c: char| !c.is_whitespace()).unwrap_or(self.rest.len());
        let (space, rest) = self.rest.split_at(end);
        self.out.extend(space.chars().map(|c| if c.is_ascii_whitespace() && c != '\u{c}' { c } else { ' ' }));
        self.rest = rest;
        space.matches('\n').count()
    }
}

/// Whether a word is a number as JSON writes it.
pub(crate) fn is_number(word: &str) -> bool {
    word.ends_with(|c: char| c.is_ascii_digit())
        && word.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && serde_json::from_str::<&serde_json::value::RawValue>(word).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_mended_in_one_way_is_mended() {
        for (broken, expected) in [
            ("{\"a\": 1E5, \"b\": [1, 2, ], }\n", "{\"a\": 1E5, \"b\": [1, 2 ] }\n"),
            ("\u{feff}{'a': 'it\\'s \"it\"'}", "{\"a\": \"it's \\\"it\\\"\"}"),
            ("```json\n{a: True, b-1: None, $c: False}\n```", "{\"a\": true, \"b-1\": null, \"$c\": false}\n"),
            ("{\"a\": \"x\ty\nz\"}", "{\"a\": \"x\\ty\\nz\"}"),
            ("{\"a\": 1\n \"b\": 2}", "{\"a\": 1,\n \"b\": 2}"),
            ("[\u{a0}]", "[ ]"),
        ] {
            let mended = read(broken);
            assert_eq!(mended.as_deref(), Some(expected), "{broken}");
            assert!(serde_json::from_str::<Value>(expected).is_ok(), "{expected}");
        }
    }

    #[test]
    fn what_could_be_meant_in_two_ways_is_left() {
        for broken in [
            "{\"a\": \"he said \"no\" to it\"}",
            "{\"a\": \"C:\\users\\d\"}",
            "{\"a\": NaN}",
            "{\"a\": 1,, \"b\": 2}",
            "[, 1]",
            "{\"a\": 1 \"b\": 2}",
            "{\"a\": 01}",
            "{\"a\": 1} {}",
            "{\"a\" 1}",
            "",
        ] {
            assert_eq!(read(broken), None, "{broken}");
        }
    }

    #[test]
    fn what_is_cut_off_is_never_completed() {
        let whole = "{\"a\": [1, {\"b\": \"x\"}], \"c\": 'y'}";
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]), None, "{}", &whole[..end]);
        }
        assert!(read(whole).is_some());
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{},{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(read(&nested(200_000)), None);
    }
}
