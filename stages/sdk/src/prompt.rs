//! Prompts with gaps.

use std::fmt;

/// A text with placeholders, `{{name}}`, parsed once and filled for each item. `{{{{` stands for two braces.
///
/// What is filled in is never searched for placeholders, so that nothing in a document can pull in another value. It may
/// still be read as an instruction by a model: put data into the user message, or into a block of [`fence`](crate::fence).
///
/// ```
/// use gristmill_sdk::prompt::Template;
///
/// let template = Template::parse("Translate into {{language}}.")?;
/// assert_eq!(template.fill(&[("language", "Frisian")])?, "Translate into Frisian.");
/// assert!(template.fill(&[("langauge", "Frisian")]).is_err());
/// # Ok::<(), gristmill_sdk::prompt::TemplateError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Gap(String),
}

/// What is wrong with a template or with what is to fill it. Says so for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateError {
    /// Two opening braces without two closing ones.
    NotClosed,
    /// A placeholder whose name is not made of letters, digits, ".", "_" and "-".
    BadName(String),
    /// A placeholder that got no value.
    Unfilled(String),
    /// A value without a placeholder.
    Unknown(String),
}

impl Template {
    /// Parses a template. Do this in [`Stage::new`](crate::Stage::new), where a mistake is a fault of the configuration.
    ///
    /// # Errors
    /// A placeholder is not closed, or its name is none.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let (mut parts, mut text, mut rest) = (Vec::new(), String::new(), source);
        while let Some((before, after)) = rest.split_once("{{") {
            text.push_str(before);
            if let Some(after) = after.strip_prefix("{{") {
                text.push_str("{{");
                rest = after;
                continue;
            }
            let (name, after) = after.split_once("}}").ok_or(TemplateError::NotClosed)?;
            let name = name.trim();
            if name.is_empty() || !name.chars().all(|char| char.is_alphanumeric() || "._-".contains(char)) {
                return Err(TemplateError::BadName(name.into()));
            }
            parts.push(Part::Text(std::mem::take(&mut text)));
            parts.push(Part::Gap(name.into()));
            rest = after;
        }
        text.push_str(rest);
        parts.push(Part::Text(text));
        Ok(Self { parts })
    }

    /// The names of the placeholders, in order, each as often as it stands there.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Gap(name) => Some(name.as_str()),
        })
    }

    /// The text with these values in place of the placeholders.
    ///
    /// # Errors
    /// A placeholder has no value, or a value no placeholder.
    pub fn fill(&self, values: &[(&str, &str)]) -> Result<String, TemplateError> {
        if let Some((unknown, _)) = values.iter().find(|(name, _)| !self.names().any(|known| known == *name)) {
            return Err(TemplateError::Unknown((*unknown).into()));
        }
        let mut filled = String::new();
        for part in &self.parts {
            filled.push_str(match part {
                Part::Text(text) => text,
                Part::Gap(gap) => {
                    let value = values.iter().find(|(name, _)| name == gap);
                    value.map(|(_, value)| *value).ok_or_else(|| TemplateError::Unfilled(gap.clone()))?
                }
            });
        }
        Ok(filled)
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotClosed => {
                f.write_str("a `{{` is never closed: add `}}`, or write `{{{{` where two braces are meant")
            }
            Self::BadName(name) => write!(
                f,
                "`{{{{{name}}}}}` is not a placeholder: a name has letters, digits, \".\", \"_\" and \"-\"; write \
                 `{{{{{{{{` where two braces are meant"
            ),
            Self::Unfilled(name) => write!(f, "there is no value for `{{{{{name}}}}}`"),
            Self::Unknown(name) => write!(f, "the template has no `{{{{{name}}}}}`"),
        }
    }
}

impl std::error::Error for TemplateError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_is_not_searched_again() {
        let template = Template::parse("{{a}} and {{ b }}").unwrap();
        assert_eq!(template.fill(&[("a", "{{b}}"), ("b", "2")]).unwrap(), "{{b}} and 2");
    }

    #[test]
    fn braces_can_be_written() {
        let template = Template::parse(r#"{"x": {"y": 1}} {{{{a}} {{a}}"#).unwrap();
        assert_eq!(template.fill(&[("a", "1")]).unwrap(), r#"{"x": {"y": 1}} {{a}} 1"#);
    }

    #[test]
    fn every_mistake_has_its_name() {
        assert_eq!(Template::parse("a {{b"), Err(TemplateError::NotClosed));
        assert_eq!(Template::parse("{{}}"), Err(TemplateError::BadName(String::new())));
        assert_eq!(Template::parse("{{a b}}"), Err(TemplateError::BadName("a b".into())));
        let template = Template::parse("{{a}}").unwrap();
        assert_eq!(template.fill(&[]), Err(TemplateError::Unfilled("a".into())));
        assert_eq!(template.fill(&[("a", "1"), ("c", "2")]), Err(TemplateError::Unknown("c".into())));
        let said = TemplateError::BadName("a b".into()).to_string();
        assert!(said.starts_with("`{{a b}}` is not a placeholder") && said.contains("`{{{{`"), "{said}");
    }
}
