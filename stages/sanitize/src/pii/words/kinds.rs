//! What the words before a value can say.

/// What a word announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    Phone,
    Ssn,
    /// An identity number; a value of the right form needs no check digit.
    NationalId,
    /// A word with other meanings too: only a number with valid check digits is one.
    MayBeId,
    TaxId,
    Iban,
    Card,
    Mac,
    Version,
    /// The name of a program: its version, or an address of it.
    Product,
    Section,
    /// A section, unless a colon follows: `Table 1.2.3.4`, but `table: 192.0.2.1`.
    MayBeSection,
    /// A number of an order, an article or the like.
    Order,
    Secret,
    /// A word that ends the search although a part of it looks like a label.
    Nothing,
}

impl Label {
    /// Whether it says that the value is personal data or a secret.
    pub(crate) fn is_personal(self) -> bool {
        !matches!(
            self,
            Self::Version | Self::Product | Self::Section | Self::MayBeSection | Self::Order | Self::Nothing
        )
    }
}
