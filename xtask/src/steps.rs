//! A task in steps: a headline for each, the time it took, and how to repeat the one that failed.

use std::fmt;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::workspace::{line, run};

/// The steps of one task so far.
pub(crate) struct Steps {
    total: usize,
    ended: Vec<Ended>,
}

struct Ended {
    name: &'static str,
    took: Duration,
    how: How,
}

enum How {
    Done,
    Failed,
    NotRun,
}

impl Steps {
    /// A task with `total` steps.
    pub(crate) fn new(total: usize) -> Self {
        Self { total, ended: Vec::with_capacity(total) }
    }

    /// Runs a step. `again` is the command that repeats only this step.
    pub(crate) fn take<T>(&mut self, name: &'static str, again: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.headline(name);
        let start = Instant::now();
        let result = work();
        let how = if result.is_ok() { How::Done } else { How::Failed };
        self.ended.push(Ended { name, took: start.elapsed(), how });
        result.map_err(|error| anyhow!("the step `{name}` failed: {error:#}\nto repeat only this step: {again}"))
    }

    /// Runs a step that is one command.
    pub(crate) fn run(&mut self, name: &'static str, command: &mut Command) -> Result<()> {
        let again = line(command);
        self.take(name, &again, || run(command))
    }

    /// Skips a step and prints why, and how to make it run.
    pub(crate) fn leave_out(&mut self, name: &'static str, why: &str) {
        self.headline(name);
        eprintln!("not run: {why}");
        self.ended.push(Ended { name, took: Duration::ZERO, how: How::NotRun });
    }

    /// Prints a step's headline. Called directly for the last step of a task that ends by becoming another program.
    pub(crate) fn headline(&self, name: &str) {
        eprintln!("\n[{}/{}] {name}", self.ended.len() + 1, self.total);
    }
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.ended.iter().map(|step| step.name.chars().count()).max().unwrap_or(0);
        let mut total = Duration::ZERO;
        for step in &self.ended {
            total += step.took;
            let name = step.name;
            let seconds = step.took.as_secs_f64();
            match step.how {
                How::Done => writeln!(f, "  {name:width$} {seconds:8.1} s")?,
                How::Failed => writeln!(f, "  {name:width$} {seconds:8.1} s  FAILED")?,
                How::NotRun => writeln!(f, "  {name:width$}  not run")?,
            }
        }
        write!(f, "  {:width$} {:8.1} s", "total", total.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn a_failed_step_names_itself_and_how_to_repeat_it() {
        let mut steps = Steps::new(2);
        steps.take("one", "cargo one", || Ok(())).unwrap();
        let error = steps.take("two", "cargo two", || -> Result<()> { bail!("no luck") }).unwrap_err();
        assert_eq!(error.to_string(), "the step `two` failed: no luck\nto repeat only this step: cargo two");
        assert!(steps.to_string().contains("FAILED"));
    }

    #[test]
    fn the_table_shows_what_ran_and_what_did_not() {
        let mut steps = Steps::new(2);
        steps.ended.push(Ended { name: "clippy", took: Duration::from_millis(61_250), how: How::Done });
        steps.leave_out("deny", "cargo-deny is not installed");
        assert_eq!(steps.to_string(), "  clippy     61.2 s\n  deny    not run\n  total      61.2 s");
    }
}
