//! The core of Gristmill: the values that move, the decisions about them, and how a job gets from its source to its
//! sink. It depends on no broker, no sandbox and no model.
//!
//! Three floors, each importing only those below it:
//!
//! - [`model`]: the values that move and the decisions about them; no async, no I/O, no serde
//! - [`ports`]: what the flow needs from the outside world
//! - [`flow`]: how an event moves
//!
//! Beside them is [`settings`]: the kinds of values that configuration files hold.

pub mod flow;
pub mod model;
pub mod ports;
pub mod settings;
