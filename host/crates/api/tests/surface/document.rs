//! The documentation is what is committed: `GRISTMILL_BLESS=1` writes it.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use gristmill_api::openapi;
use serde_json::Value;

use crate::served::serve;

fn docs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs").join(name)
}

fn compare(name: &str, expected: &str) {
    let path = docs(name);
    if std::env::var_os("GRISTMILL_BLESS").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == expected, "docs/{name} is not what the API says: run this test with GRISTMILL_BLESS=1");
}

#[test]
fn the_committed_document_is_that_of_the_routes() {
    compare("openapi.json", &(serde_json::to_string_pretty(&openapi()).unwrap() + "\n"));
}

#[test]
fn the_committed_reference_is_that_of_the_document() {
    compare("api.md", &reference(&openapi()));
}

#[tokio::test]
async fn the_served_document_is_the_committed_one() {
    let served = serve().await;
    let document: Value = served.get("/v1/openapi.json").send().await.unwrap().json().await.unwrap();
    assert_eq!(document, openapi());
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
}

#[test]
fn every_operation_says_who_may_and_what_it_answers() {
    let document = openapi();
    let mut names = std::collections::BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap();
        assert!(names.insert(name.to_owned()), "{name} is there twice");
        assert!(operation["summary"].is_string() && operation["responses"].is_object(), "{method} {path}");
        let is_open = ["/livez", "/v1/openapi.json"].contains(&path);
        assert_eq!(operation["security"].is_array(), !is_open, "{method} {path}");
    }
    assert_eq!(names.len(), 16, "{names:?}");
    for reference in references(&document) {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| match (name.as_str(), value.as_str()) {
                ("$ref", Some(reference)) => vec![reference.to_owned()],
                _ => references(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let mut all = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            all.push((path.as_str(), method.as_str(), operation));
        }
    }
    all
}

/// Examples that people copy.
const EXAMPLES: &str = r#"## Examples

```sh
# A document becomes a job.
curl -i --data-binary @contract.pdf -H 'Content-Type: application/pdf' \
  -H 'Idempotency-Key: 4b7c' http://127.0.0.1:8080/v1/pipelines/contracts/jobs
# Where is it?
curl http://127.0.0.1:8080/v1/jobs/JOB
# Follow it to its end.
curl -N http://127.0.0.1:8080/v1/jobs/JOB/events
# What came out.
curl -OJ http://127.0.0.1:8080/v1/jobs/JOB/result
# Which failed jobs would be run again? Say "dry_run": false to do it.
curl -H 'Content-Type: application/json' -d '{"action": "retry", "filter": {"pipeline": "contracts"}}' \
  http://127.0.0.1:8080/v1/jobs/actions
```

"#;

fn reference(document: &Value) -> String {
    let mut text = String::from(
        "# The HTTP API\n\nGenerated from `docs/openapi.json`, which a host with `[api]` serves as \
         `/v1/openapi.json`. Ids of jobs that came without the API hold \"/\", which is `%2F` in a path.\n\n",
    );
    text += EXAMPLES;
    for (path, method, operation) in operations(document) {
        let summary = operation["summary"].as_str().unwrap();
        let _ = writeln!(text, "## {summary}\n\n`{} {path}`", method.to_uppercase());
        if let Some(scopes) = operation["security"][0]["token"].as_array() {
            let scopes: Vec<_> = scopes.iter().filter_map(Value::as_str).map(|scope| format!("`{scope}`")).collect();
            let _ = writeln!(text, "\nScope: {}", scopes.join(" or "));
        }
        if let Some(description) = operation["description"].as_str() {
            let _ = writeln!(text, "\n{}", description.replace('\n', " "));
        }
        if let Some(parameters) = operation["parameters"].as_array() {
            text += "\n| parameter | in | meaning |\n|---|---|---|\n";
            for parameter in parameters {
                let part = |name: &str| parameter[name].as_str().unwrap_or_default();
                let _ = writeln!(text, "| `{}` | {} | {} |", part("name"), part("in"), part("description"));
            }
        }
        text += "\n| answer | meaning |\n|---|---|\n";
        for (status, response) in operation["responses"].as_object().unwrap() {
            let _ = writeln!(text, "| {status} | {} |", response["description"].as_str().unwrap_or_default());
        }
        text += "\n";
    }
    text += "## Types\n\n";
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let _ = writeln!(text, "### {name}\n");
        if let Some(description) = schema["description"].as_str() {
            let _ = writeln!(text, "{}\n", description.replace('\n', " "));
        }
        let Some(members) = schema["properties"].as_object() else { continue };
        text += "| member | meaning |\n|---|---|\n";
        for (member, schema) in members {
            let description = schema["description"].as_str().unwrap_or_default().replace('\n', " ");
            let _ = writeln!(text, "| `{member}` | {description} |");
        }
        text += "\n";
    }
    text.trim_end().to_owned() + "\n"
}
