//! How sure one can be of a share that was counted in a sample.
//!
//! The interval of a share is Wilson's (1927), which holds for few and for rare cases; that of a difference of two is
//! Newcombe's (Interval estimation for the difference between independent proportions, Statistics in Medicine 17, 1998, method
//! 10), which is made of two of them.

/// So many cases of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Proportion {
    pub(super) cases: u64,
    pub(super) of: u64,
}

impl Proportion {
    /// The share that was counted, from 0 to 1; 0 of none.
    #[expect(clippy::cast_precision_loss, reason = "counts of jobs are far below 2^52")]
    pub(super) fn share(self) -> f64 {
        if self.of == 0 { 0.0 } else { self.cases as f64 / self.of as f64 }
    }

    /// Between which bounds the true share lies, with a certainty of so many standard deviations.
    #[expect(clippy::cast_precision_loss, reason = "counts of jobs are far below 2^52")]
    pub(super) fn interval(self, deviations: f64) -> (f64, f64) {
        if self.of == 0 {
            return (0.0, 1.0);
        }
        let (share, of, square) = (self.share(), self.of as f64, deviations * deviations);
        let center = (share + square / (2.0 * of)) / (1.0 + square / of);
        let spread = (share * (1.0 - share) / of + square / (4.0 * of * of)).sqrt();
        let half = deviations / (1.0 + square / of) * spread;
        ((center - half).max(0.0), (center + half).min(1.0))
    }

    /// By how much this share is larger than another one at least, with that certainty. Negative if it need not be larger.
    pub(super) fn surely_above(self, other: Self, deviations: f64) -> f64 {
        let (lower, _) = self.interval(deviations);
        let (_, upper) = other.interval(deviations);
        let (share, other) = (self.share(), other.share());
        share - other - (share - lower).hypot(upper - other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cases: u64, of: u64) -> Proportion {
        Proportion { cases, of }
    }

    fn is_near(one: f64, other: f64) -> bool {
        (one - other).abs() < 0.000_1
    }

    #[test]
    fn intervals_are_those_of_the_papers() {
        // Newcombe (1998), Two-sided confidence intervals for the single proportion, table I: 81 of 263, 15 of 148, 0 of 20.
        for (proportion, lower, upper) in
            [(of(81, 263), 0.2553, 0.3662), (of(15, 148), 0.0624, 0.1605), (of(0, 20), 0.0, 0.1611)]
        {
            let (low, high) = proportion.interval(1.959_964);
            assert!(is_near(low, lower) && is_near(high, upper), "{proportion:?}: {low} {high}");
        }
        // The other paper, table II, method 10: 56 of 70 and 48 of 80; 9 of 10 and 3 of 10.
        assert!(is_near(of(56, 70).surely_above(of(48, 80), 1.959_964), 0.0524));
        assert!(is_near(of(9, 10).surely_above(of(3, 10), 1.959_964), 0.1705));
    }

    #[test]
    fn nothing_is_known_of_no_sample() {
        assert_eq!(of(0, 0).interval(1.0), (0.0, 1.0));
        assert!(of(5, 5).surely_above(of(0, 0), 3.0) < 0.0);
    }
}
