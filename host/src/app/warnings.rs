//! What an operator should know of a pipeline file although it can be used.

use std::path::Path;

use gristmill_config::Fault;
use gristmill_core::settings::{SecretRef, is_open_to_others};
use gristmill_kafka::Property;
use gristmill_wasm::Described;

use super::{checks, schemas};
use crate::settings::Pipeline;

/// What is probably not meant, each at its place: in the file, in what its models can be held to, and in the permissions of
/// the keys that it names, and in what its stages say of themselves.
#[must_use]
pub fn warnings(pipeline: &Pipeline, described: &[Described]) -> Vec<Fault> {
    let mut warnings = of_file(pipeline);
    warnings.extend(checks::check(pipeline, described).warnings);
    warnings
}

fn of_file(pipeline: &Pipeline) -> Vec<Fault> {
    let mut warnings = pipeline.warnings();
    warnings.extend(schemas::warnings(pipeline));
    for (pointer, file) in key_files(pipeline) {
        if is_open_to_others(file) {
            let message = format!("others than its owner can read the secret in {}", file.display());
            let label = format!("take that right away: chmod go-rwx {}", file.display());
            warnings.push(Fault::warning(pipeline.place(&pointer), message).label(label));
        }
    }
    warnings
}

/// Logs the warnings of a pipeline that is about to run.
pub(super) fn log(pipeline: &Pipeline, described: &[Described]) {
    for warning in warnings(pipeline, described) {
        tracing::warn!(pipeline = %pipeline.name, place = %warning.place(), "{}", warning.line());
    }
}

/// Properties of librdkafka whose value is the path of a private key.
const KEY_PATHS: [&str; 2] = ["ssl.key.location", "ssl.keystore.location"];
/// The beginnings of the names of properties that hold certificates, which everybody may see.
const CERTIFICATES: [&str; 2] = ["ssl.ca.", "ssl.certificate."];

/// The files with secrets that the pipeline names, each with where it does so.
fn key_files(pipeline: &Pipeline) -> Vec<(String, &Path)> {
    let mut files: Vec<(String, &Path)> = Vec::new();
    for (name, property) in pipeline.kafka.iter().flat_map(|kafka| &kafka.properties.0) {
        let file = match property {
            Property::Secret(SecretRef::File(file)) => file.as_path(),
            Property::Plain(path) if KEY_PATHS.contains(&name.as_str()) => Path::new(path),
            Property::Plain(_) | Property::Secret(SecretRef::Env(_)) => continue,
        };
        if !CERTIFICATES.iter().any(|certificate| name.starts_with(certificate)) {
            files.push((format!("/kafka/properties/{name}"), file));
        }
    }
    if let Some(redis) = &pipeline.redis {
        if let Some(SecretRef::File(file)) = &redis.password {
            files.push(("/redis/password".to_owned(), file));
        }
        if let Some(key) = redis.tls.as_ref().and_then(|tls| tls.key.as_ref()) {
            files.push(("/redis/tls/key".to_owned(), key));
        }
    }
    if let Some(SecretRef::File(file)) = &pipeline.store.password {
        files.push(("/store/password".to_owned(), file));
    }
    for (alias, model) in &pipeline.models {
        for (place, target) in model.all_targets() {
            for (pointer, secret) in target.secrets() {
                if let SecretRef::File(file) = secret {
                    files.push((format!("/models/{}{place}{pointer}", &**alias), file));
                }
            }
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn key_files_that_others_can_read_are_warned_of_at_their_places() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, mode: u32| {
            let path = folder.path().join(name);
            std::fs::write(&path, "canary").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path.display().to_string()
        };
        let (open, closed, tls) = (file("open", 0o644), file("closed", 0o600), file("tls", 0o640));
        let text = format!(
            r#"name = "p"
kafka = {{ brokers = "h:1", properties = {{ "sasl.password" = {{ file = "{open}" }}, "ssl.key.location" = "{tls}", "ssl.ca.pem" = {{ file = "{open}" }} }} }}
source = {{ topic = "in" }}
sink = {{ topic = "out" }}
dead_letter = {{ topic = "dead" }}
[[stage]]
name = "a"
module = "builtin:enrich"
grants = ["llm"]
[models.m]
targets = [
  {{ provider = "openai", model = "x", key = {{ file = "{closed}" }} }},
  {{ provider = "openai", model = "y", key = {{ file = "{open}" }} }},
  {{ provider = "openai", model = "z", key = {{ env = "KEY" }} }},
  {{ provider = "gemini", model = "g", headers = {{ x-tenant = {{ file = "{open}" }} }} }},
]
"#
        );
        let pipeline = Pipeline::parse(&text, Path::new("p.toml")).unwrap();
        let told: Vec<String> = of_file(&pipeline).iter().map(ToString::to_string).collect();
        let expected = [("p.toml:2:", &open), ("p.toml:2:", &tls), ("p.toml:13:", &open), ("p.toml:15:", &open)];
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (told, (place, file)) in told.iter().zip(expected) {
            assert!(told.starts_with("warning: ") && told.contains(place) && told.contains(file.as_str()), "{told}");
            assert!(!told.contains("canary"), "{told}");
        }
    }
}
