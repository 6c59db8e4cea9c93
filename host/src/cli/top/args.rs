//! The arguments of `gristmill top`.

use std::time::Duration;

use clap::Args;

use crate::cli::admin_server::Host;

/// `gristmill top`.
#[derive(Debug, Args)]
pub struct Top {
    /// Which host.
    #[command(flatten)]
    pub host: Host,
    /// How often to look, at least every 100ms.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    pub interval: Duration,
    /// Print plain tables once, after one interval, instead of watching. So it does without a terminal.
    #[arg(long)]
    pub once: bool,
}

fn interval(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(interval) if interval >= Duration::from_millis(100) => Ok(interval),
        Ok(_) => Err("expected at least 100ms".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
