//! Fields: of their code and their result only the result is text, and a form field has a value in place of a result.

use quick_xml::events::BytesStart;

use super::equation;
use crate::package::{attribute, is_on, number};

/// The value of an old form field.
#[derive(Debug, Default)]
struct Form {
    is_check_box: bool,
    is_checked: Option<bool>,
    entries: Vec<String>,
    chosen: Option<usize>,
    default_choice: Option<usize>,
    default_text: Option<String>,
}

#[derive(Debug, Default)]
struct Field {
    /// Whether the code is over.
    in_result: bool,
    code: String,
    form: Option<Form>,
    /// Whether its result has had text.
    has_text: bool,
}

/// Longer codes are not those of the fields that matter.
const LONGEST_CODE: usize = 1000;

/// More fields are never inside each other.
const DEEPEST: usize = 64;

/// The open fields, the innermost last.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<Field>);

impl Fields {
    /// Whether text at this place is part of a code.
    pub(super) fn in_code(&self) -> bool {
        self.0.iter().any(|field| !field.in_result)
    }

    /// Whether text at this place is a number of a page, or repeats a heading of it: different on every page.
    pub(super) fn is_of_page(&self) -> bool {
        self.0.iter().any(|field| is_of_page(&field.code))
    }

    /// Text has been added.
    pub(super) fn note_text(&mut self) {
        self.0.iter_mut().for_each(|field| field.has_text = true);
    }

    /// Adds to the code of the innermost field.
    pub(super) fn add_code(&mut self, code: &str) {
        if let Some(field) = self.0.last_mut().filter(|field| !field.in_result && field.code.len() < LONGEST_CODE) {
            field.code.push_str(code);
        }
    }

    /// A field without marks begins.
    pub(super) fn begin_simple(&mut self, tag: &BytesStart<'_>) {
        self.0.push(Field { in_result: true, code: attribute(tag, "instr").unwrap_or_default(), ..Field::default() });
    }

    /// A field without marks ends; returns the text of a formula that has no result.
    pub(super) fn end_simple(&mut self) -> Option<String> {
        self.0.pop().and_then(Field::value)
    }

    /// A mark of a field; returns the text of a form field or formula that ends here.
    pub(super) fn mark(&mut self, tag: &BytesStart<'_>) -> Option<String> {
        match attribute(tag, "fldCharType").as_deref() {
            Some("begin") if self.0.len() < DEEPEST => self.0.push(Field::default()),
            Some("separate") => {
                if let Some(field) = self.0.last_mut() {
                    field.in_result = true;
                }
            }
            Some("end") => return self.0.pop().and_then(Field::value),
            _ => {}
        }
        None
    }

    /// A paragraph ends: a code that has no end within its paragraph is damaged, and must not swallow the text after it.
    pub(super) fn end_paragraph(&mut self) {
        self.0.iter_mut().for_each(|field| field.in_result = true);
    }

    /// Reads what the data of a form field states.
    pub(super) fn property(&mut self, name: &str, tag: &BytesStart<'_>) {
        let Some(field) = self.0.last_mut() else {
            return;
        };
        let place = || number(tag, "val").and_then(|place| usize::try_from(place).ok());
        match name {
            "ffData" => field.form = Some(Form::default()),
            "fldData" => {}
            _ => {
                let Some(form) = &mut field.form else {
                    return;
                };
                match name {
                    "checkBox" => form.is_check_box = true,
                    "checked" => form.is_checked = Some(is_on(tag)),
                    "default" if form.is_check_box => {
                        form.is_checked.get_or_insert(is_on(tag));
                    }
                    "result" => form.chosen = place(),
                    "default" => {
                        form.default_choice = place();
                        form.default_text = attribute(tag, "val");
                    }
                    "listEntry" => form.entries.extend(attribute(tag, "val")),
                    _ => {}
                }
            }
        }
    }
}

impl Field {
    fn value(self) -> Option<String> {
        if self.has_text {
            return None;
        }
        let Some(form) = self.form else {
            return equation::of_code(&self.code);
        };
        if form.is_check_box {
            let sign = if form.is_checked.unwrap_or(false) { "☒" } else { "☐" };
            return Some(sign.to_owned());
        }
        match form.entries.is_empty() {
            true => form.default_text,
            false => form.entries.into_iter().nth(form.chosen.or(form.default_choice).unwrap_or(0)),
        }
    }
}

/// Whether the result of a field with this code differs from page to page.
fn is_of_page(code: &str) -> bool {
    let name = code.split_whitespace().next().unwrap_or_default();
    ["PAGE", "NUMPAGES", "SECTIONPAGES", "STYLEREF"].iter().any(|other| name.eq_ignore_ascii_case(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_in_a_field_without_marks_is_read_unless_it_has_a_result() {
        let begun = || {
            let tag = BytesStart::from_content("w:fldSimple w:instr=' EQ \\f(3,4) '", 11);
            let mut fields = Fields::default();
            fields.begin_simple(&tag);
            fields
        };
        assert_eq!(begun().end_simple().as_deref(), Some("3/4"));
        let mut fields = begun();
        fields.note_text();
        assert_eq!(fields.end_simple(), None);
    }
}
