//! The configuration: what to do with each kind, which artifacts to remove, which JSON fields to sanitise.

use gristmill_sdk::ConfigFault;
use serde::Deserialize;

use crate::artifacts::Artifact;
use crate::kind::Kind;
use crate::pointer::Pointer;
use crate::replacement::Digester;

/// A shorter key could be guessed along with the data.
const MIN_KEY_BYTES: usize = 16;

/// What to do with a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    /// Keep it and do not count it.
    Keep,
    /// Replace it with `[EMAIL]`.
    Mask,
    /// Replace it with `[EMAIL_…]` and 64 bits of a digest.
    Token,
    /// Replace it with 128 bits of a keyed digest, without a label.
    Hash,
}

/// The `config` table of a `sanitize` stage. It contains the key and therefore has no `Debug`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub(crate) pii: Pii,
    pub(crate) key: Option<String>,
    pub(crate) artifacts: Artifacts,
    pub(crate) fields: Vec<String>,
}

/// An action for each kind, and one for the kinds that are not named.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Pii {
    default: Action,
    email: Option<Action>,
    phone: Option<Action>,
    iban: Option<Action>,
    card: Option<Action>,
    ip: Option<Action>,
    mac: Option<Action>,
    ssn: Option<Action>,
    url_credentials: Option<Action>,
}

impl Default for Pii {
    fn default() -> Self {
        Self {
            default: Action::Mask,
            email: None,
            phone: None,
            iban: None,
            card: None,
            ip: None,
            mac: None,
            ssn: None,
            url_credentials: None,
        }
    }
}

impl Pii {
    pub(crate) fn action(&self, kind: Kind) -> Action {
        let named = match kind {
            Kind::Email => self.email,
            Kind::Phone => self.phone,
            Kind::Iban => self.iban,
            Kind::Card => self.card,
            Kind::Ip => self.ip,
            Kind::Mac => self.mac,
            Kind::Ssn => self.ssn,
            Kind::UrlCredentials => self.url_credentials,
        };
        named.unwrap_or(self.default)
    }

    pub(crate) fn keeps_all(&self) -> bool {
        Kind::ALL.iter().all(|kind| self.action(*kind) == Action::Keep)
    }
}

/// All artifacts or none (`true`, `false`), or a switch for each.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "artifacts must be true, false or a table of the switches in the schema")]
pub(crate) enum Artifacts {
    /// `true`: every switch at its default; `false`: every switch off.
    All(bool),
    /// Switches that are not named have their default.
    Each(Switches),
}

/// One switch per artifact.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Switches {
    control: bool,
    zero_width: bool,
    bidi: bool,
    soft_hyphens: bool,
    ligatures: bool,
    hyphenation: bool,
    running_lines: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            control: true,
            zero_width: true,
            bidi: true,
            soft_hyphens: true,
            ligatures: true,
            // The only one that can join what belongs apart.
            hyphenation: false,
            running_lines: true,
        }
    }
}

impl Default for Artifacts {
    fn default() -> Self {
        Self::All(true)
    }
}

impl Artifacts {
    pub(crate) fn switches(self) -> Option<Switches> {
        match self {
            Self::All(true) => Some(Switches::default()),
            Self::All(false) => None,
            Self::Each(switches) => Some(switches),
        }
    }
}

impl Switches {
    pub(crate) fn removes(&self, artifact: Artifact) -> bool {
        match artifact {
            Artifact::Control => self.control,
            Artifact::ZeroWidth => self.zero_width,
            Artifact::Bidi => self.bidi,
            Artifact::SoftHyphens => self.soft_hyphens,
            Artifact::Ligatures => self.ligatures,
            Artifact::Hyphenation => self.hyphenation,
            Artifact::RunningLines => self.running_lines,
        }
    }
}

impl Config {
    pub(crate) fn digester(&self) -> Result<Digester, ConfigFault> {
        let Some(key) = &self.key else {
            return match Kind::ALL.into_iter().find(|kind| self.pii.action(*kind) == Action::Hash) {
                None => Ok(Digester::Plain),
                Some(kind) => Err(ConfigFault::new(
                    "/pii",
                    format!(
                        "\"hash\" for {} needs a key: set `key` to at least {MIN_KEY_BYTES} bytes, or use \"token\"",
                        kind.name()
                    ),
                )),
            };
        };
        let digester = if key.len() < MIN_KEY_BYTES { None } else { Digester::keyed(key) };
        digester.ok_or_else(|| {
            let message =
                format!("the key has fewer than {MIN_KEY_BYTES} bytes and could be guessed: use a longer one");
            ConfigFault::new("/key", message)
        })
    }

    pub(crate) fn pointers(&self) -> Result<Vec<Pointer>, Vec<ConfigFault>> {
        let mut pointers = Vec::new();
        let mut faults = Vec::new();
        for (index, field) in self.fields.iter().enumerate() {
            match Pointer::parse(field) {
                Ok(pointer) => pointers.push(pointer),
                Err(reason) => faults.push(ConfigFault::new(&format!("/fields/{index}"), reason)),
            }
        }
        if faults.is_empty() { Ok(pointers) } else { Err(faults) }
    }
}
