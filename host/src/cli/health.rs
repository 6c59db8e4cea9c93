//! `gristmill health`: asks the admin server of a host on this machine how it is. For images without a shell, whose health
//! checks have nothing else to ask with.

use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;

use crate::app::Failure;

/// How long an answer may take: less than health checks wait by default.
const PATIENCE: Duration = Duration::from_secs(4);
/// How much of an answer is shown.
const SHOWN: usize = 2048;

/// `gristmill health`.
#[derive(Debug, Args)]
pub struct Health {
    /// The admin server of the host.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9464")]
    pub url: String,
    /// Whether it is ready: a host that is paused for long, or has lost its broker or its store, is alive but not ready.
    #[arg(long)]
    pub ready: bool,
}

/// Succeeds if the host answers that it is alive, or ready.
pub(super) async fn health(args: &Health) -> Result<(), Failure> {
    let path = if args.ready { "readyz" } else { "livez" };
    let url = format!("{}/{path}", args.url.trim_end_matches('/'));
    // Neither through a proxy nor to wherever the answer points.
    let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().redirect(reqwest::redirect::Policy::none());
    let client = client.build().context("cannot start an HTTP client")?;
    let answer = client.get(&url).send().await.with_context(|| {
        format!("no host answers at {url}; it listens where `[admin]` of its host file says, --url names another place")
    })?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let text = answer.text().await.unwrap_or_default();
    let text: String = text.chars().take(SHOWN).collect();
    Err(Failure::Running(anyhow!("{url} answers {status}: {text}")))
}
