//! Redis as the broker of a pipeline or a command.

use std::sync::Arc;

use gristmill_config::{ConfigError, Fault};
use gristmill_core::ports::Broker;
use gristmill_redis::{Addresses, CheckError, Redis, RedisBroker, SettingsError};

use super::failure::Failure;
use crate::settings::{Named, Pipeline};

/// The Redis that a pipeline names. Contacts nothing yet.
///
/// # Errors
/// A secret or a file that cannot be read, at its place.
pub(super) fn broker(pipeline: &Pipeline, named: &Redis) -> Result<Arc<dyn Broker>, Failure> {
    let opened = named.settings().and_then(RedisBroker::new);
    let broker = opened.map_err(|error| Failure::Config(fault(pipeline, &error)))?;
    Ok(Arc::new(broker))
}

/// Redis at this address, with user, password and files of the pipeline if it names Redis too.
///
/// # Errors
/// As of [`broker`].
pub(super) fn reach(url: Addresses, named: Option<(&Pipeline, Named<'_>)>) -> Result<Arc<dyn Broker>, Failure> {
    match named {
        Some((pipeline, Named::Redis(named))) => broker(pipeline, &Redis { url, ..named.clone() }),
        Some((_, Named::Kafka(_))) | None => {
            let opened = Redis::new(url).settings().and_then(RedisBroker::new);
            Ok(Arc::new(opened.map_err(|error| Failure::Setup(error.into()))?))
        }
    }
}

/// What is wrong with the configuration, if an error says that.
pub(super) fn faults(pipeline: &Pipeline, error: &anyhow::Error) -> Option<ConfigError> {
    let of_check = error.downcast_ref::<CheckError>().and_then(|error| match error {
        CheckError::Settings(error) => Some(error),
        CheckError::Access(_) | CheckError::Unsuitable { .. } | CheckError::Streams(_) => None,
    });
    of_check.or_else(|| error.downcast_ref::<SettingsError>()).map(|error| fault(pipeline, error))
}

fn fault(pipeline: &Pipeline, error: &SettingsError) -> ConfigError {
    let place = pipeline.place(&format!("/redis{}", error.pointer()));
    let reason = std::error::Error::source(error).map(ToString::to_string);
    let label = reason.unwrap_or_else(|| "see docs/redis-streams.md".to_owned());
    Fault::at(place, error.to_string()).label(label).into()
}
