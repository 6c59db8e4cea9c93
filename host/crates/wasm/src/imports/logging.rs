//! `logging`: a guest's messages become log lines of the host, with the job's names, bounded in number and length.

use crate::bindings::gristmill::stage::logging::{Host, Level};
use crate::state::CallState;
use gristmill_core::model::text;
use tracing::field::display;

/// Maximum messages of one call; one more says that the rest is not shown.
const MOST_MESSAGES: usize = 100;
/// The longest message, in bytes.
const LONGEST_MESSAGE: usize = 4 << 10;
/// The longest context, in bytes.
const LONGEST_CONTEXT: usize = 64;

impl Host for CallState {
    fn log(&mut self, level: Level, context: String, message: String) -> wasmtime::Result<()> {
        self.logged += 1;
        let message = match self.logged {
            ..=MOST_MESSAGES => text::line(&message, LONGEST_MESSAGE),
            past if past == MOST_MESSAGES + 1 => format!("more than {MOST_MESSAGES} messages: the rest is not shown"),
            _ => return Ok(()),
        };
        let context = text::line(&context, LONGEST_CONTEXT);
        let (pipeline, stage) = (&*self.surroundings.pipeline, &*self.surroundings.stage);
        let job = self.job();
        let trace_id = job.map(|job| display(job.trace.trace_id()));
        let job = job.map_or("", |job| job.id.as_str());
        let item = match self.current.as_ref().map(|current| current.items.as_slice()) {
            Some([item]) => &**item,
            _ => "",
        };
        /// A line of the log, at a level that is known when this is compiled.
        macro_rules! line {
            ($level:ident) => {
                tracing::event!(
                    target: "gristmill::guest", tracing::Level::$level, pipeline, stage, job, trace_id, item, context, "{message}"
                )
            };
        }
        match level {
            Level::Trace => line!(TRACE),
            Level::Debug => line!(DEBUG),
            Level::Info => line!(INFO),
            Level::Warn => line!(WARN),
            Level::Error | Level::Critical => line!(ERROR),
        }
        Ok(())
    }
}
