//! What a stage may emit in one call. Bytes alone do not bound it: a million empty outputs cost the host more than one
//! of a megabyte.

use std::collections::HashSet;

use gristmill_core::model::{Failure, Output, Size, text};
use gristmill_core::ports::StageError;

use super::description::Description;

/// Maximum outputs: a document of 100,000 rows can still be taken apart in one call.
const MOST_OUTPUTS: usize = 100_000;
/// Maximum headers and attributes of one output.
const MOST_PARTS_EACH: usize = 1_000;
/// Maximum headers and attributes of all outputs together: ten for each of the most outputs.
const MOST_PARTS: usize = 1_000_000;

/// Checks the size of what a stage emits, its counts, and that it names only branches it declared.
pub(super) fn check(outputs: &[Output], description: &Description, most: usize) -> Result<(), StageError> {
    let refuse = |code: &str, message: String| Err(StageError::Permanent(Failure::new(code, message)));
    if outputs.len() > MOST_OUTPUTS {
        let message = format!("the stage emitted {} outputs; at most {MOST_OUTPUTS} are allowed", outputs.len());
        return refuse("too-many-outputs", message);
    }
    let size = outputs.size();
    if size > most {
        let message = format!("the stage emitted {size} bytes; at most {most} are allowed (limits.output)");
        return refuse("output-too-large", message);
    }
    let (mut headers, mut attributes) = (0, 0);
    for output in outputs {
        headers += output.headers.len();
        attributes += output.attributes.len();
        if output.headers.len() > MOST_PARTS_EACH || headers > MOST_PARTS {
            let message = format!("at most {MOST_PARTS_EACH} headers are allowed on an output, {MOST_PARTS} in a call");
            return refuse("too-many-headers", message);
        }
        if output.attributes.len() > MOST_PARTS_EACH || attributes > MOST_PARTS {
            let message =
                format!("at most {MOST_PARTS_EACH} attributes are allowed on an output, {MOST_PARTS} in a call");
            return refuse("too-many-attributes", message);
        }
    }
    let named: HashSet<&str> = outputs.iter().filter_map(|output| output.branch.as_deref()).collect();
    if named.is_empty() {
        return Ok(());
    }
    let declared: HashSet<&str> = description.branches.iter().map(String::as_str).collect();
    if let Some(branch) = named.difference(&declared).next() {
        let branch = text::line(branch, 64);
        let message = format!("an output names the branch {branch:?}, which the stage does not declare");
        return refuse("undeclared-branch", message);
    }
    Ok(())
}

/// Whether what the items of a batch emit is together within the limits of one call.
pub(super) fn fit<'a>(batch: impl Iterator<Item = &'a [Output]>, most: usize) -> bool {
    let (mut count, mut bytes, mut headers, mut attributes) = (0, 0, 0, 0);
    for outputs in batch {
        count += outputs.len();
        bytes += outputs.size();
        headers += outputs.iter().map(|output| output.headers.len()).sum::<usize>();
        attributes += outputs.iter().map(|output| output.attributes.len()).sum::<usize>();
    }
    count <= MOST_OUTPUTS && bytes <= most && headers <= MOST_PARTS && attributes <= MOST_PARTS
}

#[cfg(test)]
mod tests {
    use gristmill_core::model::{Attribute, Header};

    use super::*;

    fn output() -> Output {
        Output {
            payload: bytes::Bytes::new(),
            content_type: None,
            key: None,
            headers: Vec::new(),
            attributes: Vec::new(),
            branch: None,
        }
    }

    fn code(outputs: &[Output]) -> Option<String> {
        let description = Description { branches: vec!["declared".into()], ..Description::default() };
        match check(outputs, &description, 1 << 20) {
            Ok(()) => None,
            Err(StageError::Permanent(failure)) => Some(failure.code),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn what_is_empty_is_counted_all_the_same() {
        let header = Header { name: "".into(), value: None };
        let attribute = Attribute { name: String::new(), value: String::new() };
        let with_headers = |count| Output { headers: vec![header.clone(); count], ..output() };
        let with_attributes = |count| Output { attributes: vec![attribute.clone(); count], ..output() };
        for (outputs, expected) in [
            (vec![output(); 100_000], None),
            (vec![output(); 100_001], Some("too-many-outputs")),
            (vec![with_headers(1_000), with_attributes(1_000)], None),
            (vec![with_headers(1_001)], Some("too-many-headers")),
            (vec![with_attributes(1_001)], Some("too-many-attributes")),
            (vec![with_headers(1_000); 1_001], Some("too-many-headers")),
            (vec![with_attributes(1_000); 1_001], Some("too-many-attributes")),
        ] {
            assert_eq!(code(&outputs).as_deref(), expected);
        }
    }

    #[test]
    fn names_of_branches_and_media_types_are_no_free_room() {
        let long = "x".repeat(2 << 20);
        assert_eq!(code(&[Output { branch: Some(long.clone()), ..output() }]).as_deref(), Some("output-too-large"));
        assert_eq!(code(&[Output { content_type: Some(long), ..output() }]).as_deref(), Some("output-too-large"));
    }

    #[test]
    fn only_declared_branches_can_be_taken() {
        let to = |branch: &str| Output { branch: Some(branch.into()), ..output() };
        assert_eq!(code(&[output(), to("declared")]), None);
        assert_eq!(code(&[to("declared"), to("elsewhere")]).as_deref(), Some("undeclared-branch"));
    }
}
