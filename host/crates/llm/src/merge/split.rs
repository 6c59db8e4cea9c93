//! One answer as several: each by the number of its request. Pure.

use gristmill_core::model::{ChatResponse, FinishReason};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::form::Form;

/// All answers in one.
#[derive(Deserialize)]
struct Answers<'a> {
    #[serde(borrow)]
    answers: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    id: Id,
    /// As the model wrote it, so that no digit of a number is lost.
    #[serde(borrow)]
    answer: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Number(u64),
    Text(String),
}

impl Id {
    /// Which of the requests, from 0.
    fn index(&self) -> Option<usize> {
        let number = match self {
            Self::Number(number) => *number,
            Self::Text(text) => text.trim().parse().ok()?,
        };
        usize::try_from(number.checked_sub(1)?).ok()
    }
}

/// The answer to each of so many requests, in their order: `None` for one that is missing, that was given twice, or that
/// does not have the form; for all if the whole is not a list of answers. An answer to a request that nobody made is
/// ignored.
pub(super) fn split(whole: &ChatResponse, count: usize, form: &Form) -> Vec<Option<ChatResponse>> {
    let mut found: Vec<Vec<String>> = vec![Vec::new(); count];
    if let Ok(document) = Form::Json.check(whole.clone()) {
        for Entry { id, answer } in read(&document.text) {
            if let Some(answers) = id.index().and_then(|index| found.get_mut(index)) {
                answers.push(answer.get().to_owned());
            }
        }
    }
    let each = found.into_iter().map(|mut answers| {
        let text = answers.pop().filter(|_| answers.is_empty())?;
        form.check(ChatResponse { text, finish_reason: FinishReason::Stop, ..whole.clone() }).ok()
    });
    each.collect()
}

/// The entries that can be read. Small models leave the object around the list out.
fn read(document: &str) -> Vec<Entry<'_>> {
    let as_asked = serde_json::from_str::<Answers<'_>>(document).map(|whole| whole.answers);
    let list = as_asked.or_else(|_| serde_json::from_str::<Vec<&RawValue>>(document)).unwrap_or_default();
    list.into_iter().filter_map(|entry| serde_json::from_str(entry.get()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{response, schema};

    /// What becomes of three requests for a number.
    fn three(whole: &ChatResponse) -> [Option<String>; 3] {
        let form = Form::of(&schema(r#"{"type":"number"}"#)).unwrap();
        let each =
            split(whole, 3, &form).into_iter().map(|answer| answer.map(|answer| answer.text)).collect::<Vec<_>>();
        each.try_into().unwrap()
    }

    fn some(texts: [&str; 3]) -> [Option<String>; 3] {
        texts.map(|text| Some(text).filter(|text| !text.is_empty()).map(str::to_owned))
    }

    #[test]
    fn each_request_gets_the_answer_with_its_number_or_none() {
        for (answer, expected) in [
            (r#"{"answers":[{"id":1,"answer":1},{"id":2,"answer":2},{"id":3,"answer":3}]}"#, ["1", "2", "3"]),
            // In any order, in digits, with more beside it, in a fence, without the object around it.
            (r#"{"answers":[{"id":"3","answer":3},{"answer":2,"id":2},{"id":1,"why":0,"answer":1}]}"#, ["1", "2", "3"]),
            ("```json\n[{\"id\":1,\"answer\":1},{\"id\":2,\"answer\":2}]\n```", ["1", "2", ""]),
            // No digit is lost.
            (r#"{"answers":[{"id":1,"answer":12345678901234567890123.50}]}"#, ["12345678901234567890123.50", "", ""]),
            // Missing, given twice, of another form, of nobody.
            (r#"{"answers":[{"id":1,"answer":1},{"id":3,"answer":3},{"id":3,"answer":3}]}"#, ["1", "", ""]),
            (r#"{"answers":[{"id":1,"answer":"one"},{"id":2},{"id":3,"answer":3}]}"#, ["", "", "3"]),
            (
                r#"{"answers":[{"id":0,"answer":0},{"id":4,"answer":4},{"id":"x","answer":5},{"id":2,"answer":2}]}"#,
                ["", "2", ""],
            ),
            (r#"{"answers":[{"id":1,"answer":1}"#, ["", "", ""]),
            (r#"{"answers":7}"#, ["", "", ""]),
            ("I cannot.", ["", "", ""]),
        ] {
            assert_eq!(three(&response(answer)), some(expected), "{answer}");
        }
    }

    #[test]
    fn an_answer_that_was_cut_off_is_nobodys() {
        let cut = |text: &str| ChatResponse { finish_reason: FinishReason::Length, ..response(text) };
        assert_eq!(three(&cut(r#"{"answers":[{"id":1,"answer":1},{"id":2,"answer":2"#)), some(["", "", ""]));
        let whole = cut(r#"{"answers":[{"id":1,"answer":1}]}"#);
        assert_eq!(three(&whole), some(["1", "", ""]));
        let form = Form::of(&schema("{}")).unwrap();
        let first = split(&whole, 1, &form).remove(0).unwrap();
        assert_eq!(first.finish_reason, FinishReason::Stop, "what is complete is complete");
    }
}
