//! Adapter: log lines on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogForm {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging; `RUST_LOG` chooses what is shown, else everything from this level on.
///
/// # Errors
/// When `RUST_LOG` cannot be understood, or logging was started before.
pub fn start(form: LogForm, level: tracing::Level) -> anyhow::Result<()> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(directives) if !directives.is_empty() => EnvFilter::try_new(&directives)
            .map_err(|error| anyhow::anyhow!("RUST_LOG={directives:?} cannot be understood: {error}"))?,
        _ => {
            // Of the libraries only what may need an operator.
            let others = level.min(tracing::Level::WARN);
            EnvFilter::new(format!("{others},gristmill={level}"))
        }
    };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match form {
        LogForm::Text => lines.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init(),
        LogForm::Json => lines.json().flatten_event(true).with_current_span(false).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging cannot start: {error}"))
}
