//! A request for the vectors of texts and its answer, as stages and providers both see it.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::canonical::Canonical;
use super::chat::Usage;

/// What vectors are for. Models that make no difference ignore it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Nothing in particular.
    Unspecified,
    /// To be found.
    Document,
    /// To find others by.
    Query,
}

/// A request from a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbedRequest {
    /// The model alias; `None` is the pipeline's only one.
    pub model: Option<String>,
    /// The texts, shared with the parts that the request is cut into.
    pub inputs: Vec<Arc<str>>,
    /// What the vectors are for.
    pub purpose: Purpose,
    /// The length of the vectors; `None` leaves it to the model.
    pub dimensions: Option<u32>,
    /// Time limit for the whole call.
    pub timeout: Option<Duration>,
}

impl EmbedRequest {
    /// A request for the vectors of these texts with everything else left to the alias.
    #[must_use]
    pub fn new(inputs: Vec<Arc<str>>) -> Self {
        Self { model: None, inputs, purpose: Purpose::Unspecified, dimensions: None, timeout: None }
    }

    /// The same request for other texts.
    #[must_use]
    pub fn of(&self, inputs: Vec<Arc<str>>) -> Self {
        // Not a clone of everything: the texts may be many.
        Self {
            model: self.model.clone(),
            inputs,
            purpose: self.purpose,
            dimensions: self.dimensions,
            timeout: self.timeout,
        }
    }

    /// A digest of everything that shapes the vector of one text. The texts beside it do not, nor does
    /// `timeout`.
    ///
    /// Do not change the encoding: journals look up vectors by it.
    #[must_use]
    pub fn digest(&self, input: &str) -> [u8; 32] {
        // Destructured in full, so that adding a field does not compile until someone decides whether to include it.
        let Self { model, inputs: _, purpose, dimensions, timeout: _ } = self;
        let mut to = Canonical::digest("gristmill embed 1");
        to.optional(model.as_deref(), Canonical::text);
        to.kind(match purpose {
            Purpose::Unspecified => 0,
            Purpose::Document => 1,
            Purpose::Query => 2,
        });
        to.optional(dimensions.map(u64::from), Canonical::number);
        to.text(input);
        to.finish()
    }
}

/// The bytes of one number.
const NUMBER: usize = 4;

/// The vector of a text: at least one number, each of them finite, and not all zero. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vector(
    /// IEEE 754 single precision, little-endian.
    Bytes,
);

/// Why numbers are no vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoVector {
    /// There are none.
    #[error("it is empty")]
    Empty,
    /// They are no whole numbers of four bytes.
    #[error("it is cut off")]
    CutOff,
    /// One of them is infinite or not a number.
    #[error("it holds a number that is not finite")]
    NotFinite,
    /// All of them are zero: it points nowhere.
    #[error("all its numbers are zero")]
    Zero,
}

impl Vector {
    /// A vector of these numbers.
    ///
    /// # Errors
    /// They are no vector.
    pub fn new(numbers: &[f32]) -> Result<Self, NoVector> {
        let mut bytes = BytesMut::with_capacity(numbers.len() * NUMBER);
        for number in numbers {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        Self::from_bytes(bytes.freeze())
    }

    /// A vector of numbers in little-endian bytes.
    ///
    /// # Errors
    /// They are no vector.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, NoVector> {
        if bytes.is_empty() {
            return Err(NoVector::Empty);
        }
        if !bytes.len().is_multiple_of(NUMBER) {
            return Err(NoVector::CutOff);
        }
        let vector = Self(bytes);
        if !vector.numbers().all(f32::is_finite) {
            return Err(NoVector::NotFinite);
        }
        if vector.numbers().all(|number| number == 0.0) {
            return Err(NoVector::Zero);
        }
        Ok(vector)
    }

    /// How many numbers it has.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.0.len() / NUMBER
    }

    /// Its numbers in order.
    pub fn numbers(&self) -> impl Iterator<Item = f32> + '_ {
        let four = |bytes: &[u8]| bytes.try_into().map_or(f32::NAN, f32::from_le_bytes);
        self.0.chunks_exact(NUMBER).map(four)
    }

    /// Its numbers in little-endian bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }
}

/// The vector of one text with what it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedding {
    /// The vector.
    pub vector: Vector,
    /// Its share of what the request took that it came with.
    pub usage: Usage,
    /// The model that made it, as "provider/model".
    pub model: String,
}

/// The vectors of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbedResponse {
    /// One for each input, in order, all of one length.
    pub vectors: Vec<Vector>,
    /// Tokens and cost of all of them.
    pub usage: Usage,
    /// The model that made them, as "provider/model".
    pub model: String,
    /// True if no provider was asked.
    pub cached: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_that_point_somewhere_are_a_vector() {
        let vector = Vector::new(&[0.5, -0.0, 3.0]).unwrap();
        assert_eq!((vector.dimensions(), vector.numbers().collect::<Vec<_>>()), (3, vec![0.5, 0.0, 3.0]));
        assert_eq!(Vector::from_bytes(vector.as_bytes().clone()), Ok(vector));
        for (numbers, fault) in [
            (&[][..], NoVector::Empty),
            (&[0.0, -0.0], NoVector::Zero),
            (&[1.0, f32::NAN], NoVector::NotFinite),
            (&[f32::NEG_INFINITY], NoVector::NotFinite),
        ] {
            assert_eq!(Vector::new(numbers), Err(fault));
        }
        assert_eq!(Vector::from_bytes(Bytes::from_static(&[1, 2, 3])), Err(NoVector::CutOff));
    }

    #[test]
    fn what_shapes_a_vector_is_in_its_digest_and_nothing_else() {
        let request = EmbedRequest::new(vec!["a".into()]);
        let digest = request.digest("a");
        for other in [
            EmbedRequest { inputs: vec!["b".into(), "a".into()], ..request.clone() },
            EmbedRequest { timeout: Some(Duration::ZERO), ..request.clone() },
        ] {
            assert_eq!(other.digest("a"), digest);
        }
        for other in [
            EmbedRequest { model: Some(String::new()), ..request.clone() },
            EmbedRequest { purpose: Purpose::Query, ..request.clone() },
            EmbedRequest { dimensions: Some(0), ..request.clone() },
        ] {
            assert_ne!(other.digest("a"), digest);
        }
        assert_ne!(request.digest("b"), digest);
    }

    #[test]
    fn the_digest_stays() {
        let request = EmbedRequest { model: Some("m".into()), ..EmbedRequest::new(Vec::new()) };
        let hex: String = request.digest("text").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "9da01ba813f7e15f2e3ba04eb97022cc6355787b16be5d327a48689fa018b484");
    }
}
