//! Runs docs/stages.md: each block of commands, in its order, in one shell's folder and variables. Comments above a block say
//! what it prints, whether it fails, and what goes on beside the next ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use super::{both, command, folder, until};

/// A block of commands, and what is said of it.
#[derive(Debug, Default)]
struct Block {
    commands: String,
    /// What it prints, in any order.
    expected: Vec<String>,
    /// What it prints at the latest when it is repeated.
    eventually: Vec<String>,
    fails: bool,
    /// It goes on beside the next ones.
    background: bool,
}

/// The blocks of commands of a page.
fn blocks(page: &str) -> Vec<Block> {
    let (mut blocks, mut next) = (Vec::new(), Block::default());
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(said) = line.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->")) {
            match said.split_once(": ") {
                Some(("expect", text)) => next.expected.push(text.to_owned()),
                Some(("eventually", text)) => next.eventually.push(text.to_owned()),
                _ if said == "fails" => next.fails = true,
                _ if said == "background" => next.background = true,
                _ => panic!("nobody knows what this means: {line}"),
            }
        } else if line == "```sh" {
            next.commands = lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
            blocks.push(std::mem::take(&mut next));
        }
    }
    blocks
}

/// A shell's folder and variables between blocks, and what runs beside them.
struct Shell {
    folder: PathBuf,
    background: Vec<(Child, PathBuf)>,
}

impl Drop for Shell {
    fn drop(&mut self) {
        for (child, _) in &mut self.background {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

impl Shell {
    /// The commands as bash runs them. The address that people read from the screen is read from what runs beside.
    fn script(&self, commands: &str) -> String {
        let state = self.folder.join(".shell");
        let commands = match commands.contains("127.0.0.1:PORT") {
            true => commands.replace("127.0.0.1:PORT", &self.brokers()),
            false => commands.to_owned(),
        };
        let state = state.display();
        format!(
            "set -euo pipefail\n[ -e {state}/env ] && source {state}/env && cd \"$(cat {state}/pwd)\"\n\
             trap 'pwd > {state}/pwd; export -p > {state}/env' EXIT\n{commands}"
        )
    }

    fn brokers(&self) -> String {
        let (_, log) = self.background.last().expect("something runs");
        until("the address of the broker", || {
            let log = fs::read_to_string(log).unwrap();
            let (_, behind) = log.split_once("brokers=")?;
            Some(behind.split_whitespace().next()?.trim_matches('"').to_owned())
        })
    }

    fn run(&mut self, block: &Block) {
        let script = self.script(&block.commands);
        if block.background {
            let log = self.folder.join(".shell/background");
            let to = fs::File::create(&log).unwrap();
            // bash gives way to the command, so that this is the process to end.
            let script = script.replace("gristmill run", "exec gristmill run");
            let mut shell = command("bash", &self.folder);
            shell.args(["-c", &script]).stdout(Stdio::null()).stderr(to);
            self.background.push((shell.spawn().unwrap(), log));
            return;
        }
        let said = until(&format!("{:?} in what this prints: {}", block.eventually, block.commands), || {
            let output = command("bash", &self.folder).args(["-c", &script]).output().unwrap();
            let said = both(&output);
            assert_eq!(output.status.success(), !block.fails, "{}{said}{}", block.commands, self.beside());
            block.eventually.iter().all(|text| said.contains(text)).then_some(said)
        });
        for text in &block.expected {
            assert!(said.contains(text), "{}does not print {text:?}:\n{said}{}", block.commands, self.beside());
        }
    }

    /// What is said by what runs beside.
    fn beside(&self) -> String {
        let logs = self.background.iter().map(|(_, log)| fs::read_to_string(log).unwrap_or_default());
        logs.map(|log| format!("\nbeside it:\n{log}")).collect()
    }
}

#[test]
fn every_command_of_the_tutorial_does_what_the_page_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/stages.md");
    let blocks = blocks(&fs::read_to_string(page).unwrap());
    assert!(blocks.len() >= 10, "{blocks:?}");
    let mut shell = Shell { folder: folder("tutorial"), background: Vec::new() };
    fs::create_dir(shell.folder.join(".shell")).unwrap();
    for block in &blocks {
        shell.run(block);
    }
    // What was in work while a version was swapped is neither lost nor done twice.
    let log = shell.beside();
    assert!(!log.contains("ERROR"), "{log}");
}
