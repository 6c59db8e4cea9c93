//! The faults of an item, without any value of the item in them.

use gristmill_sdk::Failure;
use serde_json::{Value, json};

/// Maximum number of faults in the details of a rejection.
const LISTED: usize = 100;
/// Maximum number of faults in its message.
const NAMED: usize = 3;
/// Maximum characters of one pointer or message: names of members come from the item and can have any length.
const LENGTH: usize = 300;

/// One fault of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// JSON Pointer into the item, "" for all of it.
    pub pointer: String,
    /// What is wrong there, in readable form.
    pub message: String,
}

/// All faults of one item.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    listed: Vec<Fault>,
    count: usize,
}

impl Faults {
    /// Adds a fault; beyond [`LISTED`] it is only counted.
    pub(crate) fn add(&mut self, pointer: &str, message: impl FnOnce() -> String) {
        self.count += 1;
        if self.listed.len() < LISTED {
            self.listed.push(Fault { pointer: shortened(pointer), message: shortened(&message()) });
        }
    }

    /// The rejection, or `None` if nothing is wrong.
    pub(crate) fn rejection(self) -> Option<Failure> {
        let total = match self.count {
            0 => return None,
            1 => "1 fault",
            _ => &format!("{} faults", self.count),
        };
        let omitted = match self.count - self.listed.len() {
            0 => String::new(),
            omitted => format!(" ({LISTED} listed in the details, {omitted} omitted)"),
        };
        let named: Vec<_> = self.listed.iter().take(NAMED).map(Fault::to_line).collect();
        let ellipsis = if self.count > NAMED { "; …" } else { "" };
        let details: Vec<Value> = self.listed.iter().map(Fault::to_json).collect();
        let message = format!("{total}{omitted}: {}{ellipsis}", named.join("; "));
        Some(Failure::new("validation-failed", message).details(&Value::Array(details)))
    }
}

impl Fault {
    fn to_line(&self) -> String {
        let place = if self.pointer.is_empty() { "the item" } else { &self.pointer };
        format!("{place}: {}", self.message)
    }

    fn to_json(&self) -> Value {
        json!({ "pointer": self.pointer, "message": self.message })
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LENGTH) {
        None => text.into(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejection(count: usize) -> Failure {
        let mut faults = Faults::default();
        for index in 0..count {
            faults.add(&format!("/{index}"), || "is wrong".into());
        }
        faults.rejection().unwrap()
    }

    #[test]
    fn no_fault_is_no_rejection() {
        assert!(Faults::default().rejection().is_none());
    }

    #[test]
    fn the_message_names_the_first_faults_and_the_details_list_them() {
        assert_eq!(rejection(1).message, "1 fault: /0: is wrong");
        assert_eq!(rejection(3).message, "3 faults: /0: is wrong; /1: is wrong; /2: is wrong");
        assert_eq!(rejection(4).message, "4 faults: /0: is wrong; /1: is wrong; /2: is wrong; …");
        let details: Value = serde_json::from_str(&rejection(2).details_json.unwrap()).unwrap();
        let fault = |pointer: &str| json!({"pointer": pointer, "message": "is wrong"});
        assert_eq!(details, json!([fault("/0"), fault("/1")]));
    }

    #[test]
    fn faults_beyond_the_bound_are_counted() {
        let all = rejection(100);
        assert!(all.message.starts_with("100 faults: /0"), "{}", all.message);
        let many = rejection(137);
        let start = "137 faults (100 listed in the details, 37 omitted): /0: is wrong;";
        assert!(many.message.starts_with(start), "{}", many.message);
        let details: Value = serde_json::from_str(&many.details_json.unwrap()).unwrap();
        assert_eq!(details.as_array().unwrap().len(), 100);
    }

    #[test]
    fn the_whole_item_has_a_readable_name() {
        let mut faults = Faults::default();
        faults.add("", || "is empty".into());
        assert_eq!(faults.rejection().unwrap().message, "1 fault: the item: is empty");
    }

    #[test]
    fn a_long_name_from_the_item_is_cut() {
        let mut faults = Faults::default();
        faults.add(&"ä".repeat(10_000), || "ö".repeat(10_000));
        assert!(faults.rejection().unwrap().message.chars().count() < 700);
    }
}
