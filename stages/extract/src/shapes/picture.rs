//! Pictures in the text: what is written about them.

use quick_xml::events::BytesStart;

use crate::package::{attribute, is_on};

/// The picture being read.
#[derive(Debug, Default)]
pub(crate) struct Picture {
    text: Option<String>,
    is_decorative: bool,
}

impl Picture {
    /// Reads an element of the picture.
    pub(crate) fn element(&mut self, name: &str, tag: &BytesStart<'_>) {
        match name {
            "docPr" | "cNvPr" if self.text.is_none() => {
                self.text =
                    attribute(tag, "descr").or_else(|| attribute(tag, "title")).and_then(|text| description(&text));
            }
            "shape" | "rect" | "image" if self.text.is_none() => {
                self.text = attribute(tag, "alt").and_then(|text| description(&text))
            }
            "decorative" => self.is_decorative = is_on(tag),
            _ => {}
        }
    }

    /// What is written about it, if anything.
    pub(crate) fn finish(self) -> Option<String> {
        self.text.filter(|_| !self.is_decorative)
    }
}

/// The words of an alternative text; names of files, which programs put there, are none.
fn description(text: &str) -> Option<String> {
    const GENERATED: &[&str] = &["Description automatically generated", "AI-generated content may be incorrect."];
    const FILES: &[&str] = &[".png", ".jpg", ".jpeg", ".gif", ".bmp", ".emf", ".wmf", ".tif", ".tiff", ".svg", ".webp"];
    let lines =
        text.lines().map(str::trim).filter(|line| !GENERATED.iter().any(|generated| line.starts_with(generated)));
    let text = lines.collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    let lower = text.to_lowercase();
    let is_file =
        FILES.iter().any(|ending| lower.ends_with(ending)) && (!text.contains(' ') || text.contains(['/', '\\']));
    (!text.is_empty() && !is_file).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::description;

    #[test]
    fn a_description_is_what_a_person_wrote() {
        assert_eq!(
            description("A  pump\n\nDescription automatically generated with low confidence").as_deref(),
            Some("A pump")
        );
        for text in ["", " \n", "image1.png", "C:\\My files\\Logo.JPG", "https://x/y.svg"] {
            assert_eq!(description(text), None, "{text}");
        }
        assert_eq!(description("Copy of logo.png").as_deref(), Some("Copy of logo.png"));
    }
}
