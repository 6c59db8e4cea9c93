//! How a bucket is reached.

use std::time::Duration;

use object_store::client::{HttpClient, HttpConnector};
use object_store::{ClientOptions, Error, Result, RetryConfig};
use reqwest::redirect::Policy;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a part may take to be sent, and the server to say something: at 8 MiB, no less than 140 KB/s.
const SILENCE: Duration = Duration::from_secs(60);
/// How long a request is repeated that a server was too busy for. Whoever asks decides what comes then.
const REPEAT: Duration = Duration::from_secs(20);
/// How often.
const TIMES: usize = 3;

/// Makes clients that follow nobody: a server that sends a request elsewhere is not ours. A proxy is used if the system has
/// one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> Result<HttpClient> {
        let client = reqwest::Client::builder().connect_timeout(CONNECT).read_timeout(SILENCE).redirect(Policy::none());
        let client = client.build().map_err(|error| Error::Generic { store: "S3", source: Box::new(error) })?;
        Ok(HttpClient::new(client))
    }
}

/// How requests are repeated.
pub(crate) fn repeats() -> RetryConfig {
    RetryConfig { max_retries: TIMES, retry_timeout: REPEAT, ..RetryConfig::default() }
}
