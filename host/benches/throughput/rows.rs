//! The rows of the benchmark, and their events.

use gristmill_wasm::Isolation;

/// The variable with the path of Redpanda Connect.
pub(crate) const CONNECT: &str = "GRISTMILL_BENCH_CONNECT";

/// One row of the results.
pub(crate) struct Row {
    /// The name on the command line.
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) subject: Subject,
    pub(crate) input: Input,
}

/// What runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A loop on rdkafka alone.
    Plain,
    /// A stage that changes nothing, in the sandbox.
    Pass(Isolation),
    /// The same with its outcomes in the state store.
    PassKept,
    /// The same without a sandbox: the cost of flow and Kafka.
    PassNative,
    /// Sanitize and chunk, in the sandbox.
    Standard(Isolation),
    /// The same with the outcomes of both in the state store.
    StandardKept,
    /// The same without a sandbox.
    StandardNative,
    /// The same work by a Python worker: another process.
    Python,
    /// The same work by Redpanda Connect: another process.
    Connect,
}

impl Subject {
    /// Whether it is measured when no row is named: what needs nothing installed, and what the caller says is there.
    pub(crate) fn is_there(self) -> bool {
        match self {
            Self::Python => false,
            Self::Connect => std::env::var_os(CONNECT).is_some(),
            _ => true,
        }
    }
}

const fn row(name: &'static str, what: &'static str, subject: Subject, input: Input) -> Row {
    Row { name, what, subject, input }
}

/// All rows, in the order of a round. The plain loops are the baseline of the others and always run.
pub(crate) const ROWS: &[Row] = &[
    row("plain", "plain rdkafka loop", Subject::Plain, Input::Records),
    row("pass", "gristmill, pass-through", Subject::Pass(Isolation::Item), Input::Records),
    row("pass-shared", "gristmill, pass-through, shared", Subject::Pass(Isolation::Shared), Input::Records),
    row("pass-batch", "gristmill, pass-through, batch", Subject::Pass(Isolation::Batch), Input::Records),
    row("pass-kept", "gristmill, pass-through, kept", Subject::PassKept, Input::Records),
    row("pass-native", "gristmill, pass-through, native", Subject::PassNative, Input::Records),
    row("connect", "Redpanda Connect, pass-through", Subject::Connect, Input::Records),
    row("plain-documents", "plain rdkafka loop", Subject::Plain, Input::Documents),
    row("standard", "gristmill, sanitize + chunk", Subject::Standard(Isolation::Item), Input::Documents),
    row(
        "standard-shared",
        "gristmill, sanitize + chunk, shared",
        Subject::Standard(Isolation::Shared),
        Input::Documents,
    ),
    row("standard-batch", "gristmill, sanitize + chunk, batch", Subject::Standard(Isolation::Batch), Input::Documents),
    row("standard-kept", "gristmill, sanitize + chunk, kept", Subject::StandardKept, Input::Documents),
    row("standard-native", "gristmill, sanitize + chunk, native", Subject::StandardNative, Input::Documents),
    row("python", "a Python worker, the same work", Subject::Python, Input::Documents),
    row("connect-documents", "Redpanda Connect, the same work", Subject::Connect, Input::Documents),
];

/// The events of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    Records,
    Documents,
}

impl Input {
    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::Records => "1 KB records",
            Self::Documents => "4 KB documents",
        }
    }

    /// The default number of events.
    pub(crate) fn count(self) -> usize {
        match self {
            Self::Records => 60_000,
            Self::Documents => 20_000,
        }
    }

    pub(crate) fn payload(self, number: usize) -> String {
        match self {
            Self::Records => record_of_1_kb(number),
            Self::Documents => document_of_4_kb(number),
        }
    }
}

fn record_of_1_kb(number: usize) -> String {
    let mut text = format!("record {number} ");
    while text.len() < 1_024 {
        text.push_str("all work and no play ");
    }
    text
}

pub(crate) fn document_of_4_kb(number: usize) -> String {
    let mut text = format!("# Document {number}\n\n");
    while text.len() < 4_096 {
        let line = text.len() + number;
        text.push_str(&format!(
            "The supplier delivers the goods within {} days after the order was confirmed. Questions go to \
             person{line}@example.com or +49 30 {:07}. Nothing in this paragraph is meant.\n\n",
            line % 30,
            line % 10_000_000
        ));
    }
    text
}
