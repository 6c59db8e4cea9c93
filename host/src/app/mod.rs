//! Floor 4. Composition: from a pipeline file to a running pipeline. The only place that names every adapter.

mod builtin;
mod cluster;
mod fate;
mod fingerprint;
mod host;
mod load;
mod memory;
mod run;
mod shutdown;
mod totals;

pub use builtin::{BUILTIN, Builtin};
pub use cluster::{Cluster, cluster, override_brokers, reach, settings as kafka_settings};
pub use fate::run_all;
pub use host::{Host, check_together};
pub use load::{Loaded, all, load, load_all};
pub use memory::Memory;
pub use run::Running;
pub use shutdown::on_signals;
pub use totals::Totals;

use gristmill_config::ConfigError;

/// Why a command did not do what it was asked. The variants are the exit codes.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration is wrong: what the operator must change, and where.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// Something else is wrong with what the operator set up, without a place in the file.
    #[error("{0:#}")]
    Setup(anyhow::Error),
    /// A pipeline stopped by its own policy: too many of its jobs fail.
    #[error("{0:#}")]
    Policy(anyhow::Error),
    /// It went wrong while running.
    #[error("{0:#}")]
    Running(#[from] anyhow::Error),
}
