//! Days and times of spreadsheets, which count days from an epoch, in the form of ISO 8601.

/// Where the days are counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Epoch {
    /// 1900, which is taken for a leap year.
    #[default]
    Of1900,
    /// 1904.
    Of1904,
}

/// Which parts of a time a format shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Parts {
    pub(super) year: bool,
    pub(super) month: bool,
    pub(super) day: bool,
    pub(super) hour: bool,
    pub(super) second: bool,
    /// Hours are counted beyond a day.
    pub(super) elapsed: bool,
}

/// A count of days as these parts of a time; `None` if no calendar has it.
pub(super) fn written(days: f64, epoch: Epoch, parts: Parts) -> Option<String> {
    if !(0.0..2_958_466.0).contains(&days) {
        return None;
    }
    // Half a second more, so that 12:59:59.9999 is 13:00.
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    let seconds = (days * 86_400.0).round() as i64;
    let (day, second) = (seconds / 86_400, seconds % 86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    if parts.elapsed {
        let seconds = if parts.second { format!(":{second:02}") } else { String::new() };
        return Some(format!("{}:{minute:02}{seconds}", day * 24 + hour));
    }
    let since_1970 = match epoch {
        Epoch::Of1900 if day < 60 => day - 25_568,
        Epoch::Of1900 => day - 25_569,
        Epoch::Of1904 => day - 24_107,
    };
    let (year, month, date) = civil(since_1970);
    let mut out = match parts {
        Parts { day: true, .. } => format!("{year:04}-{month:02}-{date:02}"),
        Parts { month: true, year: true, .. } => format!("{year:04}-{month:02}"),
        Parts { year: true, .. } => format!("{year:04}"),
        Parts { month: true, hour: false, .. } => format!("{year:04}-{month:02}-{date:02}"),
        _ => String::new(),
    };
    if parts.hour {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&format!("{hour:02}:{minute:02}"));
        if parts.second {
            out.push_str(&format!(":{second:02}"));
        }
    }
    Some(out)
}

/// Year, month and day of a count of days from 1970.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_days_become_dates_and_times() {
        let date = Parts { year: true, month: true, day: true, ..Parts::default() };
        let time = Parts { hour: true, ..Parts::default() };
        for (days, epoch, parts, expected) in [
            (45_352.0, Epoch::Of1900, date, "2024-03-01"),
            (1.0, Epoch::Of1900, date, "1900-01-01"),
            (61.0, Epoch::Of1900, date, "1900-03-01"),
            (0.0, Epoch::Of1904, date, "1904-01-01"),
            (45_352.75, Epoch::Of1900, Parts { hour: true, ..date }, "2024-03-01 18:00"),
            (0.541_666_666, Epoch::Of1900, time, "13:00"),
            (1.25, Epoch::Of1900, Parts { hour: true, elapsed: true, ..Parts::default() }, "30:00"),
            (45_352.0, Epoch::Of1900, Parts { year: true, month: true, ..Parts::default() }, "2024-03"),
        ] {
            assert_eq!(written(days, epoch, parts).as_deref(), Some(expected));
        }
        for days in [-1.0, 1e12, f64::NAN, f64::INFINITY] {
            assert_eq!(written(days, Epoch::Of1900, date), None);
        }
    }
}
