//! The kinds of values that a pipeline file holds, each with its check and the message when it does not hold.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use toml::de::DeValue;

use super::quantity::{ByteSize, DURATION_FORM, SIZE_FORM, parse_duration, parse_size, show_duration};
use super::section::{Read, Reported, Value};
use super::settings::SecretRef;
use super::suggest::nearest;

/// The most characters of a name. Names are parts of job ids, headers and metrics.
const LONGEST_NAME: usize = 64;
/// Kafka's own bound.
const LONGEST_TOPIC: usize = 249;

impl<'a> Value<'a> {
    /// Text that is not empty.
    pub(super) fn text(&self) -> Read<&'a str> {
        match self.toml.get_ref() {
            DeValue::String(text) if text.is_empty() => {
                Err(self.fault(format!("{} is empty", self.what), "give it a value"))
            }
            DeValue::String(text) => Ok(text),
            _ => Err(self.wrong_type("a string", "write it in quotes")),
        }
    }

    /// Text by which something is named in messages, headers and job ids.
    pub(super) fn name(&self) -> Read<Arc<str>> {
        let text = self.text()?;
        match is_name(text) {
            true => Ok(text.into()),
            false => Err(self.fault(format!("{} is not a name: \"{text}\"", self.what), NAME_FORM)),
        }
    }

    /// A topic's name as Kafka allows it.
    pub(super) fn topic(&self) -> Read<Arc<str>> {
        let text = self.text()?;
        if !is_topic(text) {
            let label = format!("topics have 1 to {LONGEST_TOPIC} of a-z, A-Z, 0-9, \".\", \"_\" and \"-\"");
            return Err(self.fault(format!("{} is not a topic: \"{text}\"", self.what), label));
        }
        Ok(text.into())
    }

    /// A path; a relative one starts at the folder of the pipeline file.
    pub(super) fn path(&self) -> Read<PathBuf> {
        Ok(self.faults.document().folder().join(self.text()?))
    }

    /// A whole number from 1 to `most`.
    pub(super) fn count(&self, most: u32) -> Read<NonZeroU32> {
        let label = format!("from 1 to {most}");
        let DeValue::Integer(integer) = self.toml.get_ref() else {
            return Err(self.wrong_type("a whole number", &label));
        };
        let number = u32::from_str_radix(integer.as_str(), integer.radix()).ok().and_then(NonZeroU32::new);
        number.filter(|number| number.get() <= most).ok_or_else(|| self.out_of_range(&label))
    }

    /// A number within bounds.
    pub(super) fn number(&self, bounds: RangeInclusive<f64>) -> Read<f64> {
        let label = format!("from {} to {}", bounds.start(), bounds.end());
        let digits = match self.toml.get_ref() {
            DeValue::Float(float) => float.as_str(),
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
            _ => return Err(self.wrong_type("a number", &label)),
        };
        let number = digits.parse().ok().filter(|number| bounds.contains(number));
        number.ok_or_else(|| self.out_of_range(&label))
    }

    /// A duration within bounds.
    pub(super) fn duration(&self, bounds: RangeInclusive<Duration>) -> Read<Duration> {
        let DeValue::String(text) = self.toml.get_ref() else {
            return Err(self.wrong_type("a duration", DURATION_FORM));
        };
        let Some(duration) = parse_duration(text) else {
            return Err(self.fault(format!("{} is not a duration: \"{text}\"", self.what), DURATION_FORM));
        };
        match bounds.contains(&duration) {
            true => Ok(duration),
            false => {
                let (least, most) = (show_duration(*bounds.start()), show_duration(*bounds.end()));
                Err(self.out_of_range(&format!("from {least} to {most}")))
            }
        }
    }

    /// A number of bytes within bounds: text with a unit, or a plain whole number.
    pub(super) fn size(&self, bounds: RangeInclusive<ByteSize>) -> Read<ByteSize> {
        let size = match self.toml.get_ref() {
            DeValue::String(text) => match parse_size(text) {
                Some(size) => size,
                None => return Err(self.fault(format!("{} is not a size: \"{text}\"", self.what), SIZE_FORM)),
            },
            DeValue::Integer(integer) => match u64::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(bytes) => ByteSize::bytes(bytes),
                Err(_) => return Err(self.fault(format!("{} is not a size: {integer}", self.what), SIZE_FORM)),
            },
            _ => return Err(self.wrong_type("a size", SIZE_FORM)),
        };
        match bounds.contains(&size) {
            true => Ok(size),
            false => Err(self.out_of_range(&format!("from {} to {}", bounds.start(), bounds.end()))),
        }
    }

    /// One of a closed list; `noun` says what is chosen, `owner` for whom.
    pub(super) fn choice<T: Copy>(&self, noun: &str, owner: &str, choices: &[(&'static str, T)]) -> Read<T> {
        let text = self.text()?;
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text) {
            return Ok(*choice);
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let list = format!("{noun}s are: {}", names.join(", "));
        let label = match nearest(text, names.iter().copied()) {
            // A list of one is its own suggestion.
            Some(near) if names.len() > 1 => format!("did you mean \"{near}\"? {list}"),
            _ => list,
        };
        Err(self.fault(format!("unknown {noun} \"{text}\" for {owner}"), label))
    }

    /// Where a secret is found: `{ env = "NAME" }` or `{ file = "path" }`.
    pub(super) fn secret(&self) -> Read<SecretRef> {
        if !matches!(self.toml.get_ref(), DeValue::Table(_)) {
            let message = format!("{} is a secret and must not stand in the file", self.what);
            return Err(self.fault(message, SECRET_FORM));
        }
        self.table(&self.what, |section| {
            let env = section.option("env", Self::variable)?;
            let file = section.option("file", Self::path)?;
            match (env, file) {
                (Some(name), None) => Ok(SecretRef::Env(name)),
                (None, Some(path)) => Ok(SecretRef::File(path)),
                _ => {
                    section.allow_any_key();
                    Err(self.fault(format!("{} must have one of \"env\" and \"file\"", self.what), SECRET_FORM))
                }
            }
        })
    }

    fn variable(&self) -> Read<String> {
        let text = self.text()?;
        match text.contains(['=', '\0']) {
            true => {
                Err(self.fault(format!("{} is not the name of a variable", self.what), "for example OPENAI_API_KEY"))
            }
            false => Ok(text.to_owned()),
        }
    }

    fn out_of_range(&self, label: &str) -> Reported {
        self.fault(format!("{} is out of range", self.what), label)
    }
}

/// What a name looks like, for messages.
pub(super) const NAME_FORM: &str = "names have 1 to 64 of a-z, 0-9 and \"-\"";
const SECRET_FORM: &str = r#"write { env = "NAME" } or { file = "path" }"#;

/// Whether a text can name a pipeline, a stage or a model.
pub(super) fn is_name(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=LONGEST_NAME).contains(&text.len()) && text.chars().all(legal)
}

/// Whether a text can name a topic.
pub(super) fn is_topic(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=LONGEST_TOPIC).contains(&text.len()) && text.chars().all(legal) && text != "." && text != ".."
}
