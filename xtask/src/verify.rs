//! `cargo verify`: everything that a change must pass, on a laptop and in CI.

use anyhow::Result;

use crate::broker::Broker;
use crate::deny::{DATABASE, Database, Deny};
use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{clients, languages, rules, servers, setup, stages, test};

/// How much is verified.
#[derive(Clone, Copy)]
pub(crate) enum Extent {
    /// Everything, with Apache Kafka.
    Full,
    /// Everything that needs no broker.
    Quick,
}

/// Runs the steps until one fails, and prints how long each took.
pub(crate) fn run(workspace: &Workspace, extent: Extent) -> Result<()> {
    let mut steps = Steps::new(match extent {
        Extent::Full => 14,
        Extent::Quick => 12,
    });
    let result = run_steps(workspace, extent, &mut steps);
    eprintln!("\n{steps}");
    result
}

fn run_steps(workspace: &Workspace, extent: Extent, steps: &mut Steps) -> Result<()> {
    steps.take("build tools", "cargo xtask setup", || setup::run(workspace))?;
    // Before the broker, which may install something, too.
    steps.take("Redis and PostgreSQL", "cargo xtask servers", servers::install)?;
    let mut needs = match extent {
        Extent::Full => {
            let clients = || clients::install(workspace);
            let clients = steps.take("browser and schemathesis", "cargo xtask clients", clients)?;
            Some((Broker::begin(workspace), clients))
        }
        Extent::Quick => None,
    };
    steps.run("format", &mut workspace.cargo(["fmt", "--all", "--", "--check"]))?;
    steps.take("house rules", "cargo xtask rules", || rules::check(&workspace.root))?;
    dependencies(workspace, steps)?;
    steps.take("stages", "cargo stages", || {
        stages::standard(workspace)?;
        stages::guests(workspace)
    })?;
    let languages = || languages::build(workspace);
    steps.take("stages in Python and JavaScript", "cargo xtask languages", languages)?;
    // Long before it is needed: if the broker cannot start, fail before the long builds, not after.
    if let Some((broker, _)) = &mut needs {
        steps.take("Apache Kafka", "cargo xtask kafka", || broker.address().map(drop))?;
    }

    // The host and the rest separately: cargo unifies the features of everything it builds together, so with the guests
    // the host would be built with another wasmtime.
    let (host, mut rest) = (workspace.host_packages("--package")?, workspace.host_packages("--exclude")?);
    rest.insert(0, "--workspace".to_owned());
    clippy(workspace, steps, "clippy of the host", &host)?;
    clippy(workspace, steps, "clippy of the rest", &rest)?;
    steps.run("tests of the rest", workspace.cargo(["test"]).args(&rest))?;
    match needs {
        Some((mut broker, clients)) => {
            steps.take("tests of the host", "cargo xtask test", || test::all(workspace, &mut broker, &clients))
        }
        None => steps.run("tests of the host without a broker", &mut test::without_broker(workspace)?),
    }
}

fn clippy(workspace: &Workspace, steps: &mut Steps, name: &'static str, packages: &[String]) -> Result<()> {
    let mut cargo = workspace.cargo(["clippy", "--all-targets"]);
    steps.run(name, cargo.args(packages).args(["--", "-D", "warnings"]))
}

/// Checks what may be in the binary. Advisories only by a database that is on this machine: what is fetched from the network
/// changes every day, and what passes today must pass tomorrow.
fn dependencies(workspace: &Workspace, steps: &mut Steps) -> Result<()> {
    let again = "cargo xtask deny";
    let deny = steps.take("licences", again, || {
        let deny = Deny::find(workspace)?;
        deny.licences().map(|()| deny)
    })?;
    match Database::find()? {
        Some(database) => steps.take("advisories", again, || deny.advisories(&database)),
        None => {
            let why = format!(
                "no database of advisories is on this machine; {DATABASE} names a clone of RustSec's, and `just deny` fetches it"
            );
            steps.leave_out("advisories", &why);
            Ok(())
        }
    }
}

/// `cargo xtask deny`: these two steps.
pub(crate) fn deny(workspace: &Workspace) -> Result<()> {
    let mut steps = Steps::new(2);
    dependencies(workspace, &mut steps)
}
