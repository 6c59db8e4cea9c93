//! How what came out differs from what was expected, in lines.

use similar::{ChangeTag, TextDiff};

use super::expected::Expected;

/// Lines around a change that are shown with it.
const CONTEXT: usize = 3;

/// The lines that differ: those with "-" are expected, those with "+" came out.
#[must_use]
pub fn diff(expected: &Expected, came: &Expected) -> String {
    let (expected, came) = (expected.render(), came.render());
    let lines = TextDiff::from_lines(&expected, &came);
    let mut text = String::new();
    for (index, group) in lines.grouped_ops(CONTEXT).iter().enumerate() {
        if index > 0 {
            text.push_str("  ...\n");
        }
        for change in group.iter().flat_map(|operation| lines.iter_changes(operation)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            text.push(sign);
            text.push(' ');
            text.push_str(change.value().trim_end_matches('\n'));
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_shown_with_what_is_around_it() {
        let lines = |changed: &str| {
            let mut lines: Vec<String> = (0..30).map(|line| format!("line {line}")).collect();
            lines[15] = changed.to_owned();
            Expected::Drop { code: lines.join("\n") }
        };
        let shown = diff(&lines("old"), &lines("new"));
        assert!(shown.contains("- old\n+ new\n"), "{shown}");
        assert!(shown.contains("  line 14\n") && !shown.contains("line 2\n"), "{shown}");
    }
}
