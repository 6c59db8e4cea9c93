//! The key under which the outcome of a stage is kept.

use super::deployment::Fingerprint;
use crate::model::{Canonical, Item};
use crate::ports::{Edition, Key};

/// A digest of everything the outcome depends on: the stage's code and configuration, the edition of the job, and the
/// item with its content. If an earlier stage without checkpoints emits something else next time, the key changes too.
/// Do not change the encoding: stores look up outcomes by it.
pub(super) fn key(stage: &str, fingerprint: Fingerprint, edition: Edition, item: &Item) -> Key {
    let mut digest = Canonical::digest("gristmill outcome 2");
    digest.text(stage);
    digest.bytes(&fingerprint.0);
    digest.number(edition.0.into());
    item.encode(&mut digest);
    Key(digest.finish())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::{Attribute, DocumentId, Header, ItemId};

    #[test]
    fn everything_the_outcome_follows_from_distinguishes_keys() {
        let id = ItemId::root(&DocumentId::named(b"d"));
        let base = Item {
            id: id.clone(),
            key: None,
            payload: Bytes::from_static(b"x"),
            content_type: None,
            headers: Vec::new(),
            attributes: Vec::new(),
        };
        let header = |name: &'static str| Header { name: name.into(), value: None };
        let attribute = |name: &str| Attribute { name: name.into(), value: String::new() };
        let items = [
            base.clone(),
            Item { id: id.child("s", 0), ..base.clone() },
            Item { key: Some(Bytes::new()), ..base.clone() },
            Item { payload: Bytes::from_static(b"y"), ..base.clone() },
            Item { content_type: Some(String::new()), ..base.clone() },
            Item { headers: vec![header("h")], ..base.clone() },
            Item { attributes: vec![attribute("h")], ..base.clone() },
        ];
        let mut keys: Vec<Key> = items.iter().map(|item| key("s", Fingerprint([1; 32]), Edition(0), item)).collect();
        keys.push(key("t", Fingerprint([1; 32]), Edition(0), &base));
        keys.push(key("s", Fingerprint([2; 32]), Edition(0), &base));
        keys.push(key("s", Fingerprint([1; 32]), Edition(1), &base));
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count);
        assert!(keys.contains(&key("s", Fingerprint([1; 32]), Edition(0), &base)), "the key is stable");
    }
}
