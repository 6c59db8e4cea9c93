//! The answers of the model: each task's value as JSON text, and what the calls took.

use gristmill_sdk::StageError;
use gristmill_sdk::llm::{FinishReason, Response};

use crate::json::Object;
use crate::task::Task;

/// The value a task got.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Name of the task.
    pub name: String,
    /// JSON text, as the model wrote it.
    pub value: String,
}

/// Takes the value of each task out of a response; what else the model wrote is left behind.
///
/// # Errors
/// The response is not an object with a key for each task. Asking again may help.
pub(crate) fn read(tasks: &[Task], response: &Response) -> Result<Vec<Answer>, StageError> {
    let object = Object::parse(&response.text).map_err(|_| invalid(response, "is not a JSON object"))?;
    let mut answers = Vec::new();
    for task in tasks {
        let Some(value) = object.get(&task.name) else {
            return Err(invalid(response, &format!("has no key `{}`", task.name)));
        };
        answers.push(Answer { name: task.name.clone(), value: value.into() });
    }
    Ok(answers)
}

fn invalid(response: &Response, fault: &str) -> StageError {
    let way_out = match response.finish_reason {
        FinishReason::Length => "it was cut off at the output limit: raise `max_output_tokens`",
        _ => "it is asked again; if that keeps failing, use a model that supports structured output",
    };
    StageError::retryable("invalid-answer", format!("the answer of {} {fault}; {way_out}", response.model), None)
}

/// What all calls for an item took together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Totals {
    /// What answered, each name once.
    pub models: Vec<String>,
    /// Unknown if any provider did not say.
    pub input_tokens: Option<u64>,
    /// Unknown if any provider did not say.
    pub output_tokens: Option<u64>,
    /// True if no provider was asked at all.
    pub cached: bool,
}

impl Totals {
    /// Adds up the responses.
    pub(crate) fn of(responses: &[Response]) -> Self {
        let mut models: Vec<String> = responses.iter().map(|response| response.model.clone()).collect();
        models.sort();
        models.dedup();
        Self {
            models,
            input_tokens: responses.iter().map(|response| response.usage.input_tokens).sum(),
            output_tokens: responses.iter().map(|response| response.usage.output_tokens).sum(),
            cached: responses.iter().all(|response| response.cached),
        }
    }
}
