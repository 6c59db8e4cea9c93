//! Files of a crate do not import each other in circles, and the floors of the core only import what is below them.

use super::imports::{Edges, cycles, edges};

/// What each floor of the core must not import.
const FLOORS: &[(&str, &[&str])] = &[
    ("lib", &[]),
    ("settings", &["ports", "flow"]),
    ("model", &["settings", "ports", "flow"]),
    ("ports", &["flow"]),
    ("flow", &[]),
];

/// Checks the crate in the folder `krate`, whose files are given as path below `src` and text.
pub(super) fn check(krate: &str, files: &[(String, String)]) -> Vec<String> {
    let edges = edges(files);
    let mut faults: Vec<String> = cycles(&edges)
        .into_iter()
        .map(|group| {
            let files: Vec<&str> = group.into_iter().collect();
            format!("{krate}/src: these files import each other in a circle: {}", files.join(", "))
        })
        .collect();
    if krate == "host/crates/core" {
        faults.extend(floors(&edges));
    }
    faults
}

fn floors(edges: &Edges) -> Vec<String> {
    let mut faults = Vec::new();
    let floor = |file: &str| file.split(['/', '.']).next().unwrap_or_default().to_owned();
    for (file, targets) in edges {
        let Some((_, above)) = FLOORS.iter().find(|(name, _)| *name == floor(file)) else {
            faults.push(format!("host/crates/core/src/{file} is on no floor; add it to xtask/src/rules/graph.rs"));
            continue;
        };
        for target in targets.iter().filter(|target| above.contains(&floor(target).as_str())) {
            faults.push(format!("host/crates/core/src/{file} imports {target}, which is on a floor above it"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_without_a_floor_is_refused() {
        let faults = core(&[("lib.rs", "pub mod cellar;"), ("cellar/mod.rs", "pub struct Rat;")]);
        assert_eq!(faults, ["host/crates/core/src/cellar/mod.rs is on no floor; add it to xtask/src/rules/graph.rs"]);
    }

    fn core(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<_> = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        check("host/crates/core", &files)
    }

    #[test]
    fn a_cycle_is_reported_with_its_files() {
        let faults =
            check("a", &[("a.rs".into(), "use crate::b::B;".into()), ("b.rs".into(), "use crate::a::A;".into())]);
        assert_eq!(faults, ["a/src: these files import each other in a circle: a.rs, b.rs"]);
    }

    #[test]
    fn a_floor_imports_only_what_is_below_it() {
        let lib = ("lib.rs", "pub mod flow; pub mod model; pub mod ports;");
        let (flow, model) = ("pub struct Flow; use crate::ports::Sink;", "pub struct Item;");
        let good = [
            lib,
            ("flow/mod.rs", flow),
            ("ports/mod.rs", "use crate::model::Item; pub struct Sink;"),
            ("model/mod.rs", model),
        ];
        assert!(core(&good).is_empty());
        let bad = [
            lib,
            ("flow/mod.rs", "pub struct Flow;"),
            ("ports/mod.rs", "fn f(_: crate::flow::Flow) {}"),
            ("model/item.rs", "use crate::ports::Sink;"),
            ("model/mod.rs", "mod item;"),
        ];
        assert_eq!(
            core(&bad),
            [
                "host/crates/core/src/model/item.rs imports ports/mod.rs, which is on a floor above it",
                "host/crates/core/src/ports/mod.rs imports flow/mod.rs, which is on a floor above it"
            ]
        );
    }
}
