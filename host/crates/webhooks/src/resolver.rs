//! Where names lead. The only way to a connection: what it gives is what is connected to, so no second answer of a name
//! server can lead elsewhere.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::guard::{BadAddress, Guard, Reach};

/// Asks name servers.
#[async_trait]
pub(crate) trait Lookup: Send + Sync {
    /// The addresses of a name.
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// By the system.
pub(crate) struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookupError {
    #[error(transparent)]
    Refused(#[from] BadAddress),
    #[error("its name leads nowhere: {0}")]
    Failed(#[from] io::Error),
}

/// Gives the addresses of a name if all of them may be told.
pub(crate) struct Resolver {
    pub(crate) guard: Guard,
    pub(crate) reach: Reach,
    pub(crate) lookup: Arc<dyn Lookup>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, reach, lookup) = (self.guard.clone(), self.reach, Arc::clone(&self.lookup));
        Box::pin(async move {
            let addresses = lookup.addresses(name.as_str()).await.map_err(LookupError::from)?;
            // One that may not be told spoils them all: who owns the name wanted us there.
            for address in &addresses {
                guard.admit(reach, *address).map_err(LookupError::from)?;
            }
            // The port is put in by the client.
            let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}
