//! How much of its group's work a member does. Pure.

/// So many of so many partitions: what a member owns of the topics that its group reads. Those of all members add up to the
/// whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Portion {
    owned: u32,
    all: u32,
}

impl Portion {
    /// Everything: there is nobody else.
    pub const WHOLE: Self = Self { owned: 1, all: 1 };
    /// Nothing for now.
    pub const NONE: Self = Self { owned: 0, all: 1 };

    /// `owned` partitions of `all`. More than all is all.
    #[must_use]
    pub fn new(owned: usize, all: usize) -> Self {
        let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
        let all = count(all).max(1);
        Self { owned: count(owned).min(all), all }
    }

    /// From 0 to 1.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.owned) / f64::from(self.all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_portions_of_all_members_are_the_whole() {
        let fraction = |owned, all| Portion::new(owned, all).fraction();
        assert!((fraction(1, 6) + fraction(2, 6) + fraction(3, 6) - 1.0).abs() < 1e-9);
        assert!((fraction(6, 6) - 1.0).abs() < 1e-9 && fraction(0, 6) == 0.0);
        assert_eq!(fraction(0, 0), 0.0, "a topic without partitions");
        assert!((fraction(7, 6) - 1.0).abs() < 1e-9, "the count of all may be older than the assignment");
    }
}
