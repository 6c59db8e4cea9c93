//! Modules from registries: where they are kept, and with whose account they are fetched.

use std::path::PathBuf;

use gristmill_registry::{Credentials, Registry};

pub use gristmill_registry::Network;

use super::failure::Failure;
use super::load::cache_folder;

/// With a cache beside that of compiled stages, and the accounts in Docker's configuration: `DOCKER_CONFIG`, else `.docker` in the
/// home folder.
///
/// # Errors
/// There is no folder for the cache.
pub fn registry(network: Network) -> Result<Registry, Failure> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let docker = variable("DOCKER_CONFIG").or_else(|| variable("HOME").map(|home| home.join(".docker")));
    let credentials = docker.map_or_else(Credentials::none, |folder| Credentials::in_file(folder.join("config.json")));
    Ok(Registry::new(cache_folder()?.join("registry"), credentials, network))
}
