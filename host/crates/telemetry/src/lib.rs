//! Adapter: writes log lines to standard error, counts what pipelines do, shows samples of it, and
//! sends the spans of traces.

pub mod metrics;
pub mod taps;
pub mod traces;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogForm {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Starts logging. `RUST_LOG` selects what is shown; if it is unset or empty, everything at `level` and above is.
///
/// # Errors
/// If `RUST_LOG` is invalid, or logging was already started.
pub fn start(form: LogForm, level: tracing::Level) -> anyhow::Result<()> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(directives) if !directives.is_empty() => EnvFilter::try_new(&directives)
            .map_err(|error| anyhow::anyhow!("RUST_LOG={directives:?} is invalid: {error}"))?,
        _ => {
            // From libraries, show at most warnings and errors, which may need an operator.
            let others = level.min(tracing::Level::WARN);
            // The client of a Redis cluster logs each attempt of many in a second; our adapter says once what is wrong.
            EnvFilter::new(format!("{others},redis=off,gristmill={level}"))
        }
    };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // It would report a closed standard error there, and panic.
    let lines = lines.log_internal_errors(false);
    let started = match form {
        LogForm::Text => lines.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init(),
        LogForm::Json => lines.json().flatten_event(true).with_current_span(false).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging cannot start: {error}"))
}
