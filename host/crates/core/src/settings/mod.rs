//! The kinds of values that configuration files hold: quantities, names and references to secrets.
//!
//! Each owner of settings describes them with serde types that have a JSON Schema. The type, bounds, default and
//! documentation of a setting are on its field and nowhere else. Extension keywords express what JSON Schema cannot:
//!
//! | keyword | meaning |
//! |---|---|
//! | `x-min`, `x-max` | bounds of a duration or a size, as people write them |
//! | `x-path` | a path; a relative one is resolved against the folder of the file |
//! | `x-noun` | what the value is: "topic", "duration" |
//! | `x-form` | how the value is written, or how to fix it |
//! | `x-fault` | the message for a value that this schema rejects; `{value}` stands for the value |
//! | `x-words` | words to suggest for a mistyped value; a `:` ends the fixed part of a word |
//! | `x-add` | what to write where a required key is missing |
//! | `x-show` | how the documentation shows a default that the schema cannot know |
//! | `x-secrets` | values of this top-level table may be secrets: messages hide them by the names of their keys |

mod file;
mod headers;
mod listen;
mod money;
mod names;
mod network;
mod quantity;
mod secret;

pub use file::{ReadError, read_file};
pub use headers::{HeaderText, Headers, headers};
pub use listen::{BadListen, Listen};
pub use names::{Name, TopicName, by_name, is_name, is_topic};
pub use network::Network;
pub use quantity::{ByteSize, Span, span};
pub use secret::{SecretError, SecretRef, is_open_to_others};
