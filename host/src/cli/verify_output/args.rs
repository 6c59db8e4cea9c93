//! The arguments of `gristmill verify-output`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::expected::Expected;

/// `gristmill verify-output`.
#[derive(Debug, Args)]
pub struct VerifyOutput {
    /// The pipeline file, which names the topics and the brokers.
    #[arg(value_name = "PIPELINE.toml")]
    pub pipeline: PathBuf,
    /// The brokers, as comma-separated host:port or as redis://host:port; overrides those of the file.
    #[arg(long, value_name = "ADDR", env = "GRISTMILL_BROKERS", value_parser = NonEmptyStringValueParser::new())]
    pub brokers: Option<String>,
    /// The share of events, from 0 to 1, that must have an output.
    #[arg(long, value_name = "RATE", default_value_t = 0.95, value_parser = rate)]
    pub min_rate: f64,
    /// Events that stages drop on purpose: those whose header NAME, or whose place in a JSON payload, has this value, for
    /// example kind=heartbeat or /user/role=bot. Without an output they do not count as missing; can be repeated.
    #[arg(long = "expect-dropped", value_name = "NAME=VALUE|/POINTER=VALUE")]
    pub expected: Vec<Expected>,
    /// Look again, every second, until the rate is reached or this time is over; for example 2m.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub wait: Option<Duration>,
    /// Name at most N of the missing events.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub missing: usize,
    /// Stop with an error beyond N outputs; each takes about 100 bytes of memory.
    #[arg(long, value_name = "N", default_value = "10000000")]
    pub max_outputs: NonZeroUsize,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.0..=1.0).contains(&rate) => Ok(rate),
        _ => Err("expected a share from 0 to 1, for example 0.95".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_share() {
        assert_eq!((rate("0"), rate("0.95"), rate("1")), (Ok(0.0), Ok(0.95), Ok(1.0)));
        for text in ["", "-0.1", "1.1", "95", "95%", "NaN"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}
