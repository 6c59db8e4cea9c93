//! Networks, as files write them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A network in CIDR notation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend(
    "pattern" = r"^[0-9a-fA-F:.]+/[0-9]{1,3}$",
    "x-noun" = "network",
    "x-form" = "write ADDRESS/BITS, for example 10.1.0.0/16"
))]
pub struct Network(pub String);
