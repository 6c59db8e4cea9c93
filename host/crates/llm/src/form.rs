//! The requested form of an answer, and the check that the answer has it, whatever the provider promises.

use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde_json::Value;

use gristmill_core::model::schema::is_affordable;
use gristmill_core::model::{ChatFailure, ChatResponse, FinishReason, Format};

use super::answer;
use super::quote::clean;

/// How many problems are reported for one answer.
const MOST_PROBLEMS: usize = 10;
/// Backtracking steps that a pattern in a stage's schema may take on one text, so that it cannot block the host.
const PATTERN_STEPS: usize = 100_000;
/// The largest schema, in bytes.
const LARGEST_SCHEMA: usize = 1 << 20;
/// The largest answer, in bytes, of which all problems are looked for: they are found all at once, and a large answer can
/// have millions.
const LARGEST_EXPLAINED: usize = 64 << 10;
/// Maximum length of a schema's name, in characters.
const LONGEST_NAME: usize = 64;

/// A format compiled to check answers.
pub(super) enum Form {
    Text,
    Json,
    Schema(Box<Validator>),
}

impl Form {
    /// Compiles a format. An unusable schema is an invalid request: nothing has been paid yet.
    pub(super) fn of(format: &Format) -> Result<Self, ChatFailure> {
        let (name, text) = match format {
            Format::Text => return Ok(Self::Text),
            Format::Json => return Ok(Self::Json),
            Format::Schema { name, schema, .. } => (name, schema),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(plain) {
            let name = clean(name);
            let reason = format!("the schema's name {name:?} is not 1 to {LONGEST_NAME} letters, digits, _ or -");
            return Err(ChatFailure::InvalidRequest(reason));
        }
        if text.len() > LARGEST_SCHEMA {
            let reason = format!("the schema {name:?} is longer than {LARGEST_SCHEMA} bytes");
            return Err(ChatFailure::InvalidRequest(reason));
        }
        let schema: Value = serde_json::from_str(text)
            .map_err(|error| ChatFailure::InvalidRequest(format!("the schema {name:?} is not JSON: {error}")))?;
        if !is_affordable(&schema) {
            return Err(ChatFailure::InvalidRequest(format!(
                "the parts of the schema {name:?} refer to each other too often"
            )));
        }
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .offline()
            .with_pattern_options(PatternOptions::fancy_regex().backtrack_limit(PATTERN_STEPS))
            .build(&schema)
            .map_err(|error| {
                let place = error.instance_path().to_string();
                let reason = clean(&error.masked().to_string());
                ChatFailure::InvalidRequest(format!("the schema {name:?} is not a JSON Schema, at {place:?}: {reason}"))
            })?;
        Ok(Self::Schema(Box::new(validator)))
    }

    /// Returns an answer of this form. For the JSON forms that is just the document, without the thinking, explanations and
    /// fences that models like to put around it. Anything else is invalid output, including a document that was cut off
    /// at the output limit.
    pub(super) fn check(&self, mut response: ChatResponse) -> Result<ChatResponse, ChatFailure> {
        let checked = match self {
            Self::Text => Ok(answer::without_thinking(&response.text).to_owned()),
            Self::Json => document(None, &response),
            Self::Schema(validator) => document(Some(validator), &response),
        };
        match checked {
            Ok(text) => response.text = text,
            Err(problems) => return Err(ChatFailure::InvalidOutput { text: response.text, problems }),
        }
        Ok(response)
    }
}

/// The document of an answer, or what is wrong with it.
fn document(validator: Option<&Validator>, response: &ChatResponse) -> Result<String, Vec<String>> {
    let mut documents = match response.finish_reason {
        FinishReason::Length => vec![answer::complete(&response.text).ok_or_else(|| {
            vec!["the answer was cut off at the output limit; raise max-output-tokens or ask for less".to_owned()]
        })?],
        FinishReason::Stop | FinishReason::Other(_) => {
            answer::documents(&response.text).map_err(|problem| vec![problem])?
        }
    };
    if documents.len() > 1 {
        let count = documents.len();
        documents.retain(|document| validator.is_some_and(|validator| validator.is_valid(&document.value)));
        if documents.len() != 1 {
            return Err(vec![format!("the answer holds {count} JSON documents instead of one")]);
        }
    }
    let Some(document) = documents.pop() else { return Err(vec!["the answer holds no JSON document".into()]) };
    let Some(validator) = validator else { return Ok(document.text.into_owned()) };
    let problems = match document.text.len() <= LARGEST_EXPLAINED {
        true => problems(validator.iter_errors(&document.value)),
        false => problems(validator.validate(&document.value).err().into_iter()),
    };
    if problems.is_empty() {
        return Ok(document.text.into_owned());
    }
    if let Value::String(inside) = &document.value
        && let Some(inside) = answer::complete(inside)
        && validator.is_valid(&inside.value)
    {
        return Ok(inside.text.into_owned());
    }
    Err(problems)
}

/// Says where each problem is and what it is, but leaves out the values: they come from the document.
fn problems<'e>(errors: impl Iterator<Item = ValidationError<'e>>) -> Vec<String> {
    let mut problems = Vec::new();
    for error in errors.take(MOST_PROBLEMS) {
        let place = match error.instance_path().to_string() {
            path if path.is_empty() => "the document".to_owned(),
            path => clean(&path),
        };
        problems.push(format!("{place}: {}", clean(&error.masked().to_string())));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{response, schema};
    use super::*;

    const PERSON: &str = r#"{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"}},
        "required":["name"],"additionalProperties":false}"#;

    fn checked(format: &Format, text: &str) -> Result<String, Vec<String>> {
        match Form::of(format).unwrap().check(response(text)) {
            Ok(response) => Ok(response.text),
            Err(ChatFailure::InvalidOutput { problems, .. }) => Err(problems),
            Err(other) => panic!("{other:?}"),
        }
    }

    fn refused(format: &Format) -> String {
        match Form::of(format) {
            Err(ChatFailure::InvalidRequest(reason)) => reason,
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("accepted"),
        }
    }

    #[test]
    fn text_is_any_text_without_the_thinking_before_it() {
        assert_eq!(checked(&Format::Text, "```json"), Ok("```json".into()));
        assert_eq!(checked(&Format::Text, "<think>hm</think> hello"), Ok("hello".into()));
    }

    #[test]
    fn json_is_one_document_and_loses_its_fence() {
        for (text, expected) in [
            ("{\"a\":1}", Some("{\"a\":1}")),
            (" [1]\n", Some("[1]")),
            ("```json\n{\"a\":1}\n```\n", Some("{\"a\":1}")),
            ("```\n{\"a\":1}\n```", Some("{\"a\":1}")),
            ("Here it is: {}", Some("{}")),
            ("{} {}", None),
            ("", None),
        ] {
            assert_eq!(checked(&Format::Json, text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn an_answer_fits_its_schema_or_is_told_where_not_without_its_values() {
        let person = schema(PERSON);
        assert!(checked(&person, r#"{"name":"Jane","age":7}"#).is_ok());
        let problems = checked(&person, r#"{"name":["Jane Roe"],"age":"seven"}"#).unwrap_err();
        assert_eq!(problems.len(), 2, "{problems:?}");
        let all = problems.join("\n");
        assert!(all.contains("/name") && all.contains("/age"), "{all}");
        assert!(!all.contains("Jane") && !all.contains("seven"), "{all}");
    }

    #[test]
    fn of_several_documents_the_only_one_that_fits_is_meant() {
        let person = schema(PERSON);
        let answer = r#"By the schema {"type": "object"} it is {"name": "Jane"}."#;
        assert_eq!(checked(&person, answer), Ok(r#"{"name": "Jane"}"#.into()));
        for answer in [r#"{"name": "Jane"} or {"name": "John"}"#, r#"{"age": 1} or {"age": 2}"#] {
            assert_eq!(checked(&person, answer), Err(vec!["the answer holds 2 JSON documents instead of one".into()]));
        }
    }

    #[test]
    fn a_document_in_a_string_is_taken_out_only_where_no_string_was_asked_for() {
        let packed = r#""{\"name\": \"Jane\"}""#;
        assert_eq!(checked(&schema(PERSON), packed), Ok(r#"{"name": "Jane"}"#.into()));
        assert_eq!(checked(&schema(r#"{"type": "string"}"#), packed), Ok(packed.into()));
        assert_eq!(checked(&Format::Json, packed), Ok(packed.into()));
        assert!(checked(&schema(PERSON), r#""{\"age\": 1}""#).is_err());
    }

    #[test]
    fn an_answer_cut_off_is_no_json_unless_the_document_was_complete() {
        let cut = |text: &str| ChatResponse { finish_reason: FinishReason::Length, ..response(text) };
        assert_eq!(Form::Json.check(cut("{}\n")).unwrap().text, "{}");
        for text in ["{\"a\": 1", "12", "{\"a\": 1,}", "Here: {} and"] {
            let failure = Form::Json.check(cut(text)).unwrap_err();
            let ChatFailure::InvalidOutput { problems, .. } = failure else { panic!("{failure:?}") };
            assert!(problems[0].contains("cut off at the output limit"), "{problems:?}");
        }
        assert!(Form::Text.check(cut("half of")).is_ok(), "a text may end early");
    }

    #[test]
    fn a_schema_that_cannot_be_used_is_refused_before_anything_is_paid() {
        assert!(refused(&schema("{nope")).contains("not JSON"));
        assert!(refused(&schema(r#"{"type":"strange"}"#)).contains("not a JSON Schema"));
        assert!(refused(&schema(r#"{"$ref":"https://example.com/s.json"}"#)).contains("not a JSON Schema"));
        let named = |name: &str| Format::Schema { name: name.into(), description: None, schema: "{}".into() };
        assert!(refused(&named("")).contains("name"));
        assert!(refused(&named("two words")).contains("name"));
        assert!(refused(&named(&"n".repeat(65))).contains("name"));
    }

    #[test]
    fn a_schema_that_turns_in_circles_does_not_hang_the_host() {
        for circle in [
            r##"{"$ref":"#"}"##,
            r##"{"allOf":[{"$ref":"#"}]}"##,
            r##"{"anyOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{"not":{"$ref":"#"}}}}"##,
        ] {
            if let Ok(form) = Form::of(&schema(circle)) {
                let _ended = form.check(response("{}"));
            }
        }
    }

    #[test]
    fn a_schema_that_multiplies_itself_is_refused() {
        let twice = |next: usize| {
            format!(r##""a{}":{{"allOf":[{{"$ref":"#/$defs/a{next}"}},{{"$ref":"#/$defs/a{next}"}}]}}"##, next - 1)
        };
        let definitions: Vec<String> = (1..=30).map(twice).collect();
        let bomb = format!(r##"{{"$ref":"#/$defs/a0","$defs":{{{},"a30":false}}}}"##, definitions.join(","));
        assert!(refused(&schema(&bomb)).contains("too often"));
    }

    #[test]
    fn a_large_answer_is_told_its_first_problem_only() {
        let texts = schema(r#"{"type":"array","items":{"type":"string"}}"#);
        let many = |count: usize| format!("[{}]", vec!["1"; count].join(","));
        assert_eq!(checked(&texts, &many(20)).unwrap_err().len(), MOST_PROBLEMS);
        assert_eq!(checked(&texts, &many(1_000_000)).unwrap_err().len(), 1);
    }

    #[test]
    fn a_pattern_may_take_so_many_steps_only() {
        // Each further letter multiplies the steps by 1.6: a longer text would block the host forever.
        let greedy = schema(r#"{"type":"string","pattern":"^((?=a)a|(?=a)aa)+$"}"#);
        let text = format!("{:?}", "a".repeat(26) + "b");
        let problems = checked(&greedy, &text).unwrap_err();
        assert!(problems[0].contains("backtracking"), "{problems:?}");
    }
}
