//! Commands that the server does together, unless something is no longer as it was read.

use redis::{Cmd, Script};

use super::scripts::call;

/// Comparisons and commands, word by word.
#[derive(Default)]
pub(super) struct Step {
    compared: Vec<[Vec<u8>; 3]>,
    commands: Vec<Vec<Vec<u8>>>,
}

impl Step {
    /// Whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Nothing is done unless this field of the hash has this value; without a field, unless the string has it. Empty is nothing.
    pub(super) fn compares(&mut self, key: String, field: &str, expected: &[u8]) {
        self.compared.push([key.into_bytes(), field.into(), expected.into()]);
    }

    /// Begins a command.
    pub(super) fn does(&mut self, command: &str) -> &mut Self {
        self.commands.push(vec![command.into()]);
        self
    }

    /// Adds a word to the last command.
    pub(super) fn word(&mut self, word: impl AsRef<[u8]>) -> &mut Self {
        if let Some(command) = self.commands.last_mut() {
            command.push(word.as_ref().to_vec());
        }
        self
    }

    /// Adds a number to the last command.
    pub(super) fn number(&mut self, number: impl ToString) -> &mut Self {
        self.word(number.to_string())
    }

    /// Ends a command, where nothing is to be returned.
    pub(super) fn end(&mut self) {}

    /// The call of the script: 1 if it was done.
    pub(super) fn command(&self, script: &Script) -> Cmd {
        let mut command = call(script, &[]);
        command.arg(self.compared.len());
        for word in self.compared.iter().flatten() {
            command.arg(word.as_slice());
        }
        for words in &self.commands {
            command.arg(words.len());
            for word in words {
                command.arg(word.as_slice());
            }
        }
        command
    }
}
