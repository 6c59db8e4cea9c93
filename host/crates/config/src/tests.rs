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

#[test]
fn a_hundred_faults_are_shown_and_the_others_counted() {
    let values: String = (0..20_000).map(|number| format!("key-{number} = 1\n")).collect();
    let begun = std::time::Instant::now();
    let error = read(&format!("size = 5\n{values}")).unwrap_err();
    let shown = error.to_string();
    assert_eq!(shown.matches("unknown key").count(), 100);
    assert!(shown.ends_with("and 19900 more faults"), "{}", &shown[shown.len() - 200..]);
    assert!(begun.elapsed() < Duration::from_secs(60), "the file was parsed for every fault: {:?}", begun.elapsed());
}

#[test]
fn of_a_line_of_a_megabyte_only_the_part_around_the_fault_is_shown() {
    let filler = "\u{e4}".repeat(200_000);
    let error = read(&format!("free = {{ a = \"{filler}\", b = nan, c = \"{filler}\" }}\nsize = 5\n")).unwrap_err();
    let shown = error.to_string();
    assert!(shown.len() < 2_000 && shown.contains("b = nan"), "{} bytes", shown.len());
    assert!(shown.contains("etc/host.toml:1:200022"), "{shown}");
    let caret = shown.lines().last().unwrap().chars().take_while(|char| *char != '^').count();
    let text: Vec<char> = shown.lines().nth_back(1).unwrap().chars().collect();
    assert_eq!(text[caret..caret + 3], ['n', 'a', 'n']);
}

#[test]
fn what_is_no_file_is_refused_and_not_waited_for() {
    for (path, expected) in [("/dev/zero", "it is a device"), ("/", "it is a folder")] {
        let error = super::load::<File>(Path::new(path)).unwrap_err().to_string();
        assert!(error.contains("the file cannot be read") && error.contains(expected), "{error}");
    }
}
