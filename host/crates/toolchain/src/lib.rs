//! Adapter: projects of stages. Begins them from templates that bring their SDK along, has them built by the tools of
//! their language, and reads the cases that they are tested with.
//!
//! Nothing here knows WebAssembly: who runs a component is the caller's business.

pub mod cases;
mod error;
mod missing;
mod name;
mod options;
mod place;
mod project;
mod rust;
mod scaffold;
mod script;
mod sdk;
mod template;

pub use error::{BuildError, ProjectError};
pub use missing::{Missing, Origin, missing};
pub use name::{BadName, Name};
pub use options::{BuildOptions, Network, Output};
pub use project::{Built, Project};
pub use scaffold::{Language, NewError, Written, new_project, new_stage};
pub use sdk::{Vendored, vendored, write_sdk};
