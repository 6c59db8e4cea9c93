//! Cases: an item, and what a stage makes of it. Each is a folder in `cases`, beside the sources of the stage.
//!
//! | file | what it is |
//! |---|---|
//! | `item.EXT` | the payload; its ending gives the media type |
//! | `case.toml` | optional: the rest of the item, the configuration, the branches with a route |
//! | `answers.toml` | optional: what the models answer; else the one in `cases` |
//! | `expected.toml` | what comes out; written by an update |

mod config;
mod diff;
mod expected;
mod read;

pub use config::config;
pub use diff::diff;
pub use expected::{Expected, ExpectedOutput, Problem};
pub use read::{Case, CaseError, Terms, read_all};
