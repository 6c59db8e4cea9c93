//! JSON Pointers (RFC 6901) with one extension: the token "*" matches every element of an array or object.

/// A parsed pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pointer {
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Every,
    Named(String),
}

/// One step from a container to something in it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl Pointer {
    /// Parses a pointer.
    ///
    /// # Errors
    /// What is wrong with it, in readable form.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix('/') else {
            return match text {
                "" => Ok(Self { tokens: Vec::new() }),
                _ => Err(format!("{text:?} is not a JSON Pointer: start it with \"/\"")),
            };
        };
        let tokens = rest.split('/').map(Token::parse).collect::<Option<_>>();
        tokens
            .map(|tokens| Self { tokens })
            .ok_or_else(|| format!("{text:?} is not a JSON Pointer: write \"~\" in a name as \"~0\", \"/\" as \"~1\""))
    }
}

impl Token {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Every);
        }
        let escapes_are_valid = text.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
        escapes_are_valid.then(|| Self::Named(text.replace("~1", "/").replace("~0", "~")))
    }

    fn matches(&self, step: Step<'_>) -> bool {
        match (self, step) {
            (Self::Every, _) => true,
            (Self::Named(name), Step::Key(key)) => name == key,
            (Self::Named(name), Step::Index(index)) => *name == index.to_string(),
        }
    }
}

/// The relation of a place in a document to a list of pointers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// At or below a place that a pointer selects.
    Inside,
    /// At `depth`, above places that these pointers (by index) may still select.
    Above { pointers: Vec<usize>, depth: usize },
    /// Selected by no pointer.
    Outside,
}

impl Scope {
    /// The scope of the whole document. An empty list selects everything.
    pub(crate) fn of_document(pointers: &[Pointer]) -> Self {
        if pointers.is_empty() || pointers.iter().any(|pointer| pointer.tokens.is_empty()) {
            return Self::Inside;
        }
        Self::Above { pointers: (0..pointers.len()).collect(), depth: 0 }
    }

    /// The scope one step further down.
    pub(crate) fn child(&self, all: &[Pointer], step: Step<'_>) -> Self {
        let Self::Above { pointers, depth } = self else {
            return self.clone();
        };
        let mut matching = Vec::new();
        for index in pointers {
            let tokens = &all[*index].tokens;
            if tokens[*depth].matches(step) {
                if tokens.len() == depth + 1 {
                    return Self::Inside;
                }
                matching.push(*index);
            }
        }
        if matching.is_empty() { Self::Outside } else { Self::Above { pointers: matching, depth: depth + 1 } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(fields: &[&str], steps: &[Step<'_>]) -> Scope {
        let pointers: Vec<Pointer> = fields.iter().map(|field| Pointer::parse(field).unwrap()).collect();
        steps.iter().fold(Scope::of_document(&pointers), |scope, step| scope.child(&pointers, *step))
    }

    #[test]
    fn everything_is_inside_without_pointers_or_with_the_empty_one() {
        assert_eq!(scope(&[], &[Step::Key("a")]), Scope::Inside);
        assert_eq!(scope(&["", "/b"], &[Step::Key("a")]), Scope::Inside);
    }

    #[test]
    fn a_pointer_covers_the_value_it_selects_and_everything_below() {
        assert_eq!(scope(&["/a"], &[Step::Key("a")]), Scope::Inside);
        assert_eq!(scope(&["/a"], &[Step::Key("a"), Step::Index(3), Step::Key("b")]), Scope::Inside);
        assert_eq!(scope(&["/a"], &[Step::Key("b")]), Scope::Outside);
        assert_eq!(scope(&["/a/b"], &[Step::Key("a"), Step::Key("c")]), Scope::Outside);
    }

    #[test]
    fn a_star_matches_every_element_of_arrays_and_objects() {
        let fields = ["/messages/*/text"];
        assert_eq!(scope(&fields, &[Step::Key("messages"), Step::Index(7), Step::Key("text")]), Scope::Inside);
        assert_eq!(scope(&fields, &[Step::Key("messages"), Step::Key("x"), Step::Key("text")]), Scope::Inside);
        assert_eq!(scope(&fields, &[Step::Key("messages"), Step::Index(7), Step::Key("id")]), Scope::Outside);
    }

    #[test]
    fn an_index_is_written_in_decimal() {
        assert_eq!(scope(&["/1"], &[Step::Index(1)]), Scope::Inside);
        assert_eq!(scope(&["/01"], &[Step::Index(1)]), Scope::Outside);
        assert_eq!(scope(&["/-"], &[Step::Index(1)]), Scope::Outside);
    }

    #[test]
    fn escapes_are_decoded() {
        assert_eq!(scope(&["/a~1b~0c~01"], &[Step::Key("a/b~c~1")]), Scope::Inside);
    }

    #[test]
    fn a_malformed_pointer_is_rejected() {
        for text in ["a", "#/a", "/~", "/a~2"] {
            assert!(Pointer::parse(text).is_err(), "{text}");
        }
    }
}
