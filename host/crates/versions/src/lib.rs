//! Adapter: the versions of stages in a folder: their modules by digest, and what became of each, stage by stage.
//!
//! - [`Folder`]: where they are kept, over restarts and kills
//! - [`Entry`]: one line of a stage's history
//! - [`Standing`]: what a history comes to, and the rule which version serves

mod digest;
mod entry;
mod folder;
mod history;
mod modules;
mod standing;

pub use digest::Digest;
pub use entry::{By, Change, Entry};
pub use folder::{Folder, FolderError, Note, StageName};
pub use standing::{Found, Standing, State, Version};
