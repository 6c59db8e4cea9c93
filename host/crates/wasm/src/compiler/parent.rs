//! The side of the host: a child for one module, watched until it ends.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};

use bytes::Bytes;
use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::{Answer, CompileLimits, CompilerChild, Errand};
use crate::error::Reason;
use crate::notes::Start;

/// What a child may say, in bytes: a hundred faults of a configuration.
const LONGEST_ANSWER: u64 = 4 << 20;
/// What of our environment a child gets: no secrets.
const KEPT: [&str; 3] = ["RUST_LOG", "RUST_BACKTRACE", "LD_LIBRARY_PATH"];

impl CompilerChild {
    /// Has a child compile this module into the cache. If this is dropped, the child is killed.
    ///
    /// # Errors
    /// Why the module is refused, or at which limit the child ended.
    pub(crate) async fn compile(&self, errand: &Errand, module: &Bytes) -> Result<Start, Reason> {
        let limits = self.limits;
        let (status, said) = match tokio::time::timeout(limits.wall, self.run(errand, module)).await {
            Ok(ran) => ran.map_err(|error| Reason::Compiler(format!("it cannot be run: {error}")))?,
            Err(_) => return Err(Reason::CompileLimit(format!("{:?} of time (limits.compile.wall)", limits.wall))),
        };
        match (serde_json::from_slice(&said), status.success()) {
            (Ok(Answer::Made(start)), true) => Ok(start),
            (Ok(Answer::Config(faults)), true) => Err(Reason::Config(faults)),
            (Ok(Answer::Refused(words)), true) => Err(Reason::Refused(words)),
            (Ok(Answer::OutOfMemory), true) => Err(Reason::CompileLimit(of_memory(limits))),
            _ => Err(died(status, limits)),
        }
    }

    /// Runs a child to its end. Returns how it ended and what it said.
    async fn run(&self, errand: &Errand, module: &Bytes) -> io::Result<(ExitStatus, Vec<u8>)> {
        let kept = KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().envs(kept).kill_on_drop(true);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (mut input, output) = (child.stdin.take(), child.stdout.take());
        let mut header = serde_json::to_vec(errand)?;
        header.push(b'\n');
        let tell = async {
            if let Some(input) = &mut input {
                // One that has ended already says why by its end.
                let told = async {
                    input.write_all(&header).await?;
                    input.write_all(module).await
                };
                let _: io::Result<()> = told.await;
            }
        };
        let mut said = Vec::new();
        let hear = async {
            match output {
                Some(output) => output.take(LONGEST_ANSWER).read_to_end(&mut said).await.map(drop),
                None => Ok(()),
            }
        };
        let ((), heard) = tokio::join!(tell, hear);
        heard?;
        let status = child.wait().await?;
        // Not earlier: a child that finds its input closed takes us for dead.
        drop(input);
        Ok((status, said))
    }
}

fn of_memory(limits: CompileLimits) -> String {
    format!("{} of memory (limits.compile.memory)", limits.memory)
}

/// Why a child ended without an answer.
fn died(status: ExitStatus, limits: CompileLimits) -> Reason {
    let is = |signal: Signal| status.signal() == Some(signal.as_raw());
    if is(Signal::XCPU) {
        return Reason::CompileLimit(format!("{:?} of CPU time (limits.compile.cpu)", limits.cpu));
    }
    // So the child ends when the system refuses memory. If it was for something else, that is in the log.
    if is(Signal::ABORT) {
        return Reason::CompileLimit(of_memory(limits));
    }
    if is(Signal::KILL) {
        return Reason::Compiler("it was killed, as the system does when memory is short".into());
    }
    Reason::Compiler(format!("it ended without an answer: {status}"))
}
