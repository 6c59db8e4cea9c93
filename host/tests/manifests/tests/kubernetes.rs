//! The manifests of `deploy/kubernetes`.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::path::Path;

use gristmill_manifests::{Checked, check};

#[test]
fn kubernetes_knows_every_field_of_the_manifests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../deploy/kubernetes");
    let (mut checked, mut others) = (Vec::new(), Vec::new());
    for part in ["base", "autoscaling"] {
        for entry in std::fs::read_dir(folder.join(part)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            match check(&std::fs::read_to_string(&path).unwrap()) {
                Ok(Checked::ByType) => checked.push(name),
                Ok(Checked::NotAtAll) => others.push(name),
                Err(fault) => panic!("{part}/{name}: {fault}"),
            }
        }
    }
    checked.sort();
    others.sort();
    let base = [
        "deployment",
        "disruption-budget",
        "namespace",
        "network-policy",
        "secret.example",
        "service",
        "service-account",
    ];
    assert_eq!(checked, base);
    // Of kustomize, KEDA and the Prometheus operator.
    assert_eq!(others, ["kustomization", "kustomization", "scaled-object", "service-monitor"]);
}

#[test]
fn a_field_that_kubernetes_does_not_know_is_a_fault() {
    let service = "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {prots: []}}";
    assert_eq!(check(service).unwrap_err(), "unknown: spec.prots");
    let service = "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: 9464}}";
    assert!(check(service).unwrap_err().contains("invalid type"));
}
