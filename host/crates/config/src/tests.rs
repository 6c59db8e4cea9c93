//! Files of an example type: what is read, what is reported, and where. The crate that composes pipeline files tests
//! them as a whole.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gristmill_core::settings::{ByteSize, Span, span};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Checked, ConfigError, parse};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, with = "span")]
    #[schemars(with = "Span", extend("x-min" = "1s", "x-max" = "1m"))]
    wait: Duration,
    #[schemars(extend("x-add" = "size = \"1MiB\""))]
    size: ByteSize,
    #[serde(default)]
    #[schemars(range(max = 9))]
    count: u32,
    #[serde(default)]
    #[schemars(extend("x-path" = true))]
    script: Option<PathBuf>,
    #[serde(default)]
    shapes: Vec<Shape>,
    #[serde(default)]
    free: serde_json::Value,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Shape {
    Circle(Circle),
    Point,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Circle {
    radius: u8,
}

fn read(text: &str) -> Result<Checked<File>, ConfigError> {
    parse::<File>(text, Path::new("etc/host.toml"))?.finish()
}

#[track_caller]
fn faults(text: &str) -> Vec<String> {
    let error = read(text).unwrap_err();
    let fault = |fault: &super::Fault| format!("{} {}", fault.place(), fault.message());
    error.faults().iter().map(fault).collect()
}

#[test]
fn a_good_file_is_what_its_type_says() {
    let text = r#"wait = "2s"
size = 5
script = "a.toml"
shapes = [{ kind = "circle", radius = 3 }, { kind = "point" }]
free = 2024-05-01"#;
    let file = read(text).unwrap();
    assert_eq!((file.value.wait, file.value.size, file.value.count), (Duration::from_secs(2), ByteSize::bytes(5), 0));
    assert_eq!(file.value.script, Some(PathBuf::from("etc/a.toml")), "relative to the folder of the file");
    assert!(matches!(file.value.shapes.as_slice(), [Shape::Circle(Circle { radius: 3 }), Shape::Point]));
    assert_eq!(file.value.free, "2024-05-01");
    assert_eq!(file.place("/size").to_string(), "etc/host.toml:2:8");
}

#[test]
fn all_faults_are_reported_each_at_its_place() {
    let text = r#"wait = "2m"
count = 8.0
shapes = [{ kind = "circle", radius = "x" }, { kind = "cirle" }, {}]
script = 2024-05-01"#;
    let expected = [
        "etc/host.toml the file has no \"size\"",
        "etc/host.toml:1:8 \"wait\" in the file is out of range",
        "etc/host.toml:2:9 \"count\" in the file must be a whole number, not a float",
        "etc/host.toml:3:39 \"radius\" in shape 1 must be a whole number, not a string",
        "etc/host.toml:3:55 unknown kind \"cirle\" for shape 2",
        "etc/host.toml:3:66 shape 3 has no \"kind\"",
        "etc/host.toml:4:10 \"script\" in the file must be a string, not a date",
    ];
    assert_eq!(faults(text), expected);
}

#[test]
fn bounds_of_integers_hold() {
    assert_eq!(faults("size = 1\ncount = 10"), ["etc/host.toml:2:9 \"count\" in the file is out of range"]);
    assert_eq!(faults("size = -1"), ["etc/host.toml:1:8 \"size\" in the file is out of range"]);
}
