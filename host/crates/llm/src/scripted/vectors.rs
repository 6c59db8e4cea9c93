//! Vectors made from the words of a text: the same each time, and near each other for texts with the same words.

use std::sync::Arc;

use gristmill_core::model::{NoVector, Vector};
use sha2::{Digest, Sha256};

/// The length of a vector if the request does not say.
pub(super) const DIMENSIONS: u32 = 16;

/// The vector of a text, of length one.
pub(super) fn vector(text: &Arc<str>, dimensions: u32) -> Result<Vector, NoVector> {
    let length = usize::try_from(dimensions).unwrap_or(usize::MAX).clamp(1, 1 << 16);
    let mut counts = vec![0_u32; length];
    let mut count = |word: &str| {
        let digest = Sha256::digest(word.to_lowercase());
        let place = digest.iter().fold(0_usize, |place, byte| (place * 256 + usize::from(*byte)) % length);
        if let Some(count) = counts.get_mut(place) {
            *count += 1;
        }
    };
    let words = |text: &Arc<str>| -> Vec<String> {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    };
    match words(text).as_slice() {
        [] => count(text),
        words => words.iter().for_each(|word| count(word)),
    }
    let length = counts.iter().map(|count| f64::from(*count).powi(2)).sum::<f64>().sqrt();
    #[allow(clippy::cast_possible_truncation, reason = "vectors have single precision")]
    let numbers: Vec<f32> = counts.iter().map(|count| (f64::from(*count) / length) as f32).collect();
    Vector::new(&numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(one: &str, other: &str) -> f32 {
        let vector = |text: &str| vector(&text.into(), 64).unwrap();
        let (one, other) = (vector(one), vector(other));
        one.numbers().zip(other.numbers()).map(|(one, other)| one * other).sum()
    }

    #[test]
    fn texts_with_the_same_words_are_near_each_other() {
        assert!((near("The pump leaks.", "the PUMP leaks") - 1.0).abs() < 1e-6);
        assert!(
            near("The pump leaks.", "Why does the pump leak?") > near("The pump leaks.", "Invoices are due in May")
        );
    }

    #[test]
    fn every_text_has_a_vector_of_the_asked_length() {
        for (text, dimensions) in [("?!", 16), ("a b c", 1), ("", 8)] {
            assert_eq!(vector(&text.into(), dimensions).unwrap().dimensions(), dimensions as usize, "{text}");
        }
    }
}
