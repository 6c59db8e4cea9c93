//! A number that a stage counts or measures of its own.

use super::text;

/// The longest name of a metric or a label, in bytes.
const LONGEST_NAME: usize = 64;
/// The longest value of a label, in bytes; a longer one is cut.
const LONGEST_VALUE: usize = 64;
/// How many labels a number may have.
const MOST_LABELS: usize = 5;
/// Labels that the host sets.
const RESERVED: [&str; 5] = ["pipeline", "stage", "name", "le", "quantile"];

/// What is added or observed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// So much more.
    Add(u64),
    /// One value of many; finite.
    Observe(f64),
}

/// A number of a stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    name: String,
    labels: Vec<(String, String)>,
    amount: Amount,
}

/// Why a number is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadMeasure {
    /// It, or a label, has a name that is none.
    #[error("names of metrics and labels are 1 to 64 of a-z, 0-9 and \"_\", and do not begin with a digit")]
    Name,
    /// A label would take the place of one of the host's.
    #[error("no label may be called pipeline, stage, name, le or quantile")]
    Reserved,
    /// It has two labels of one name, or too many.
    #[error("a number has at most 5 labels, each once")]
    Labels,
    /// It is no number.
    #[error("only finite numbers can be observed")]
    NotFinite,
}

impl Measure {
    /// A number, with its labels in order; values are cleaned and cut.
    ///
    /// # Errors
    /// A name, a label or an amount that is not allowed.
    pub fn new(name: &str, labels: &[(&str, &str)], amount: Amount) -> Result<Self, BadMeasure> {
        if matches!(amount, Amount::Observe(value) if !value.is_finite()) {
            return Err(BadMeasure::NotFinite);
        }
        if labels.len() > MOST_LABELS {
            return Err(BadMeasure::Labels);
        }
        let mut sorted: Vec<(String, String)> = Vec::with_capacity(labels.len());
        for (label, value) in labels {
            if RESERVED.contains(label) {
                return Err(BadMeasure::Reserved);
            }
            if !is_name(label) {
                return Err(BadMeasure::Name);
            }
            sorted.push(((*label).to_owned(), text::line(value, LONGEST_VALUE)));
        }
        sorted.sort();
        if sorted.windows(2).any(|pair| matches!(pair, [(one, _), (other, _)] if one == other)) {
            return Err(BadMeasure::Labels);
        }
        if !is_name(name) {
            return Err(BadMeasure::Name);
        }
        Ok(Self { name: name.to_owned(), labels: sorted, amount })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its labels, sorted by their names.
    #[must_use]
    pub fn labels(&self) -> &[(String, String)] {
        &self.labels
    }

    /// The number.
    #[must_use]
    pub fn amount(&self) -> Amount {
        self.amount
    }
}

fn is_name(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let is_first = |c: char| !c.is_ascii_digit();
    text.len() <= LONGEST_NAME && text.starts_with(is_first) && text.chars().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_prometheus_in_small_letters() {
        for (name, labels, expected) in [
            ("pages_read", &[][..], None),
            ("pages", &[("kind", "a"), ("_x9", "b")], None),
            ("", &[], Some(BadMeasure::Name)),
            ("9pages", &[], Some(BadMeasure::Name)),
            ("pages-read", &[], Some(BadMeasure::Name)),
            ("Pages", &[], Some(BadMeasure::Name)),
            ("pages\n# TYPE", &[], Some(BadMeasure::Name)),
            ("pages", &[("stage", "other")], Some(BadMeasure::Reserved)),
            ("pages", &[("le", "1")], Some(BadMeasure::Reserved)),
            ("pages", &[("a b", "1")], Some(BadMeasure::Name)),
            ("pages", &[("a", "1"), ("a", "2")], Some(BadMeasure::Labels)),
            ("pages", &[("a", ""), ("b", ""), ("c", ""), ("d", ""), ("e", ""), ("f", "")], Some(BadMeasure::Labels)),
        ] {
            assert_eq!(Measure::new(name, labels, Amount::Add(1)).err(), expected, "{name:?} {labels:?}");
        }
        let long = "a".repeat(65);
        assert_eq!(Measure::new(&long, &[], Amount::Add(1)), Err(BadMeasure::Name));
        assert_eq!(Measure::new("a", &[], Amount::Observe(f64::NAN)), Err(BadMeasure::NotFinite));
    }

    #[test]
    fn the_order_of_labels_makes_no_difference_and_values_are_cleaned() {
        let measure = |labels: &[(&str, &str)]| Measure::new("pages", labels, Amount::Add(1)).unwrap();
        assert_eq!(measure(&[("b", "2"), ("a", "1")]), measure(&[("a", "1"), ("b", "2")]));
        let cleaned = measure(&[("a", &format!("x\n{}", "y".repeat(100)))]);
        let (_, value) = &cleaned.labels()[0];
        assert!(!value.contains('\n') && value.len() <= LONGEST_VALUE + 3, "{value:?}");
    }
}
