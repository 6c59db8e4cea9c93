//! The examples in Python and JavaScript, whose stages `cargo xtask languages` builds.

#![allow(clippy::print_stderr, reason = "what was not tested is shown")]

use crate::Example;

const PYTHON: Example = Example {
    name: "python",
    aliases: &[],
    source: "invoices",
    sink: "invoices.checked",
    dead: "invoices.dead",
    files: &["invoices.jsonl"],
    options: &["--lines"],
    inputs: 2,
};

const JS: Example = Example {
    name: "js",
    aliases: &[],
    source: "views",
    sink: "views.clean",
    dead: "views.dead",
    files: &["views.jsonl"],
    options: &["--lines"],
    // The view of a robot leaves no record.
    inputs: 2,
};

/// Runs an example, where the tools of its language are.
fn run(example: &Example) {
    let component = example.folder().join("../../target/languages").join(example.name).with_extension("wasm");
    if component.is_file() {
        example.run_and_compare();
    } else {
        eprintln!("not tested: there is no {}; `cargo xtask languages` builds it", component.display());
    }
}

#[test]
fn invoices_are_added_up_by_a_stage_in_python_and_a_wrong_one_is_a_dead_letter() {
    run(&PYTHON);
}

#[test]
fn links_are_cleaned_by_a_stage_in_javascript_and_a_wrong_one_is_a_dead_letter() {
    run(&JS);
}
