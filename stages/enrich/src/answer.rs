//! The model's answers: each task's value as JSON text, and the usage of the calls.

use gristmill_sdk::StageError;
use gristmill_sdk::llm::{FinishReason, Response};

use crate::json::Object;
use crate::task::Task;

/// The answer to one task.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Name of the task.
    pub name: String,
    /// JSON text, as the model wrote it.
    pub value: String,
}

/// Reads the value of each task from a response and ignores whatever else the model wrote.
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
    let fix = match response.finish_reason {
        FinishReason::Length => "it was cut off at the output limit: raise `max_output_tokens`",
        _ => "if retries keep failing, use a model that supports structured output",
    };
    StageError::retryable("invalid-answer", format!("the answer of {} {fault}; {fix}", response.model), None)
}

/// Usage of all calls for one item.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Totals {
    /// The models that answered, each once.
    pub models: Vec<String>,
    /// Unknown if any provider did not report it.
    pub input_tokens: Option<u64>,
    /// Unknown if any provider did not report it.
    pub output_tokens: Option<u64>,
    /// True if no provider was called at all.
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
