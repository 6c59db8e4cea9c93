//! Where names lead. The only way to a connection: what it gives is what is connected to, so no second answer of a name
//! server can lead elsewhere.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use gristmill_core::model::network::{Net, is_public};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Asks name servers.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// The addresses of a name.
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// By the system.
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Which addresses may be connected to.
#[derive(Debug, Clone)]
pub(crate) struct Reach(Arc<[Net]>);

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookupError {
    #[error("it leads to an address that is not public; the operator can allow networks by allow_private in the grant")]
    Inside,
    #[error("its name leads nowhere: {0}")]
    Failed(#[from] io::Error),
}

impl Reach {
    /// Public addresses, and those of these networks.
    pub(crate) fn new(allowed: Vec<Net>) -> Self {
        Self(allowed.into())
    }

    pub(crate) fn admit(&self, address: IpAddr) -> Result<(), LookupError> {
        match is_public(address) || self.0.iter().any(|net| net.has(address)) {
            true => Ok(()),
            false => Err(LookupError::Inside),
        }
    }
}

/// Gives the addresses of a name if all of them may be connected to.
pub(crate) struct Resolver {
    pub(crate) reach: Reach,
    pub(crate) lookup: Arc<dyn Lookup>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, lookup) = (self.reach.clone(), Arc::clone(&self.lookup));
        Box::pin(async move {
            let addresses = lookup.addresses(name.as_str()).await.map_err(LookupError::from)?;
            // One that is inside spoils them all: who owns the name wanted us there.
            for address in &addresses {
                reach.admit(*address)?;
            }
            // The port is put in by the client.
            let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}
