//! Where a store is.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::SystemTime;

use gristmill_core::model::Timestamp;
use gristmill_core::ports::{JobBook, Store};
use gristmill_store::{Postgres, Redis, ServerSettings, Settings, Sqlite, StoreUrl};

const FOLDER: &str = "GRISTMILL_TEST_STORE_FOLDER";
const URL: &str = "GRISTMILL_TEST_STORE_URL";

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
            Self::Folder(folder) => Arc::new(file(folder)),
            Self::Server(url) => match url.parse().unwrap() {
                StoreUrl::Postgres(url) => Arc::new(Postgres::open(&url, ServerSettings::new("p")).await.unwrap()),
                StoreUrl::Redis(url) => Arc::new(Redis::open(&url, ServerSettings::new("p")).await.unwrap()),
            },
        }
    }

    /// Opens the records of jobs.
    pub(crate) async fn open_book(&self) -> Arc<dyn JobBook> {
        match self {
            Self::Folder(folder) => Arc::new(file(folder)),
            Self::Server(url) => match url.parse().unwrap() {
                StoreUrl::Postgres(url) => Arc::new(Postgres::open(&url, ServerSettings::new("p")).await.unwrap()),
                StoreUrl::Redis(url) => Arc::new(Redis::open(&url, ServerSettings::new("p")).await.unwrap()),
            },
        }
    }

    /// Where it is, for a process of its own.
    pub(crate) fn tell(&self, command: &mut Command) {
        match self {
            Self::Folder(folder) => command.env(FOLDER, folder),
            Self::Server(url) => command.env(URL, url),
        };
    }

    /// Where such a process was told that it is.
    pub(crate) fn told() -> Option<Self> {
        match (std::env::var_os(FOLDER), std::env::var(URL)) {
            (Some(folder), _) => Some(Self::Folder(folder.into())),
            (None, Ok(url)) => Some(Self::Server(url)),
            (None, Err(_)) => None,
        }
    }
}

fn file(folder: &Path) -> Sqlite {
    let now = || {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Timestamp(since.as_millis().try_into().unwrap())
    };
    Sqlite::open(Settings::new(folder, "p", Arc::new(now))).unwrap()
}
