//! The kinds of values that configuration files hold: quantities, names and references to secrets.
//!
//! Each owner of settings describes them by serde types with a JSON Schema: type, bounds, default and documentation
//! stand on the field and nowhere else. What JSON Schema has no word for is written as an extension keyword:
//!
//! | keyword | meaning |
//! |---|---|
//! | `x-min`, `x-max` | bounds of a duration or a size, as people write them |
//! | `x-path` | a path: a relative one starts at the folder of the file |
//! | `x-noun` | what the value is: "topic", "duration" |
//! | `x-form` | what it looks like, or how to fix it |
//! | `x-fault` | what to say of a value that this schema rejects; `{value}` stands for the value |
//! | `x-words` | the words that may have been meant, for suggestions; a `:` ends the fixed part of one |
//! | `x-add` | what to write where a required key is missing |
//! | `x-show` | how the documentation shows a default that the schema cannot know |
//! | `x-secrets` | values of this top-level table may be secrets: messages hide them by the names of their keys |

mod names;
mod quantity;
mod secret;

pub use names::{Name, TopicName, by_name, is_name, is_topic};
pub use quantity::{ByteSize, Span, span};
pub use secret::{SecretError, SecretRef};
