//! What the pipelines of a host share of a model server: one bound of concurrent calls for each address and key, and for
//! each model there its limits, its standing and its recent results.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use gristmill_core::model::{Canonical, Ledger};

use crate::gate::Gate;
use crate::permits::{Limit, Share};
use crate::settings::SecretRef;
use crate::standing::Asked;

/// What a bound of concurrent calls belongs to: an address and the key used there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Account {
    pub(crate) base_url: String,
    pub(crate) key: Option<SecretRef>,
}

/// A model at an account, asked with one key. The limits and results of another model, or of a key that was changed since,
/// say nothing about it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    pub(crate) base_url: String,
    pub(crate) model: String,
    /// SHA-256 of the key.
    pub(crate) key: Option<[u8; 32]>,
}

impl Endpoint {
    /// What its limits are called where hosts count them together: the same on all, and nothing of the key.
    pub(crate) fn counted_as(&self) -> Arc<str> {
        let Self { base_url, model, key } = self;
        let mut digest = Canonical::digest("gristmill limit 1");
        digest.text(base_url);
        digest.text(model);
        digest.optional(key.as_ref(), |to, key| to.bytes(key));
        let mut name = "limit/".to_owned();
        for byte in digest.finish() {
            let _ = write!(name, "{byte:02x}");
        }
        name.into()
    }
}

/// The recent results of an endpoint. Locked because many calls note theirs; never held across a wait.
pub(crate) type Results = Mutex<Ledger>;

/// The limits of a host, each kept as long as a target uses it.
#[derive(Default)]
pub struct Limits {
    concurrent: Shared<Account, Limit>,
    gates: Shared<Endpoint, Gate>,
    results: Shared<Endpoint, Results>,
}

/// Things by what they belong to, as long as somebody uses them. Locked because pipelines are built concurrently.
struct Shared<K, V>(Mutex<HashMap<K, Weak<V>>>);

impl<K: Eq + Hash, V: Default> Shared<K, V> {
    fn of(&self, key: K) -> Arc<V> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, kept| kept.strong_count() > 0);
        if let Some(kept) = all.get(&key).and_then(Weak::upgrade) {
            return kept;
        }
        let new = Arc::<V>::default();
        all.insert(key, Arc::downgrade(&new));
        new
    }
}

impl<K: Clone, V> Shared<K, V> {
    /// All that somebody uses, in no order.
    fn all(&self) -> Vec<(K, Arc<V>)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter_map(|(key, kept)| Some((key.clone(), kept.upgrade()?))).collect()
    }
}

impl<K, V> Default for Shared<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// A model at an address, as calls find it now.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetNow {
    /// The address.
    pub address: String,
    /// The model.
    pub model: String,
    /// Whether it is asked.
    pub asked: Asked,
    /// The limits that this host counts by itself, by their keys: its part, and what may be taken of it at once.
    pub limits: Vec<(&'static str, f64, f64)>,
}

impl Limits {
    /// All models that pipelines ask, in order. One that is asked with several keys is there for each.
    #[must_use]
    pub fn targets(&self) -> Vec<TargetNow> {
        let target = |(endpoint, gate): (Endpoint, Arc<Gate>)| {
            let (asked, limits) = gate.look();
            TargetNow { address: endpoint.base_url, model: endpoint.model, asked, limits }
        };
        let mut targets: Vec<TargetNow> = self.gates.all().into_iter().map(target).collect();
        targets.sort_by(|one, other| (&one.address, &one.model).cmp(&(&other.address, &other.model)));
        targets
    }

    /// A share in the concurrent calls of an account.
    pub(crate) fn concurrent(&self, account: Account, max_concurrent: usize) -> Share {
        Share::of(self.concurrent.of(account), max_concurrent)
    }

    /// The way into an endpoint.
    pub(crate) fn gate(&self, endpoint: Endpoint) -> Arc<Gate> {
        self.gates.of(endpoint)
    }

    /// The results of an endpoint.
    pub(crate) fn results(&self, endpoint: Endpoint) -> Arc<Results> {
        self.results.of(endpoint)
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Limits(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(key: &str) -> Account {
        Account { base_url: "https://h/v1".into(), key: Some(SecretRef::Env(key.into())) }
    }

    #[tokio::test]
    async fn two_pipelines_with_one_key_share_one_bound_of_calls() {
        let limits = Limits::default();
        let (one, two) = (limits.concurrent(account("A"), 8), limits.concurrent(account("A"), 3));
        assert_eq!((one.most(), two.most()), (3, 3));
        assert_eq!(limits.concurrent(account("B"), 8).most(), 8, "another key is another account");
        drop((one, two));
        assert_eq!(limits.concurrent(account("A"), 8).most(), 8, "what nobody uses is forgotten");
        assert_eq!(limits.concurrent.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn models_that_are_asked_can_be_looked_at() {
        let limits = Limits::default();
        let endpoint = |model: &str| Endpoint { base_url: "https://h/v1".into(), model: model.into(), key: None };
        let _asked = (limits.gate(endpoint("n")), limits.gate(endpoint("m")));
        drop(limits.gate(endpoint("gone")));
        let names: Vec<String> = limits.targets().into_iter().map(|target| target.model).collect();
        assert_eq!(names, ["m", "n"]);
        assert_eq!(limits.targets()[0].asked, Asked::Open);
    }

    #[test]
    fn only_one_model_asked_with_one_key_has_one_record_of_results_and_one_gate() {
        let limits = Limits::default();
        let endpoint = |model: &str, key| Endpoint { base_url: "https://h/v1".into(), model: model.into(), key };
        let names =
            [("m", None), ("n", None), ("m", Some([0x11; 32]))].map(|(model, key)| endpoint(model, key).counted_as());
        assert!(names[0] != names[1] && names[0] != names[2] && !names[2].contains("1111"), "{names:?}");
        let (one, gate) = (limits.results(endpoint("m", None)), limits.gate(endpoint("m", None)));
        assert!(Arc::ptr_eq(&one, &limits.results(endpoint("m", None))));
        assert!(Arc::ptr_eq(&gate, &limits.gate(endpoint("m", None))));
        assert!(!Arc::ptr_eq(&one, &limits.results(endpoint("n", None))));
        assert!(!Arc::ptr_eq(&one, &limits.results(endpoint("m", Some([0; 32])))));
    }
}
