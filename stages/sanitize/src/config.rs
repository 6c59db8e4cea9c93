//! The configuration: what to do with each kind, what else to look for, which artifacts to remove, where to look.

use gristmill_sdk::ConfigFault;
use serde::Deserialize;

use crate::actions::{Action, Actions};
use crate::artifacts::Artifact;
use crate::pii::{Countries, Deny, Finder, Pattern};
use crate::pointer::Pointer;
use crate::replacement::Digester;

/// A shorter key could be guessed along with the data.
const MIN_KEY_BYTES: usize = 16;
/// A shorter text would be met by chance.
const MIN_DENIED: usize = 2;

/// The `config` table of a `sanitize` stage. It contains the key and therefore has no `Debug`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub(crate) pii: Actions,
    pub(crate) key: Option<String>,
    pub(crate) artifacts: Artifacts,
    pub(crate) fields: Vec<String>,
    pub(crate) always: Vec<String>,
    pub(crate) names: Option<bool>,
    pub(crate) countries: Vec<String>,
    pub(crate) allow: Vec<String>,
    pub(crate) deny: Vec<String>,
    pub(crate) patterns: Vec<Own>,
    pub(crate) record: Record,
    pub(crate) mode: Mode,
    pub(crate) recognise: Option<Recognise>,
}

/// A pattern of one's own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Own {
    name: String,
    regex: String,
    #[serde(default)]
    pub(crate) action: Option<Action>,
}

/// What of the event beside its payload to sanitise.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Record {
    pub(crate) key: bool,
    /// Names of headers; "*" is all of them.
    pub(crate) headers: Vec<String>,
}

/// What to do with what was found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    #[default]
    Replace,
    /// Change nothing and say where it is.
    Report,
}

/// Names and addresses are found by asking a model.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recognise {
    pub(crate) model: Option<String>,
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
            return match self.hashed() {
                None => Ok(Digester::Plain),
                Some(name) => Err(ConfigFault::new(
                    "/pii",
                    format!(
                        "\"hash\" for {name} needs a key: set `key` to at least {MIN_KEY_BYTES} bytes, or use \"token\""
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

    /// The first kind or pattern that is replaced by a hash.
    fn hashed(&self) -> Option<&str> {
        let own = self.patterns.iter().find(|own| own.action == Some(Action::Hash)).map(|own| own.name.as_str());
        self.pii.hashed().or(own)
    }

    pub(crate) fn finder(&self) -> Result<Finder, Vec<ConfigFault>> {
        let mut faults = Vec::new();
        let mut finder = Finder::new();
        match Countries::parse(&self.countries) {
            Ok(countries) => finder.countries = countries,
            Err((place, code)) => {
                let message = format!("{code:?} is not a country: use two capital letters, such as \"DE\"");
                faults.push(ConfigFault::new(&format!("/countries/{place}"), message));
            }
        }
        if let Some(place) = self.deny.iter().position(|text| text.len() < MIN_DENIED) {
            let message = format!("a text to deny has at least {MIN_DENIED} characters");
            faults.push(ConfigFault::new(&format!("/deny/{place}"), message));
        } else if !self.deny.is_empty() {
            finder.deny = Deny::new(&self.deny);
        }
        for (place, own) in self.patterns.iter().enumerate() {
            let is_name = |name: &str| {
                name.starts_with(|c: char| c.is_ascii_lowercase())
                    && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            };
            if !is_name(&own.name)
                || Actions::names().any(|name| name == own.name)
                || matches!(own.name.as_str(), "total" | "findings")
            {
                let message = "use small letters, digits and \"-\", and not the name of a built-in kind";
                faults.push(ConfigFault::new(&format!("/patterns/{place}/name"), message));
            }
            match Pattern::new(&own.name, &own.regex) {
                Ok(pattern) => finder.patterns.push(pattern),
                Err(reason) => faults.push(ConfigFault::new(&format!("/patterns/{place}/regex"), reason)),
            }
        }
        if faults.is_empty() { Ok(finder) } else { Err(faults) }
    }

    pub(crate) fn pointers(&self) -> Result<Vec<Pointer>, Vec<ConfigFault>> {
        pointers("/fields", &self.fields)
    }

    pub(crate) fn always(&self) -> Result<Vec<Pointer>, Vec<ConfigFault>> {
        pointers("/always", &self.always)
    }
}

fn pointers(place: &str, texts: &[String]) -> Result<Vec<Pointer>, Vec<ConfigFault>> {
    let mut pointers = Vec::new();
    let mut faults = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        match Pointer::parse(text) {
            Ok(pointer) => pointers.push(pointer),
            Err(reason) => faults.push(ConfigFault::new(&format!("{place}/{index}"), reason)),
        }
    }
    if faults.is_empty() { Ok(pointers) } else { Err(faults) }
}
