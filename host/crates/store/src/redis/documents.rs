//! What documents have left in the sink, as a hash for each document.

use std::collections::HashMap;

use crate::generation::decode;
use gristmill_core::model::{DocumentId, History, ItemId};
use gristmill_core::ports::{Placed, Remembered};

/// What is remembered, by all fields of the hash.
pub(super) fn found(document: &DocumentId, fields: &HashMap<String, Vec<u8>>) -> Remembered {
    let decoded = |name: &str| fields.get(name).and_then(|given| decode(given));
    let history = History { last: decoded("last"), begun: decoded("begun") };
    let items = fields.keys().filter_map(|field| field.split_once('\0'));
    let placed =
        items.map(|(topic, item)| Placed { topic: topic.into(), item: ItemId::kept(document, item) }).collect();
    Remembered { history, placed }
}
