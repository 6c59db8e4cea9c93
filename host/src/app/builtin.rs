//! The standard stages, embedded in the binary by `build.rs`.

/// A stage in the binary: its name and its component.
pub type Builtin = (&'static str, &'static [u8]);

include!(concat!(env!("OUT_DIR"), "/builtin.rs"));
