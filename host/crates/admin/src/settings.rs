//! `[admin]` of the host file.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use gristmill_core::settings::{Listen, SecretRef};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;

/// Where the server listens if nobody says otherwise.
pub const DEFAULT: Listen = Listen(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9464));

/// Whether there is an admin server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admin {
    /// There is none.
    Off,
    /// There is one.
    On(AdminSettings),
}

/// How the admin server answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdminSettings {
    /// `"IP:PORT"`. An address that other machines can reach needs a `token`. `--admin` and `GRISTMILL_ADMIN` override it. If
    /// it is not set anywhere and port 9464 is taken, the host takes a free one and logs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-show" = "`\"127.0.0.1:9464\"`"))]
    pub listen: Option<Listen>,
    /// A secret that clients send as `Authorization: Bearer TOKEN`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretRef>,
    /// What `gristmill tap` may show.
    pub tap: Tap,
    /// Whether modules of stages may be sent. What a module may do, the pipeline file says all the same.
    pub push: Push,
}

/// What may be shown of items as they pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline, extend("x-noun" = "kind of tap"))]
pub enum Tap {
    /// Nothing.
    Off,
    /// Ids, sizes, outcomes and the shape of JSON, but no contents.
    #[default]
    Redacted,
    /// Contents too.
    Full,
}

/// Whether modules of stages may be sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline, extend("x-noun" = "choice"))]
pub enum Push {
    /// Yes.
    #[default]
    On,
    /// No: they come from files alone.
    Off,
}

impl Default for Admin {
    fn default() -> Self {
        Self::On(AdminSettings::default())
    }
}

impl Admin {
    /// The same with another address: a command line has the last word on it.
    #[must_use]
    pub fn listen_on(self, listen: Listen) -> Self {
        let settings = match self {
            Self::On(settings) => settings,
            Self::Off => AdminSettings::default(),
        };
        Self::On(AdminSettings { listen: Some(listen), ..settings })
    }
}

/// As a file says it: a table, or `false`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Switch(bool),
    Settings(AdminSettings),
}

impl<'de> Deserialize<'de> for Admin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::Switch(false) => Self::Off,
            Written::Switch(true) => Self::default(),
            Written::Settings(settings) => Self::On(settings),
        })
    }
}

impl Serialize for Admin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_bool(false),
            Self::On(settings) => settings.serialize(serializer),
        }
    }
}

impl JsonSchema for Admin {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Admin".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = AdminSettings::json_schema(generator);
        schema.insert("type".into(), json!(["boolean", "object"]));
        schema.insert("x-form".into(), json!("write a table, or admin = false for none"));
        schema
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Admin> {
        toml::from_str::<toml::Table>(text).unwrap().remove("admin")?.try_into().ok()
    }

    #[test]
    fn the_server_is_on_unless_it_is_switched_off() {
        assert_eq!(read("admin = false"), Some(Admin::Off));
        assert_eq!(read("admin = true"), Some(Admin::default()));
        let on = read("[admin]\nlisten = \"0.0.0.0:80\"\ntap = \"full\"").unwrap();
        let listen = "0.0.0.0:80".parse().unwrap();
        assert_eq!(on, Admin::On(AdminSettings { listen: Some(listen), tap: Tap::Full, ..AdminSettings::default() }));
        assert_eq!(read("[admin]\nlisten = \"nowhere\""), None);
    }

    #[test]
    fn the_command_line_has_the_last_word_on_the_address() {
        let listen = "127.0.0.1:1".parse().unwrap();
        let of_file = AdminSettings { token: Some(SecretRef::Env("T".into())), ..AdminSettings::default() };
        let expected = AdminSettings { listen: Some(listen), ..of_file.clone() };
        assert_eq!(Admin::On(of_file).listen_on(listen), Admin::On(expected));
        let alone = AdminSettings { listen: Some(listen), ..AdminSettings::default() };
        assert_eq!(Admin::Off.listen_on(listen), Admin::On(alone));
    }
}
