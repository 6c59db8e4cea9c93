//! The countries that a configuration names, and what numbers look like that are dialled within them.

use super::groups::{Bracket, Group, Separator};

/// Country, what the number begins with (any of them), and its fewest and most digits.
type Plan = (&'static str, &'static [&'static str], usize, usize);

const PLANS: [Plan; 66] = [
    ("AE", &["05", "02", "03", "04", "06", "07"], 9, 10),
    ("AR", &["011", "02", "03", "11", "15"], 10, 11),
    ("AT", &["0"], 7, 13),
    ("AU", &["02", "03", "04", "07", "08"], 10, 10),
    ("BD", &["01"], 11, 11),
    ("BE", &["0"], 9, 10),
    ("BG", &["0"], 8, 10),
    ("BR", &["1", "2", "3", "4", "5", "6", "7", "8", "9"], 10, 11),
    ("CA", &["2", "3", "4", "5", "6", "7", "8", "9"], 10, 10),
    ("CH", &["0"], 10, 10),
    ("CL", &["9", "2"], 9, 9),
    ("CN", &["13", "14", "15", "16", "17", "18", "19"], 11, 11),
    ("CO", &["3", "60"], 10, 10),
    ("CZ", &["2", "3", "4", "5", "6", "7"], 9, 9),
    ("DE", &["0"], 9, 12),
    ("DK", &["2", "3", "4", "5", "6", "7", "8", "9"], 8, 8),
    ("EE", &["5", "6", "7"], 7, 8),
    ("EG", &["01", "02"], 10, 11),
    ("ES", &["6", "7", "8", "9"], 9, 9),
    ("FI", &["0"], 7, 11),
    ("FR", &["0"], 10, 10),
    ("GB", &["01", "02", "03", "07", "08"], 10, 11),
    ("GR", &["2", "69"], 10, 10),
    ("HK", &["2", "3", "5", "6", "9"], 8, 8),
    ("HR", &["0"], 8, 10),
    ("HU", &["06"], 10, 11),
    ("ID", &["08", "02"], 9, 13),
    ("IE", &["0"], 9, 10),
    ("IL", &["0"], 9, 10),
    ("IN", &["6", "7", "8", "9", "0"], 10, 11),
    ("IR", &["09", "0"], 11, 11),
    ("IS", &["4", "5", "6", "7", "8"], 7, 7),
    ("IT", &["3", "0"], 9, 11),
    ("JP", &["0"], 10, 11),
    ("KE", &["07", "01"], 10, 10),
    ("KR", &["01", "02", "03", "04", "05", "06"], 9, 11),
    ("LT", &["86", "8", "0"], 9, 9),
    ("LV", &["2", "6"], 8, 8),
    ("MA", &["05", "06", "07"], 10, 10),
    ("MX", &["2", "3", "4", "5", "6", "7", "8", "9"], 10, 10),
    ("MY", &["01", "03", "04", "05", "06", "07", "08", "09"], 9, 11),
    ("NG", &["07", "08", "09"], 11, 11),
    ("NL", &["0"], 10, 10),
    ("NO", &["2", "3", "4", "5", "6", "7", "9"], 8, 8),
    ("NZ", &["02", "03", "04", "06", "07", "09"], 9, 11),
    ("PE", &["9"], 9, 9),
    ("PH", &["09", "02"], 10, 11),
    ("PK", &["03", "02", "04", "05"], 10, 11),
    ("PL", &["4", "5", "6", "7", "8", "1", "2", "3"], 9, 9),
    ("PT", &["9", "2"], 9, 9),
    ("RO", &["07", "02", "03"], 10, 10),
    ("RS", &["0"], 9, 10),
    ("RU", &["89", "84", "83", "88", "9"], 10, 11),
    ("SA", &["05", "01"], 10, 10),
    ("SE", &["0"], 8, 10),
    ("SG", &["3", "6", "8", "9"], 8, 8),
    ("SI", &["0"], 9, 9),
    ("SK", &["0"], 10, 10),
    ("TH", &["0"], 9, 10),
    ("TR", &["05", "5", "02", "03", "04"], 10, 11),
    ("TW", &["09", "0"], 9, 10),
    ("UA", &["0"], 10, 10),
    ("US", &["2", "3", "4", "5", "6", "7", "8", "9"], 10, 10),
    ("UY", &["09", "2", "4"], 8, 9),
    ("VN", &["0"], 10, 11),
    ("ZA", &["0"], 10, 10),
];

/// The countries in question; all of them if none is named.
#[derive(Debug, Default, Clone)]
pub(crate) struct Countries(Vec<String>);

impl Countries {
    /// Reads codes of ISO 3166.
    ///
    /// # Errors
    /// The place and the code of the first that is not two capital letters.
    pub(crate) fn parse(codes: &[String]) -> Result<Self, (usize, String)> {
        match codes.iter().position(|code| code.len() != 2 || !code.bytes().all(|byte| byte.is_ascii_uppercase())) {
            Some(place) => Err((place, codes[place].clone())),
            None => Ok(Self(codes.to_vec())),
        }
    }

    /// Whether identity numbers of a country are looked for.
    pub(super) fn include(&self, country: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|named| named == country)
    }

    /// Whether these groups are dialled in one of the countries that are named.
    pub(super) fn dial(&self, number: &[Group<'_>]) -> bool {
        if self.0.is_empty()
            || number.iter().any(|group| group.separator == Separator::Slash && group.bracket == Bracket::Around)
        {
            return false;
        }
        let digits: String = number.iter().map(|group| group.digits).collect();
        let plans = PLANS.iter().filter(|(country, ..)| self.0.iter().any(|named| named == country));
        plans.into_iter().any(|(_, prefixes, fewest, most)| {
            (*fewest..=*most).contains(&digits.len()) && prefixes.iter().any(|prefix| digits.starts_with(prefix))
        })
    }
}
