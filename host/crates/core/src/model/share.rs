//! The share of jobs that a version on trial gets, and which ones these are.

use std::fmt;
use std::str::FromStr;

use super::Canonical;

/// A part of all jobs, from 0.01% to 99%.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share {
    /// In hundredths of a percent.
    hundredths: u16,
}

/// A text that is no [`Share`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a share is a number of percent from 0.01 to 99, for example 5 or 0.5")]
pub struct BadShare;

/// How many hundredths of a percent there are in all.
const ALL: u16 = 10_000;
/// Somebody has to go on with the version that serves, or there is nothing to compare with.
const MOST: u16 = 9_900;

impl Share {
    /// So many percent. `None` outside of 0.01 to 99. Rounded to hundredths.
    #[must_use]
    pub fn percent(percent: f64) -> Option<Self> {
        if !(0.01..=99.0).contains(&percent) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 9,900")]
        let hundredths = (percent * 100.0).round() as u16;
        Some(Self { hundredths: hundredths.clamp(1, MOST) })
    }

    /// Whether what has this id is in the share. The same answer at any time and on any host; another salt chooses others. What
    /// is in a share is in each larger one.
    #[must_use]
    pub fn takes(self, salt: &Salt, id: &[u8]) -> bool {
        let mut digest = Canonical::digest("gristmill share 1");
        digest.bytes(&salt.0);
        digest.bytes(id);
        let [first, second, third, fourth, ..] = digest.finish();
        // 2^32 is so much more than 10,000 that the remainder favours nobody.
        u32::from_be_bytes([first, second, third, fourth]) % u32::from(ALL) < u32::from(self.hundredths)
    }
}

/// What makes each trial choose other jobs than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Salt([u8; 32]);

impl Salt {
    /// The salt of a version that is known by these texts.
    #[must_use]
    pub fn of<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let mut digest = Canonical::digest("gristmill salt 1");
        for text in texts {
            digest.text(text);
        }
        Self(digest.finish())
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(self.hundredths) / 100.0)
    }
}

impl FromStr for Share {
    type Err = BadShare;

    /// Reads a number of percent, with or without the sign.
    fn from_str(text: &str) -> Result<Self, BadShare> {
        let number = text.strip_suffix('%').unwrap_or(text);
        number.parse().ok().and_then(Self::percent).ok_or(BadShare)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(share: &str, salt: &str) -> Vec<u32> {
        let (share, salt): (Share, _) = (share.parse().unwrap(), Salt::of([salt]));
        (0..20_000).filter(|job| share.takes(&salt, format!("p/in/0/{job}").as_bytes())).collect()
    }

    #[test]
    fn about_as_many_jobs_are_taken_as_the_share_says() {
        for (share, fewest, most) in
            [("1", 150, 260), ("5%", 880, 1_120), ("50", 9_700, 10_300), ("99", 19_750, 19_850)]
        {
            let count = taken(share, "a").len();
            assert!((fewest..=most).contains(&count), "{count} of 20000 at {share}");
        }
    }

    #[test]
    fn a_larger_share_keeps_whom_it_had_and_another_version_chooses_others() {
        let (few, many) = (taken("5", "a"), taken("20", "a"));
        assert!(few.iter().all(|job| many.contains(job)));
        let other = taken("5", "b");
        let both = few.iter().filter(|job| other.contains(job)).count();
        assert!((10..120).contains(&both), "{both} are in both");
        assert_eq!(few, taken("5", "a"), "the choice stays");
    }

    #[test]
    fn a_share_is_read_and_written_in_percent() {
        assert_eq!("0.5".parse::<Share>().unwrap().to_string(), "0.5%");
        assert_eq!("99%".parse::<Share>().unwrap().to_string(), "99%");
        for wrong in ["", "0", "0.001", "99.5", "100", "-1", "nan", "inf", "5%%", "five"] {
            assert_eq!(wrong.parse::<Share>(), Err(BadShare), "{wrong:?}");
        }
    }
}
