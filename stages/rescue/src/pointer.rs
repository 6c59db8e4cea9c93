//! JSON Pointers (RFC 6901).

use std::fmt;

/// A place in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pointer(Vec<String>);

impl Pointer {
    /// Parses a pointer.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub(crate) fn parse(source: &str) -> Result<Self, String> {
        if !source.is_empty() && !source.starts_with('/') {
            return Err(format!("`{source}` is not a JSON Pointer: start it with `/`, as in `/{source}`"));
        }
        if source.split('~').skip(1).any(|tail| !tail.starts_with(['0', '1'])) {
            return Err(format!("`{source}` is not a JSON Pointer: write `~` in a name as `~0`, `/` as `~1`"));
        }
        Ok(Self(source.split('/').skip(1).map(|name| name.replace("~1", "/").replace("~0", "~")).collect()))
    }

    /// The names and numbers on the way.
    pub(crate) fn steps(&self) -> &[String] {
        &self.0
    }

    /// The place of a member.
    pub(crate) fn member(&self, name: &str) -> Self {
        Self([&self.0[..], &[name.to_owned()]].concat())
    }

    /// The place around this one, and the last step; `None` for the whole document.
    pub(crate) fn parent(&self) -> Option<(Self, &str)> {
        let (last, before) = self.0.split_last()?;
        Some((Self(before.to_vec()), last))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|name| write!(f, "/{}", name.replace('~', "~0").replace('/', "~1")))
    }
}
