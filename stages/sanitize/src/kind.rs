//! The kinds of data to replace.

/// One kind of data.
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
    /// Identity numbers of other countries, passports included.
    NationalId,
    /// Tax numbers.
    TaxId,
    /// `user:password` before the host of a URL.
    UrlCredentials,
    /// Keys, tokens and passwords.
    Secret,
    /// Names of people, which a model found.
    Person,
    /// Postal addresses, which a model found.
    Address,
    /// What the configuration denies.
    Denied,
    /// Fields that are replaced whatever they hold.
    Field,
    /// A pattern of the configuration, by its place.
    Own(usize),
}

impl Kind {
    /// Every kind but the configured patterns, in the order of the attributes.
    pub(crate) const ALL: [Self; 15] = [
        Self::Email,
        Self::Phone,
        Self::Iban,
        Self::Card,
        Self::Ip,
        Self::Mac,
        Self::Ssn,
        Self::NationalId,
        Self::TaxId,
        Self::UrlCredentials,
        Self::Secret,
        Self::Person,
        Self::Address,
        Self::Denied,
        Self::Field,
    ];

    /// The name in attributes; configured patterns have names of their own.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Iban => "iban",
            Self::Card => "card",
            Self::Ip => "ip",
            Self::Mac => "mac",
            Self::Ssn => "ssn",
            Self::NationalId => "national-id",
            Self::TaxId => "tax-id",
            Self::UrlCredentials => "url-credentials",
            Self::Secret => "secret",
            Self::Person => "person",
            Self::Address => "address",
            Self::Denied => "denied",
            Self::Field => "field",
            Self::Own(_) => "own",
        }
    }
}
