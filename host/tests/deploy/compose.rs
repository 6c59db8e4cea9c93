//! The demo with Docker Compose.

use std::time::Duration;

use gristmill::settings::{HostFile, Pipeline};
use serde_json::Value;

use super::{ADMIN_PORT, CLOSING, assert_quiet, at, command_line, path, strings, text, tool, yaml};

const COMPOSE: &str = "deploy/docker-compose.yml";

fn services() -> Vec<(String, Value)> {
    let file = yaml(COMPOSE);
    at(&file, "/services").as_object().unwrap().iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn gristmill() -> Value {
    at(&yaml(COMPOSE), "/services/gristmill").clone()
}

#[test]
fn compose_finds_no_fault_in_the_file() {
    let file = path(COMPOSE);
    let has_compose = tool("docker", &["compose", "version"]).is_some_and(|output| output.status.success());
    if !has_compose {
        println!("left out, because this machine has no `docker compose`");
        return;
    }
    let output = tool("docker", &["compose", "--file", file.to_str().unwrap(), "config", "--quiet"]).unwrap();
    assert_quiet(&output);
}

#[test]
fn every_image_has_a_version_and_no_port_leaves_the_machine() {
    for (name, service) in services() {
        if service.get("build").is_none() {
            let image = at(&service, "/image").as_str().unwrap();
            let tag = image.rsplit_once(':').unwrap_or_else(|| panic!("{name}: {image} has no version")).1;
            assert!(tag.contains('.') && !tag.contains('/'), "{name}: {image}");
        }
        for port in service.get("ports").map(strings).unwrap_or_default() {
            assert!(port.starts_with("127.0.0.1:"), "{name} opens {port}");
        }
    }
}

#[test]
fn everything_that_a_service_names_is_there() {
    let file = yaml(COMPOSE);
    for (name, service) in services() {
        for mount in service.get("volumes").map(strings).unwrap_or_default() {
            let from = mount.split(':').next().unwrap();
            match from.starts_with('.') {
                true => assert!(path("deploy").join(from).exists(), "{name} mounts {from}"),
                false => assert!(at(&file, "/volumes").get(from).is_some(), "{name} has the volume {from}"),
            }
        }
        for secret in service.get("secrets").map(strings).unwrap_or_default() {
            let source = at(&file, &format!("/secrets/{secret}/file")).as_str().unwrap();
            assert!(path("deploy").join(source).is_file(), "{name} has the secret {secret}");
        }
        let others = match service.get("depends_on") {
            Some(Value::Object(others)) => others.keys().cloned().collect(),
            Some(list) => strings(list).into_iter().map(str::to_owned).collect(),
            None => Vec::new(),
        };
        for other in others {
            let other = at(&file, &format!("/services/{other}"));
            let waits_for_health = service.pointer("/depends_on/redpanda/condition").is_some();
            assert!(!waits_for_health || other.get("healthcheck").is_some() || other.get("build").is_some(), "{name}");
        }
    }
}

#[test]
fn the_host_of_the_demo_may_change_nothing_and_has_the_time_to_drain() {
    let host = gristmill();
    assert_eq!(at(&host, "/read_only"), true);
    assert_eq!(strings(at(&host, "/cap_drop")), ["ALL"]);
    let grace = at(&host, "/stop_grace_period").as_str().unwrap().trim_end_matches('s').parse().unwrap();
    let pipeline = Pipeline::load(&path("examples/events/pipeline.toml")).unwrap();
    assert!(Duration::from_secs(grace) > pipeline.limits.drain_timeout + CLOSING);
}

#[test]
fn the_host_of_the_demo_is_started_as_it_wants_and_is_scraped_where_it_listens() {
    let host = gristmill();
    command_line(&[&["gristmill"], strings(at(&host, "/command")).as_slice()].concat());
    HostFile::load(&path("deploy/compose/gristmill.toml")).unwrap();
    let listen = format!("listen = \"0.0.0.0:{ADMIN_PORT}\"");
    assert!(text("deploy/compose/gristmill.toml").contains(&listen));
    let targets = at(&yaml("deploy/compose/prometheus.yml"), "/scrape_configs/0/static_configs/0/targets").clone();
    assert_eq!(strings(&targets), [format!("gristmill:{ADMIN_PORT}")]);
    let uid = at(&yaml("deploy/compose/grafana/datasources.yml"), "/datasources/0/uid").clone();
    assert_eq!(uid, "prometheus");
}
