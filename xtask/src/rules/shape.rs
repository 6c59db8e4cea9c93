//! Files are small, say what they are for, and leave nothing for later.

use super::tokens::tokens;

const LONGEST_FILE: usize = 400;

pub(super) fn size_and_purpose(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let lines = text.lines().count();
    if lines > LONGEST_FILE {
        faults.push(format!("{name} has {lines} lines, at most {LONGEST_FILE} are allowed; split it"));
    }
    if !text.starts_with("//!") {
        faults.push(format!("{name} does not start with a `//!` line that says what it is for"));
    }
    faults
}

pub(super) fn loose_ends(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for mark in [concat!("TO", "DO"), concat!("FIX", "ME")] {
        if text.contains(mark) {
            faults.push(format!("{name} has a {mark}; do it now or open an issue"));
        }
    }
    for pair in tokens(text).windows(2) {
        if let [called @ ("todo" | "unimplemented" | "dbg"), "!"] = pair {
            faults.push(format!("{name} calls `{called}!`"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_and_one_without_a_purpose_are_rejected() {
        assert_eq!(size_and_purpose("a.rs", &format!("//! A.\n{}", "\n".repeat(399))), [""; 0]);
        assert_eq!(
            size_and_purpose("a.rs", &format!("//! A.\n{}", "\n".repeat(400))),
            ["a.rs has 401 lines, at most 400 are allowed; split it"]
        );
        let faults = ["a.rs does not start with a `//!` line that says what it is for"];
        assert_eq!(size_and_purpose("a.rs", "use b;"), faults);
    }

    #[test]
    fn loose_ends_are_rejected() {
        let text = concat!("// TO", "DO: later\nfn f() { todo", "!() }");
        assert_eq!(
            loose_ends("a.rs", text),
            [concat!("a.rs has a TO", "DO; do it now or open an issue"), "a.rs calls `todo!`"]
        );
    }
}
