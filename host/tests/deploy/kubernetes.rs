//! The manifests for Kubernetes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use gristmill::settings::{HostFile, Pipeline};
use serde_json::Value;

use super::{ADMIN_PORT, CLOSING, assert_quiet, at, command_line, path, strings, text, tool, yaml};

const BASE: &str = "deploy/kubernetes/base";
const SCALED: &str = "deploy/kubernetes/autoscaling";

fn base(name: &str) -> Value {
    yaml(&format!("{BASE}/{name}"))
}

fn container() -> Value {
    at(&base("deployment.yaml"), "/spec/template/spec/containers/0").clone()
}

/// The configuration as a host finds it: beside a folder of secrets.
fn config(folder: &Path) -> PathBuf {
    let secrets = folder.join("secrets");
    std::fs::create_dir_all(&secrets).unwrap();
    for name in at(&base("secret.example.yaml"), "/stringData").as_object().unwrap().keys() {
        std::fs::write(secrets.join(name), "a-secret-of-sufficient-length").unwrap();
    }
    for file in config_files() {
        let to = folder.join(&file);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(path(BASE).join("config").join(&file), to).unwrap();
    }
    folder.join("gristmill.toml")
}

/// The files of the config maps, below `config/`.
fn config_files() -> Vec<String> {
    let kustomization = base("kustomization.yaml");
    let maps = at(&kustomization, "/configMapGenerator").as_array().unwrap();
    let files = maps.iter().flat_map(|map| strings(at(map, "/files")));
    files.map(|file| file.strip_prefix("config/").unwrap().to_owned()).collect()
}

#[test]
fn kubectl_renders_every_manifest() {
    for (folder, kinds) in [
        (BASE, "ConfigMap ConfigMap Deployment Namespace NetworkPolicy PodDisruptionBudget Service ServiceAccount"),
        (
            SCALED,
            "ConfigMap ConfigMap Deployment Namespace NetworkPolicy PodDisruptionBudget ScaledObject Service \
             ServiceAccount ServiceMonitor",
        ),
    ] {
        let Some(output) = tool("kubectl", &["kustomize", path(folder).to_str().unwrap()]) else { return };
        assert_quiet(&output);
        let rendered = String::from_utf8(output.stdout).unwrap();
        let mut found: Vec<_> = rendered.lines().filter_map(|line| line.strip_prefix("kind: ")).collect();
        found.sort_unstable();
        assert_eq!(found.join(" "), kinds, "{folder}");
        assert!(!rendered.contains("image: gristmill\n"), "{folder}: the image has a place and a version");
        assert_eq!(rendered.contains("\n  replicas: 2\n"), folder == BASE, "KEDA alone says how many hosts there are");
    }
}

#[test]
fn every_selector_selects_the_hosts_and_nothing_else() {
    let pod = at(&base("deployment.yaml"), "/spec/template/metadata/labels").clone();
    for (file, selector) in [
        ("deployment.yaml", "/spec/selector/matchLabels"),
        ("deployment.yaml", "/spec/template/spec/topologySpreadConstraints/0/labelSelector/matchLabels"),
        ("disruption-budget.yaml", "/spec/selector/matchLabels"),
        ("network-policy.yaml", "/spec/podSelector/matchLabels"),
        ("service.yaml", "/spec/selector"),
    ] {
        assert_eq!(at(&base(file), selector), &pod, "{file}");
    }
    let monitored = yaml(&format!("{SCALED}/service-monitor.yaml"));
    assert_eq!(at(&monitored, "/spec/selector/matchLabels"), at(&base("kustomization.yaml"), "/labels/0/pairs"));
    assert!(
        base("kustomization.yaml").pointer("/labels/0/includeSelectors").is_none(),
        "the selector of DNS is not ours"
    );
}

#[test]
fn a_pod_has_the_time_to_drain() {
    let folder = tempfile::tempdir().unwrap();
    let host = HostFile::load(&config(folder.path())).unwrap();
    let grace = at(&base("deployment.yaml"), "/spec/template/spec/terminationGracePeriodSeconds").as_u64().unwrap();
    for file in config_files().iter().filter(|file| file.starts_with("pipelines/")) {
        let pipeline = Pipeline::load_in(&folder.path().join(file), &host).unwrap();
        assert!(Duration::from_secs(grace) > pipeline.limits.drain_timeout + CLOSING, "{file}");
    }
}

#[test]
fn the_configuration_passes_the_check_that_it_meets_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let host = config(folder.path());
    let mut check = Command::new(env!("CARGO_BIN_EXE_gristmill"));
    check.env("GRISTMILL_CACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"));
    let output = check.args(["check", "--host"]).arg(host).env_remove("GRISTMILL_BROKERS").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_pause_is_never_a_reason_to_restart() {
    let container = container();
    for (probe, asked) in [("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")] {
        assert_eq!(at(&container, &format!("/{probe}/httpGet/path")), asked, "{probe}");
        assert_eq!(at(&container, &format!("/{probe}/httpGet/port")), "admin", "{probe}");
    }
    assert!(container.get("lifecycle").is_none(), "SIGTERM drains, so there is nothing to do before it");
    let budget = base("disruption-budget.yaml");
    assert_eq!(at(&budget, "/spec/unhealthyPodEvictionPolicy"), "AlwaysAllow", "nor to keep a node");
}

#[test]
fn a_pod_has_no_rights_that_it_does_not_need() {
    let deployment = base("deployment.yaml");
    let pod = at(&deployment, "/spec/template/spec");
    assert_eq!(at(pod, "/securityContext/runAsNonRoot"), true);
    assert_eq!(at(pod, "/securityContext/runAsUser"), 65532, "the user of the image");
    assert_eq!(at(pod, "/securityContext/seccompProfile/type"), "RuntimeDefault");
    assert_eq!(at(pod, "/automountServiceAccountToken"), false);
    let container = container();
    assert_eq!(at(&container, "/securityContext/allowPrivilegeEscalation"), false);
    assert_eq!(at(&container, "/securityContext/readOnlyRootFilesystem"), true);
    assert_eq!(strings(at(&container, "/securityContext/capabilities/drop")), ["ALL"]);
}

#[test]
fn the_pod_starts_the_binary_as_it_wants_and_is_reached_where_it_listens() {
    let container = container();
    command_line(&[&["gristmill"], strings(at(&container, "/args")).as_slice()].concat());
    assert_eq!(at(&container, "/ports/0/containerPort"), ADMIN_PORT);
    assert_eq!(at(&base("service.yaml"), "/spec/ports/0/port"), ADMIN_PORT);
    assert!(text(&format!("{BASE}/config/gristmill.toml")).contains(&format!("listen = \"0.0.0.0:{ADMIN_PORT}\"")));
    assert_eq!(at(&yaml(&format!("{SCALED}/service-monitor.yaml")), "/spec/endpoints/0/port"), "admin");
}

#[test]
fn hosts_are_scaled_by_metrics_that_they_have() {
    let scaled = yaml(&format!("{SCALED}/scaled-object.yaml"));
    assert_eq!(at(&scaled, "/spec/scaleTargetRef/name"), at(&base("deployment.yaml"), "/metadata/name"));
    assert!(at(&scaled, "/spec/minReplicaCount").as_u64().unwrap() > 0, "without a host there is no backlog to see");
    let query = at(&scaled, "/spec/triggers/0/metadata/query").as_str().unwrap();
    let threshold = at(&scaled, "/spec/triggers/0/metadata/threshold").as_str().unwrap();
    assert_eq!(query.matches(&format!("* {threshold}\n")).count(), 2, "the factor in the query is the threshold");
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let names: BTreeSet<&str> = query.split(|c| !word(c)).filter(|name| name.starts_with("gristmill_")).collect();
    assert_eq!(names, BTreeSet::from(["gristmill_backlog", "gristmill_build_info", "gristmill_paused"]));
    let metrics = text("docs/metrics.md");
    for name in names {
        assert!(metrics.contains(&format!("`{name}`")), "no metric {name}");
    }
    let namespace = at(&yaml(&format!("{SCALED}/kustomization.yaml")), "/namespace").as_str().unwrap().to_owned();
    assert_eq!(query.matches("namespace=").count(), query.matches(&format!("namespace=\"{namespace}\"")).count());
}
