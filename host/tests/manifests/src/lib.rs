//! Checks Kubernetes manifests by the types of its API: their shape, and that no field is unknown, which an API server may
//! drop without a word. A package of its own, because these types take 40 s to compile.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What a manifest was checked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// The type of its kind.
    ByType,
    /// Nothing: its kind is not one of Kubernetes' own, or not one that is used here.
    NotAtAll,
}

/// Checks one manifest.
///
/// # Errors
/// What is wrong with it, with its place.
pub fn check(text: &str) -> Result<Checked, String> {
    let manifest: Value = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    let api = manifest["apiVersion"].as_str().unwrap_or_default();
    let kind = manifest["kind"].as_str().unwrap_or_default();
    match (api, kind) {
        ("apps/v1", "Deployment") => shape::<Deployment>(&manifest),
        ("v1", "Namespace") => shape::<Namespace>(&manifest),
        ("networking.k8s.io/v1", "NetworkPolicy") => shape::<NetworkPolicy>(&manifest),
        ("policy/v1", "PodDisruptionBudget") => shape::<PodDisruptionBudget>(&manifest),
        ("v1", "Secret") => shape::<Secret>(&manifest),
        ("v1", "Service") => shape::<Service>(&manifest),
        ("v1", "ServiceAccount") => shape::<ServiceAccount>(&manifest),
        _ => return Ok(Checked::NotAtAll),
    }
    .map(|()| Checked::ByType)
}

fn shape<T: DeserializeOwned>(manifest: &Value) -> Result<(), String> {
    let mut unknown = Vec::new();
    // An optional field is one more step of the path, called "?".
    let read = serde_ignored::deserialize(manifest, |path| unknown.push(path.to_string().replace(".?", "")));
    let _: T = read.map_err(|error: serde_json::Error| error.to_string())?;
    match unknown.as_slice() {
        [] => Ok(()),
        unknown => Err(format!("unknown: {}", unknown.join(", "))),
    }
}
