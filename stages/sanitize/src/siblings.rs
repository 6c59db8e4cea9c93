//! What a member of an object says about another one: `{"type": "mobile", "value": "…"}`.

use crate::context::Context;
use crate::literal::{decoded, string_end};
use crate::pii::{Label, normal};

/// Names of members that say what the value next to them is.
const TELLING: &str = " type kind label name key field fieldname system category title attribute property parameter param header question \
    prompt contacttype documenttype doctype idtype phonetype channel medium code typ tipo bezeichnung feld clave nombre campo libelle nom \
    cle etichetta nome chiave naam sleutel nazwa klucz тип название имя 类型 名称 種類 ";

/// Names of members whose value another one may explain.
const TOLD: &str = " value val v content contents text number no nr num nummer numero answer response reply data entry input wert valor \
    valeur valore waarde wartosc значение номер 值 内容 値 contact contactvalue detail details identifier documentnumber docnumber \
    documentid fieldvalue attributevalue stringvalue displayvalue rawvalue valuestring answertext body ";

/// What a member has to do with the others of its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sibling {
    Plain,
    /// Says what another one is.
    Telling,
    /// Needs another one that says what it is.
    Told,
}

impl Sibling {
    pub(crate) fn of_name(name: &str) -> Self {
        match name {
            _ if is_telling(name) => Self::Telling,
            _ if is_told(name) => Self::Told,
            _ => Self::Plain,
        }
    }
}

/// The longest value that says what another one is, in bytes.
const LONGEST: usize = 64;

/// Whether the name of a member or a column says that its value explains another one.
pub(crate) fn is_telling(name: &str) -> bool {
    is_one_of(name, TELLING)
}

/// Whether it says that its value needs another one that explains it.
pub(crate) fn is_told(name: &str) -> bool {
    is_one_of(name, TOLD)
}

fn is_one_of(name: &str, list: &str) -> bool {
    const LONGEST_NAME: usize = 32;
    if name.is_empty() || name.len() > LONGEST_NAME {
        return false;
    }
    let plain: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
    let plain = normal(&plain);
    !plain.is_empty() && list.split_ascii_whitespace().any(|word| word == plain)
}

/// The context that the value of a telling member gives to the one that it explains.
pub(crate) fn told_by(value: &str) -> Context {
    if value.len() > LONGEST { Context::default() } else { Context::of_field(value.trim()) }
}

/// Whether a context that is only told fits the value. A text next to the title "Password" is mostly about passwords.
pub(crate) fn fits(context: &Context, value: &str) -> bool {
    context.label != Some(Label::Secret)
        || (!value.contains(char::is_whitespace) && value.contains(|c: char| !c.is_alphabetic()))
}

/// How far to look for a member that says something about one before it, in bytes.
const REACH: usize = 512;

/// What the first telling member after `from` says, in the same object.
pub(crate) fn after(text: &str, from: usize) -> Context {
    let bytes = text.as_bytes();
    let limit = bytes.len().min(from + REACH);
    let (mut at, mut depth) = (from, 0_usize);
    let mut name = None;
    while at < limit {
        match bytes[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => break,
            b'}' | b']' => depth -= 1,
            b',' => name = None,
            b'"' => {
                let end = string_end(bytes, at);
                let literal = decoded(&text[at..end]).filter(|_| depth == 0);
                at = end;
                match (name.take(), literal) {
                    (None, Some(literal)) => name = Some(literal),
                    (Some(name), Some(value)) if is_telling(&name) => {
                        let told = told_by(&value);
                        if told.label.is_some() {
                            return told;
                        }
                    }
                    _ => {}
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    Context::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_accents_and_signs() {
        assert!(is_telling("Type") && is_telling("field_name") && is_telling("@type") && is_telling("Libellé"));
        assert!(is_told("value") && is_told("Document-Number") && is_told("#text"));
        assert!(!is_told("sku") && !is_telling("created") && !is_told(""));
    }

    #[test]
    fn a_text_beside_the_word_password_is_no_password() {
        let context = told_by("password");
        assert!(fits(&context, "hunter2"));
        assert!(!fits(&context, "Choose a new one, please.") && !fits(&context, "forgotten"));
    }
}
