//! Says which folders are embedded: cargo does not see what `include_dir!` reads.

fn main() {
    for folder in ["templates", "../../../stages/sdk/src", "../../../wit"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
