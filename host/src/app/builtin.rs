//! The standard stages, embedded in the binary by `build.rs`.

use gristmill_wasm::Grants;

/// A stage in the binary.
pub struct Builtin {
    /// Its name behind `builtin:`.
    pub name: &'static str,
    /// Its component.
    component: &'static [u8],
    /// The one that imports `llm`, of a stage that can do without.
    asking: Option<&'static [u8]>,
}

impl Builtin {
    /// The component for a stage with these grants.
    #[must_use]
    pub fn component(&self, grants: Grants) -> &'static [u8] {
        self.asking.filter(|_| grants.llm).unwrap_or(self.component)
    }
}

include!(concat!(env!("OUT_DIR"), "/builtin.rs"));
