//! Requests for vectors and their answers, in OpenAI's, Gemini's and Ollama's APIs.

use serde_json::{Value, json};

/// The texts of a request for vectors; none in any other.
pub(crate) fn texts(body: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match (&body["input"], &body["requests"]) {
        (Value::Array(inputs), _) => inputs.iter().filter_map(text).collect(),
        (_, Value::Array(requests)) => {
            requests.iter().filter_map(|request| text(&request["content"]["parts"][0]["text"])).collect()
        }
        _ => Vec::new(),
    }
}

/// Vectors as the API at this path gives them: for each text its length in bytes, and 1.
pub(crate) fn whole(path: &str, texts: &[String]) -> Value {
    let vectors: Vec<Value> = texts.iter().map(|text| json!([text.len(), 1])).collect();
    let tokens = texts.iter().map(|text| text.split_whitespace().count() as u64).sum::<u64>() + 1;
    if path.starts_with("/v1beta") {
        return json!({"embeddings": vectors.iter().map(|vector| json!({ "values": vector })).collect::<Value>()});
    }
    if path == "/api/embed" {
        return json!({"model": "served", "embeddings": vectors, "prompt_eval_count": tokens});
    }
    // The order is the index's, not the list's.
    let data = vectors
        .iter()
        .enumerate()
        .rev()
        .map(|(index, vector)| json!({"object": "embedding", "index": index, "embedding": vector}));
    json!({
        "object": "list", "model": "served", "data": data.collect::<Value>(),
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    })
}
