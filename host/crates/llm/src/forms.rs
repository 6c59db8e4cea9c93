//! The forms that answers must have, each compiled once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use gristmill_core::model::{ChatFailure, Format};

use crate::form::Form;

/// How many compiled schemas are kept; the oldest is evicted first. A pipeline has a handful.
const MOST_FORMS: usize = 64;

/// The forms compiled so far.
#[derive(Default)]
pub(crate) struct Forms {
    /// Locked because the calls of many jobs share it; the lock is never held across an await.
    compiled: Mutex<VecDeque<(Format, Arc<Form>)>>,
}

impl Forms {
    /// Returns the form of a format. An unusable schema is an invalid request: nothing has been paid yet.
    pub(crate) fn of(&self, format: &Format) -> Result<Arc<Form>, ChatFailure> {
        if !matches!(format, Format::Schema { .. }) {
            return Form::of(format).map(Arc::new);
        }
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, form)) = compiled.iter().find(|(known, _)| known == format) {
            return Ok(Arc::clone(form));
        }
        let form = Arc::new(Form::of(format)?);
        if compiled.len() == MOST_FORMS {
            compiled.pop_front();
        }
        compiled.push_back((format.clone(), Arc::clone(&form)));
        Ok(form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::schema;

    #[test]
    fn a_schema_is_compiled_once_and_the_oldest_gives_way() {
        let forms = Forms::default();
        let first = forms.of(&schema("{}")).unwrap();
        assert!(Arc::ptr_eq(&first, &forms.of(&schema("{}")).unwrap()));
        for number in 0..MOST_FORMS {
            forms.of(&schema(&format!("{{\"maxLength\":{number}}}"))).unwrap();
        }
        assert!(!Arc::ptr_eq(&first, &forms.of(&schema("{}")).unwrap()));
        assert!(forms.of(&schema("{nope")).is_err());
    }
}
