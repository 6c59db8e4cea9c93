//! The example stages in Python and JavaScript, and the tools that build them, each in one version. The tools are installed
//! into the target folder; whoever has no Python or no Node does without.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, anyhow};

use crate::python;
use crate::workspace::{self, Workspace, which};

const PYTHON: &str = include_str!("languages/requirements.txt");
/// Without the addresses that npm would note in it: each machine has its own registry.
const NODE: [(&str, &str); 2] = [
    ("package.json", include_str!("languages/package.json")),
    ("package-lock.json", include_str!("languages/package-lock.json")),
];
/// Where the SDK of each language is.
const SDK: &str = "host/crates/toolchain/templates";

/// Which languages can be built here.
#[derive(Clone, Copy)]
enum Language {
    Python,
    JavaScript,
}

/// Builds the stages of `examples/python` and `examples/js` into `target/languages/`. Says what it leaves out and why.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    let folder = workspace.target.join("languages");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    // Side by side: each waits for downloads and computes on one core.
    thread::scope(|scope| {
        let python = scope.spawn(|| build_one(workspace, Language::Python, &folder.join("python.wasm")));
        let js = build_one(workspace, Language::JavaScript, &folder.join("js.wasm"));
        python.join().map_err(|_| anyhow!("the build of the Python stage panicked"))?.and(js)
    })
}

fn build_one(workspace: &Workspace, language: Language, component: &Path) -> Result<()> {
    let missing = match language {
        Language::Python => (!python::is_there()).then_some("Python 3 with its module venv"),
        Language::JavaScript => ["node", "npm"].iter().any(|tool| which(tool).is_none()).then_some("Node.js with npm"),
    };
    if let Some(missing) = missing {
        // A component of an earlier build says nothing about the sources of today.
        fs::remove_file(component).ok();
        let name = component.display();
        eprintln!("not built, and not tested: {name}; there is no {missing} on this machine");
        return Ok(());
    }
    let folder = &workspace.target.join("languages");
    match language {
        Language::Python => with_python(workspace, &folder.join("componentize-py"), component),
        Language::JavaScript => with_node(workspace, &folder.join("componentize-js"), component),
    }
}

fn with_python(workspace: &Workspace, tools: &Path, component: &Path) -> Result<()> {
    python::environment(tools, PYTHON)
        .context("componentize-py, which builds stages in Python, cannot be installed")?;
    let sdk = workspace.root.join(SDK).join("python/gristmill.py");
    let sources = copied(tools, &[sdk, workspace.root.join("examples/python/invoice.py")])?;
    let mut build = Command::new(tools.join("bin/componentize-py"));
    build.current_dir(sources).arg("--wit-path").arg(workspace.root.join("wit"));
    build.args(["--world", "gristmill:stage/stage", "componentize", "invoice", "--output"]).arg(component);
    workspace::quietly(&mut build)
}

fn with_node(workspace: &Workspace, tools: &Path, component: &Path) -> Result<()> {
    install_node(tools).context("componentize-js, which builds stages in JavaScript, cannot be installed")?;
    let sdk = workspace.root.join(SDK).join("js");
    let example = workspace.root.join("examples/js/links.js");
    copied(tools, &[sdk.join("gristmill.js"), sdk.join("models.js"), example])?;
    fs::copy(sdk.join("build.mjs"), tools.join("build.mjs"))?;
    let mut build = Command::new("node");
    build.current_dir(tools).args(["build.mjs", "sources/links.js", "stage"]);
    workspace::quietly(build.arg(workspace.root.join("wit")).arg(component))
}

/// The folder with copies of these files: what a stage imports must lie beside it, and the tools leave files there.
fn copied(tools: &Path, files: &[PathBuf]) -> Result<PathBuf> {
    let sources = tools.join("sources");
    fs::create_dir_all(&sources).with_context(|| format!("cannot create {}", sources.display()))?;
    for file in files {
        let name = file.file_name().context("a file has a name")?;
        fs::copy(file, sources.join(name)).with_context(|| format!("cannot copy {}", file.display()))?;
    }
    Ok(sources)
}

fn install_node(tools: &Path) -> Result<()> {
    let [(_, package), (_, lock)] = NODE;
    let wanted = format!("{package}{lock}");
    // Written last: an installation that was interrupted is done again.
    let installed = tools.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(());
    }
    fs::create_dir_all(tools)?;
    for (name, text) in NODE {
        fs::write(tools.join(name), text)?;
    }
    eprintln!("installing componentize-js into {}", tools.display());
    let mut npm = Command::new("npm");
    npm.current_dir(tools).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
    workspace::quietly(&mut npm)?;
    fs::write(&installed, wanted).context("cannot note what is installed")
}
