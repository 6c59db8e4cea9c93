//! A configuration as the command line or a case gives it.

use gristmill_toolchain::cases;
use serde_json::Value;

use crate::app::Failure;

/// The configuration of these lines of TOML.
pub(super) fn of_lines(lines: &[String]) -> Result<Value, Failure> {
    let text = lines.join("\n");
    let bad = |error: String| Failure::Setup(anyhow::anyhow!("--config is no TOML: {error}"));
    cases::config(&text).map_err(bad)
}
