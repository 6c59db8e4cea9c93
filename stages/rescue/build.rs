//! Documents and schemas may be nested deeper than the small stack of the other stages allows.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-cdylib=-zstack-size=262144");
}
