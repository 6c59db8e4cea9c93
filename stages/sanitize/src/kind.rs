//! The kinds of personal data to find.

/// One kind of personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `name@host.tld`.
    Email,
    /// International and common national telephone numbers.
    Phone,
    /// International bank account numbers with valid check digits.
    Iban,
    /// Payment card numbers of known issuers with a valid check digit.
    Card,
    /// IP addresses of version 4 and 6.
    Ip,
    /// Hardware (MAC) addresses.
    Mac,
    /// Social security numbers of the United States.
    Ssn,
    /// `user:password` before the host of a URL.
    UrlCredentials,
}

impl Kind {
    /// Every kind, in the order of the attributes.
    pub(crate) const ALL: [Self; 8] =
        [Self::Email, Self::Phone, Self::Iban, Self::Card, Self::Ip, Self::Mac, Self::Ssn, Self::UrlCredentials];

    /// The name in attributes.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Iban => "iban",
            Self::Card => "card",
            Self::Ip => "ip",
            Self::Mac => "mac",
            Self::Ssn => "ssn",
            Self::UrlCredentials => "url-credentials",
        }
    }

    /// What a match is replaced with.
    pub(crate) fn placeholder(self) -> &'static str {
        match self {
            Self::Email => "[EMAIL]",
            Self::Phone => "[PHONE]",
            Self::Iban => "[IBAN]",
            Self::Card => "[CARD]",
            Self::Ip => "[IP]",
            Self::Mac => "[MAC]",
            Self::Ssn => "[SSN]",
            Self::UrlCredentials => "[URL_CREDENTIALS]",
        }
    }
}
