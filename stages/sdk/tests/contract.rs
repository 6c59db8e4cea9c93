//! The package in `wit/`: it is valid, every item of it has documentation and the version it came with, and tools can
//! print it.
#![allow(clippy::unwrap_used, reason = "a test fails on the first error")]

use std::path::Path;

use wit_component::{OutputToString, WitPrinter};
use wit_parser::{Docs, PackageId, Resolve, Stability, TypeDefKind};

/// The package as its files say.
fn contract() -> (Resolve, PackageId) {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")).unwrap();
    (resolve, package)
}

/// What is wrong with one item, if anything.
fn fault(name: &str, docs: &Docs, stability: Option<&Stability>) -> Option<String> {
    if docs.contents.as_deref().is_none_or(str::is_empty) {
        return Some(format!("{name} has no documentation"));
    }
    match stability {
        Some(Stability::Unknown) => Some(format!("{name} has no @since")),
        _ => None,
    }
}

/// What a record, a variant or an enum is made of.
fn members(kind: &TypeDefKind) -> Vec<(&str, &Docs)> {
    match kind {
        TypeDefKind::Record(record) => record.fields.iter().map(|field| (field.name.as_str(), &field.docs)).collect(),
        TypeDefKind::Variant(variant) => variant.cases.iter().map(|case| (case.name.as_str(), &case.docs)).collect(),
        TypeDefKind::Enum(list) => list.cases.iter().map(|case| (case.name.as_str(), &case.docs)).collect(),
        TypeDefKind::Flags(flags) => flags.flags.iter().map(|flag| (flag.name.as_str(), &flag.docs)).collect(),
        _ => Vec::new(),
    }
}

fn faults(resolve: &Resolve, package: PackageId) -> Vec<String> {
    let package = &resolve.packages[package];
    let mut faults: Vec<Option<String>> = vec![fault("the package", &package.docs, None)];
    for (name, id) in &package.worlds {
        let world = &resolve.worlds[*id];
        faults.push(fault(name, &world.docs, Some(&world.stability)));
    }
    for (name, id) in &package.interfaces {
        let interface = &resolve.interfaces[*id];
        faults.push(fault(name, &interface.docs, Some(&interface.stability)));
        for (function, item) in &interface.functions {
            faults.push(fault(&format!("{name}.{function}"), &item.docs, Some(&item.stability)));
        }
        for (kind, id) in &interface.types {
            let item = &resolve.types[*id];
            // A `use` of another interface's type.
            if matches!(item.kind, TypeDefKind::Type(_)) {
                continue;
            }
            faults.push(fault(&format!("{name}.{kind}"), &item.docs, Some(&item.stability)));
            for (member, docs) in members(&item.kind) {
                faults.push(fault(&format!("{name}.{kind}.{member}"), docs, None));
            }
        }
    }
    faults.into_iter().flatten().collect()
}

#[test]
fn every_item_of_the_contract_has_documentation_and_its_version() {
    let (resolve, package) = contract();
    assert_eq!(resolve.packages[package].name.to_string(), "gristmill:stage@0.2.2");
    assert!(resolve.packages[package].interfaces.len() > 5, "the test sees the interfaces");
    assert_eq!(faults(&resolve, package), Vec::<String>::new());
}

#[test]
fn tools_print_the_contract_with_its_documentation() {
    let (resolve, package) = contract();
    let mut printer = WitPrinter::<OutputToString>::default();
    printer.emit_docs(true).print(&resolve, package, &[]).unwrap();
    let printed = printer.output.to_string();
    let mut again = Resolve::default();
    let package = again.push_str("printed.wit", &printed).unwrap();
    assert_eq!(faults(&again, package), Vec::<String>::new());
    assert!(printed.contains("/// Vocabulary: an *event*"), "{printed}");
}
