//! How a project is built.

/// Whether a build may fetch something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    /// It may.
    #[default]
    Online,
    /// It uses only what is on this machine.
    Offline,
}

/// Where what the tools of a build say goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Output {
    /// To standard error, as it comes.
    #[default]
    Shown,
    /// Into the result.
    Kept,
}

/// How a project is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BuildOptions {
    /// Whether it may fetch something.
    pub network: Network,
    /// Where what the tools say goes.
    pub output: Output,
}
