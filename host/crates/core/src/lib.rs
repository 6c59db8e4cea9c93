//! The core of Gristmill: what moves, what is decided, and how a job gets from its source to its sink. Knows no broker,
//! no sandbox and no model.
//!
//! Three floors, each importing only those below it:
//!
//! - [`model`]: the values that move and the decisions about them; no async, no I/O, no serde
//! - [`ports`]: what the flow needs of the world
//! - [`flow`]: how an event moves
//!
//! Beside them, [`settings`]: the kinds of values that configuration files hold.
//!
//! Beside them, [`settings`]: the kinds of values that configuration files hold.

pub mod flow;
pub mod model;
pub mod ports;
pub mod settings;
