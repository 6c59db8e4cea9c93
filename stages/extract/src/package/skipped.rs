//! Elements that are not part of the current text.

/// Deleted and moved text, codes of deleted fields, and the reading of a word that stands above it.
const SKIPPED: &[&str] = &["del", "moveFrom", "delText", "delInstrText", "rt", "fldData", "binData"];

/// What is being skipped.
#[derive(Debug, Default)]
pub(crate) struct Skipped {
    /// Number of open elements within a skipped one, itself included.
    open: usize,
    /// For each open choice between renderings, whether one has been read.
    choices: Vec<bool>,
}

impl Skipped {
    /// Whether what is read is skipped.
    pub(crate) fn is_active(&self) -> bool {
        self.open > 0
    }

    /// An element begins, which `is_unwanted` for another reason; returns whether it is skipped.
    pub(crate) fn start(&mut self, name: &str, is_unwanted: bool) -> bool {
        if self.open == 0 {
            match name {
                "AlternateContent" => self.choices.push(false),
                "Choice" | "Fallback" => {
                    // Of several renderings of the same thing, the first is read.
                    if let Some(chosen) = self.choices.last_mut()
                        && !std::mem::replace(chosen, true)
                    {
                        return false;
                    }
                    self.open = 1;
                    return true;
                }
                _ => {}
            }
        }
        if self.open > 0 || is_unwanted || SKIPPED.contains(&name) || name.ends_with("Change") {
            self.open += 1;
            return true;
        }
        false
    }

    /// An element ends; returns whether it was skipped.
    pub(crate) fn end(&mut self, name: &str) -> bool {
        if self.open > 0 {
            self.open -= 1;
            return true;
        }
        if name == "AlternateContent" {
            self.choices.pop();
        }
        false
    }
}

/// Whether an element among the properties of a row or of the end of a paragraph says that it has been deleted.
pub(crate) fn is_deleted_mark(name: &str) -> bool {
    matches!(name, "del" | "moveFrom")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_renderings_the_first_is_read() {
        let mut skipped = Skipped::default();
        let skips: Vec<bool> =
            ["AlternateContent", "Choice", "t", "/", "/", "Choice", "t", "/", "/", "Fallback", "t", "/", "/", "/", "t"]
                .into_iter()
                .map(|name| if name == "/" { skipped.end("x") } else { skipped.start(name, false) })
                .collect();
        let (yes, no) = (true, false);
        assert_eq!(skips, [no, no, no, no, no, yes, yes, yes, yes, yes, yes, yes, yes, no, no]);
    }
}
