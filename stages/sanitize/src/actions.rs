//! What to do with each kind.

use serde::Deserialize;

use crate::kind::Kind;
use crate::replacement::Form;

/// What to do with a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    /// Keep it and do not count it.
    Keep,
    /// Replace it with `[EMAIL]`.
    Mask,
    /// Replace it with `[CARD ****1111]`.
    Partial,
    /// Replace it with `[EMAIL_…]` and 64 bits of a digest.
    Token,
    /// Replace it with 128 bits of a keyed digest, without a label.
    Hash,
}

impl Action {
    /// How to write it; `None` leaves the value.
    pub(crate) fn form(self) -> Option<Form> {
        match self {
            Self::Keep => None,
            Self::Mask => Some(Form::Mask),
            Self::Partial => Some(Form::Partial),
            Self::Token => Some(Form::Token),
            Self::Hash => Some(Form::Hash),
        }
    }
}

/// An action for each kind, and one for the kinds that are not named.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Actions {
    default: Option<Action>,
    email: Option<Action>,
    phone: Option<Action>,
    iban: Option<Action>,
    card: Option<Action>,
    ip: Option<Action>,
    mac: Option<Action>,
    ssn: Option<Action>,
    national_id: Option<Action>,
    tax_id: Option<Action>,
    url_credentials: Option<Action>,
    secret: Option<Action>,
    person: Option<Action>,
    address: Option<Action>,
    denied: Option<Action>,
    field: Option<Action>,
}

impl Actions {
    /// What to do with a kind; a configured pattern may have an action of its own.
    pub(crate) fn of(&self, kind: Kind) -> Action {
        let named = match kind {
            Kind::Email => self.email,
            Kind::Phone => self.phone,
            Kind::Iban => self.iban,
            Kind::Card => self.card,
            Kind::Ip => self.ip,
            Kind::Mac => self.mac,
            Kind::Ssn => self.ssn,
            Kind::NationalId => self.national_id,
            Kind::TaxId => self.tax_id,
            Kind::UrlCredentials => self.url_credentials,
            Kind::Secret => self.secret,
            Kind::Person => self.person,
            Kind::Address => self.address,
            Kind::Denied => self.denied,
            Kind::Field => self.field,
            Kind::Own(_) => None,
        };
        let default = match (kind, self.default) {
            // Whoever names texts, fields or patterns wants them replaced.
            (Kind::Denied | Kind::Field | Kind::Own(_), Some(Action::Keep) | None) => Action::Mask,
            (_, default) => default.unwrap_or(Action::Mask),
        };
        named.unwrap_or(default)
    }

    /// The first kind that is replaced by a hash.
    pub(crate) fn hashed(&self) -> Option<&'static str> {
        Kind::ALL.into_iter().find(|kind| self.of(*kind) == Action::Hash).map(Kind::name)
    }

    /// The names of all kinds.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        Kind::ALL.into_iter().map(Kind::name)
    }

    /// Whether nothing that is built in is replaced.
    pub(crate) fn keep_all(&self) -> bool {
        Kind::ALL
            .into_iter()
            .filter(|kind| !matches!(kind, Kind::Denied | Kind::Field))
            .all(|kind| self.of(kind) == Action::Keep)
    }
}
