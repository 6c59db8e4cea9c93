//! Prompt templates: text with placeholders that stand for parts of the item.

use std::fmt;

use crate::json::Pointer;

/// A part of the item that a prompt can refer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Placeholder {
    /// `{{text}}`: the text of the item, or of the configured fields.
    Text,
    /// `{{attribute:NAME}}`.
    Attribute(String),
    /// `{{header:NAME}}`.
    Header(String),
    /// `{{json:/pointer}}`.
    Json(Pointer),
}

impl Placeholder {
    fn parse(source: &str) -> Result<Self, String> {
        match source.split_once(':') {
            None if source == "text" => Ok(Self::Text),
            Some(("attribute", name)) if !name.is_empty() => Ok(Self::Attribute(name.into())),
            Some(("header", name)) if !name.is_empty() => Ok(Self::Header(name.into())),
            Some(("json", pointer)) => Ok(Self::Json(Pointer::parse(pointer)?)),
            _ => Err(format!(
                "unknown placeholder `{{{{{source}}}}}`: use {{{{text}}}}, {{{{attribute:NAME}}}}, {{{{header:NAME}}}} \
                 or {{{{json:/pointer}}}}"
            )),
        }
    }
}

/// The name of the data block that carries the placeholder's value.
impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("text"),
            Self::Attribute(name) => write!(f, "attribute:{name}"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Json(pointer) => write!(f, "json:{pointer}"),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Data(Placeholder),
}

/// A parsed prompt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

impl Template {
    /// Parses a prompt.
    ///
    /// # Errors
    /// What is wrong with a placeholder, in readable form.
    pub(crate) fn parse(source: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = source;
        while let Some((literal, after)) = rest.split_once("{{") {
            let Some((name, tail)) = after.split_once("}}") else {
                return Err("a `{{` is never closed: add `}}`, or put a space between the braces".into());
            };
            parts.push(Part::Literal(literal.into()));
            parts.push(Part::Data(Placeholder::parse(name.trim())?));
            rest = tail;
        }
        parts.push(Part::Literal(rest.into()));
        Ok(Self { parts })
    }

    /// The placeholders of the prompt, in order.
    pub(crate) fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Data(placeholder) => Some(placeholder),
        })
    }
}

/// The prompt as instructions: it names data but never contains it, so that nothing in an item becomes an instruction.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Literal(text) => f.write_str(text)?,
                Part::Data(placeholder) => write!(f, "[data: {placeholder}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_found_in_order_and_named_in_the_instructions() {
        let source = "Rate {{text}} for {{ header:tenant }}, {{attribute:chunk.page}}, {{json:/a/b}}.";
        let template = Template::parse(source).unwrap();
        assert_eq!(
            template.to_string(),
            "Rate [data: text] for [data: header:tenant], [data: attribute:chunk.page], [data: json:/a/b]."
        );
        assert_eq!(template.placeholders().count(), 4);
    }

    #[test]
    fn an_unknown_placeholder_is_named_with_the_known_ones() {
        let fault = Template::parse("Rate {{body}}").unwrap_err();
        assert!(fault.starts_with("unknown placeholder `{{body}}`: use {{text}}"), "{fault}");
    }

    #[test]
    fn a_placeholder_without_a_name_is_a_fault() {
        for source in ["{{header:}}", "{{attribute:}}", "{{}}", "{{json:a}}", "{{text:x}}"] {
            assert!(Template::parse(source).is_err(), "{source}");
        }
    }

    #[test]
    fn an_open_brace_pair_is_a_fault() {
        assert!(Template::parse("Rate {{text}").unwrap_err().contains("never closed"));
    }

    #[test]
    fn single_braces_are_plain_text() {
        let source = r#"Answer like {"a": {"b": 1}}"#;
        assert_eq!(Template::parse(source).unwrap().to_string(), source);
    }
}
