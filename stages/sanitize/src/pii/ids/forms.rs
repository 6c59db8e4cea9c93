//! The forms of identity and tax numbers that are distinctive enough to be found without a word before them.

use super::checks::{
    any, argentina, belgium, brazil_company, brazil_person, chile, china, curp, czechia, dominican, finland, france,
    german_pension, german_tax, hong_kong, india_tax, italy, itin, korea, malaysia, nino, nip, nordic, norway, rfc,
    singapore, snils, south_africa, spain, switzerland, thailand, uruguay, venezuela,
};
use crate::kind::Kind;

/// One form: "d" is a digit, "L" a capital, "X" either; everything else stands for itself.
pub(super) struct Form {
    pub(super) country: &'static str,
    pub(super) kind: Kind,
    pub(super) shape: &'static str,
    /// How many digits it begins with.
    pub(super) leading_digits: usize,
    /// Whether the letters and digits alone are valid.
    pub(super) check: fn(&[u8]) -> bool,
}

const fn person(country: &'static str, shape: &'static str, check: fn(&[u8]) -> bool) -> Form {
    Form { country, kind: Kind::NationalId, shape, leading_digits: leading_digits(shape), check }
}

const fn tax(country: &'static str, shape: &'static str, check: fn(&[u8]) -> bool) -> Form {
    Form { country, kind: Kind::TaxId, shape, leading_digits: leading_digits(shape), check }
}

const fn leading_digits(shape: &str) -> usize {
    let shape = shape.as_bytes();
    let mut count = 0;
    while count < shape.len() && matches!(shape[count], b'd' | b'7' | b'5' | b'6' | b'9') {
        count += 1;
    }
    count
}

pub(super) const FORMS: &[Form] = &[
    person("ES", "ddddddddL", spain),
    person("ES", "dddddddd-L", spain),
    person("ES", "dd.ddd.ddd-L", spain),
    person("ES", "LdddddddL", spain),
    person("ES", "L-ddddddd-L", spain),
    person("IT", "LLLLLLXXLXXLXXXL", italy),
    person("BR", "ddd.ddd.ddd-dd", brazil_person),
    tax("BR", "dd.ddd.ddd/dddd-dd", brazil_company),
    tax("IN", "LLLLLddddL", india_tax),
    person("CN", "dddddddddddddddddd", china),
    person("CN", "dddddddddddddddddX", china),
    person("MX", "LLLLddddddLLLLLLXd", curp),
    tax("MX", "LLLLddddddXXX", rfc),
    tax("MX", "LLLddddddXXX", rfc),
    person("GB", "LL dd dd dd L", nino),
    person("GB", "LLddddddL", nino),
    person("FR", "d dd dd dd ddd ddd dd", france),
    person("FR", "d dd dd dX ddd ddd dd", france),
    person("FR", "ddddddddddddddd", france),
    person("FR", "ddddddddddddd dd", france),
    person("DE", "ddddddddLddd", german_pension),
    person("DE", "dd dddddd L ddd", german_pension),
    tax("DE", "dd ddd ddd ddd", german_tax),
    person("BE", "dd.dd.dd-ddd.dd", belgium),
    person("SE", "dddddd-dddd", nordic),
    person("SE", "dddddddd-dddd", nordic),
    person("SE", "dddddd+dddd", nordic),
    person("NO", "ddddddddddd", norway),
    person("NO", "dddddd ddddd", norway),
    person("FI", "dddddd-dddX", finland),
    person("FI", "dddddd+dddX", finland),
    person("FI", "ddddddAdddX", finland),
    person("CZ", "dddddd/dddd", czechia),
    person("CH", "756.dddd.dddd.dd", switzerland),
    person("CH", "756dddddddddd", switzerland),
    person("ZA", "ddddddddddddd", south_africa),
    person("ZA", "dddddd dddd dd d", south_africa),
    person("KR", "dddddd-ddddddd", korea),
    person("HK", "Ldddddd(X)", hong_kong),
    person("SG", "LdddddddL", singapore),
    person("MY", "dddddd-dd-dddd", malaysia),
    person("TH", "d-dddd-ddddd-dd-d", thailand),
    tax("AR", "dd-dddddddd-d", argentina),
    person("CL", "dd.ddd.ddd-X", chile),
    person("CL", "d.ddd.ddd-X", chile),
    person("UY", "d.ddd.ddd-d", uruguay),
    person("DO", "ddd-ddddddd-d", dominican),
    person("VE", "L-dd.ddd.ddd", venezuela),
    person("PK", "ddddd-ddddddd-d", any),
    person("RU", "ddd-ddd-ddd dd", snils),
    tax("PL", "ddd-ddd-dd-dd", nip),
    tax("US", "9dd-dd-dddd", itin),
];
