//! Where a store is.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use gristmill_core::model::Timestamp;
use gristmill_core::ports::Store;
use gristmill_store::{Postgres, Redis, ServerSettings, Settings, Sqlite, StoreUrl};

pub(crate) enum Place {
    /// The folder of a file.
    Folder(PathBuf),
    /// The address of a server.
    Server(String),
}

impl Place {
    /// Opens the store.
    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        match self {
            Self::Folder(folder) => {
                let now = || {
                    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
                    Timestamp(since.as_millis().try_into().unwrap())
                };
                Arc::new(Sqlite::open(Settings::new(folder, "p", Arc::new(now))).unwrap())
            }
            Self::Server(url) => match url.parse().unwrap() {
                StoreUrl::Postgres(url) => Arc::new(Postgres::open(&url, ServerSettings::new("p")).await.unwrap()),
                StoreUrl::Redis(url) => Arc::new(Redis::open(&url, ServerSettings::new("p")).await.unwrap()),
            },
        }
    }
}
