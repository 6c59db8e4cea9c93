//! Composition: from pipeline files to a host that runs them. The only place that builds adapters.

mod broker;
mod builtin;
mod changes;
mod clock;
mod conflicts;
mod failure;
mod fingerprint;
mod host;
mod load;
mod models;
mod notify;
mod observers;
mod pipeline;
mod schemas;
mod shutdown;
mod steps;
mod store;
mod supervisor;
mod totals;
mod warnings;

pub use broker::{check as check_brokers, embed, named_by_variable, override_brokers, reach};
pub use builtin::{BUILTIN, Builtin};
pub use clock::now;
pub use conflicts::check_together;
pub use failure::Failure;
pub use host::{Built, Ends, Host, HostOptions, Reloaded};
pub use load::{Described, Loaded};
pub use models::model_of;
pub use notify::ServiceManager;
pub use observers::{Watchers, start_traces};
pub use shutdown::{hangups, on_signals};
pub use store::{Memory, spending};
pub use warnings::warnings;
