//! A start tag and its attributes.

use std::borrow::Cow;

use html5gum::StartTag;

use super::names;

/// A start tag.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tag<'a>(pub(super) &'a StartTag<usize>);

impl<'a> Tag<'a> {
    /// The name in lower case, without the prefix of a formula or a page in XML.
    pub(super) fn name(self) -> &'a [u8] {
        names::local(self.0.name.as_slice())
    }

    /// Whether it ends with "/>".
    pub(super) fn is_self_closing(self) -> bool {
        self.0.self_closing
    }

    /// Where it begins in the page, in bytes.
    pub(super) fn position(self) -> usize {
        self.0.span.start
    }

    /// Whether it has any attribute.
    pub(super) fn has_attributes(self) -> bool {
        !self.0.attributes.is_empty()
    }

    /// Whether it has an attribute, with or without a value.
    pub(super) fn has(self, attribute: &str) -> bool {
        self.0.attributes.contains_key(attribute.as_bytes())
    }

    /// The value of an attribute.
    pub(super) fn value(self, attribute: &str) -> Option<Cow<'a, str>> {
        let value = self.0.attributes.get(attribute.as_bytes())?;
        Some(String::from_utf8_lossy(value.value.as_slice()))
    }

    /// Whether the value of an attribute is `wanted`, in any case.
    pub(super) fn is(self, attribute: &str, wanted: &str) -> bool {
        self.value(attribute).is_some_and(|value| value.trim().eq_ignore_ascii_case(wanted))
    }

    /// The value of an attribute as a number.
    pub(super) fn number(self, attribute: &str) -> Option<i64> {
        self.value(attribute)?.trim().parse().ok()
    }

    /// Whether one of the words of an attribute, such as the classes, is accepted by `matches`, which gets it in lower case.
    pub(super) fn any_word(self, attribute: &str, matches: impl Fn(&str) -> bool) -> bool {
        self.value(attribute)
            .is_some_and(|value| value.split_ascii_whitespace().any(|word| matches(&word.to_ascii_lowercase())))
    }

    /// Whether the `style` attribute gives `property` one of `values`.
    pub(super) fn is_styled(self, property: &str, values: &[&str]) -> bool {
        self.style(property, |value| values.iter().any(|known| value.eq_ignore_ascii_case(known)))
    }

    /// Whether the `style` attribute gives `property` a value that `accepts`. Of several values the last one counts.
    pub(super) fn style(self, property: &str, accepts: impl Fn(&str) -> bool) -> bool {
        let Some(style) = self.value("style") else { return false };
        let of_property = |declaration: &'_ str| match declaration.split_once(':') {
            Some((name, _)) => name.trim().eq_ignore_ascii_case(property),
            None => false,
        };
        let last = style.rsplit(';').find(|declaration| of_property(declaration));
        let value = last.and_then(|declaration| declaration.split_once(':')).map_or("", |(_, value)| value);
        accepts(value.split('!').next().unwrap_or_default().trim())
    }

    /// Whether the `style` attribute gives `property` a length or share that `accepts`, in the unit it is stated in.
    pub(super) fn measures(self, property: &str, accepts: impl Fn(f64) -> bool) -> bool {
        self.style(property, |value| {
            let number = value.trim_end_matches(|letter: char| letter.is_ascii_alphabetic() || letter == '%');
            number.parse().is_ok_and(&accepts)
        })
    }
}
