//! The code of stages, each by its name: in memory while a stage uses it, in the cache, or compiled now.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::cache::Cache;
use super::error::Reason;
use super::notes::Notes;

/// How many bytes of code are compiled at a time; a module with more is compiled alone. The compiler needs about 30 times as
/// much memory.
const AT_A_TIME: usize = 4 << 20;

/// A compiled component.
pub(super) struct Code {
    pub(super) component: Component,
    pub(super) notes: Notes,
    /// The same code by the name of its module, held so that stages with other configurations find it in memory.
    pub(super) _whole: Option<Arc<Code>>,
}

/// The code of all stages of a process.
pub(super) struct Codes {
    engine: Engine,
    cache: Cache,
    /// By name. The lock is held only to look a name up; that of a name while its code is made, so that nothing is made
    /// twice.
    by_name: Mutex<HashMap<Arc<str>, Made>>,
    room: Arc<Semaphore>,
}

type Made = Arc<tokio::sync::Mutex<Weak<Code>>>;

/// A part of what may be compiled at a time.
pub(super) struct Room {
    _permit: OwnedSemaphorePermit,
}

impl Codes {
    pub(super) fn new(engine: Engine, cache: Cache) -> Self {
        Self { engine, cache, by_name: Mutex::default(), room: Arc::new(Semaphore::new(AT_A_TIME)) }
    }

    /// The code of this name: what another stage uses, or what `make` makes. May be dropped; then the next one makes it.
    ///
    /// # Errors
    /// Those of `make`.
    pub(super) async fn get(
        &self,
        name: &Arc<str>,
        make: impl AsyncFnOnce() -> Result<Code, Reason>,
    ) -> Result<Arc<Code>, Reason> {
        let made = self.place(name);
        let mut made = made.lock().await;
        if let Some(code) = made.upgrade() {
            return Ok(code);
        }
        let code = Arc::new(make().await?);
        *made = Arc::downgrade(&code);
        Ok(code)
    }

    fn place(&self, name: &Arc<str>) -> Made {
        let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        let is_used =
            |made: &Made| Arc::strong_count(made) > 1 || made.try_lock().is_ok_and(|code| code.strong_count() > 0);
        by_name.retain(|_, made| is_used(made));
        Arc::clone(by_name.entry(Arc::clone(name)).or_default())
    }

    /// Where compiled code is kept. `None` if it is not.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.cache.folder()
    }

    /// Waits until a module with so many bytes of code may be compiled. May be dropped.
    pub(super) async fn room(&self, bytes: usize) -> Option<Room> {
        let wanted = u32::try_from(bytes.clamp(1, AT_A_TIME)).unwrap_or(u32::MAX);
        // Never closed.
        Arc::clone(&self.room).acquire_many_owned(wanted).await.ok().map(|permit| Room { _permit: permit })
    }

    /// The component of this name from the cache, or compiled and cached. `code` is how much of it is code, in bytes.
    ///
    /// # Errors
    /// It does not compile.
    pub(super) async fn compile(&self, name: &Arc<str>, wasm: Bytes, code: usize) -> Result<Component, Reason> {
        let room = self.room(code).await;
        let (engine, cache, name) = (self.engine.clone(), self.cache.clone(), Arc::clone(name));
        blocking(move || {
            let _room = room;
            cache.compile(&engine, &name, &wasm)
        })
        .await?
        .map_err(Reason::Compile)
    }

    /// What is in the cache by this name: the notes, and the component if there is one.
    pub(super) async fn cached(&self, name: &Arc<str>) -> Option<(Notes, Option<Component>)> {
        let (engine, cache, name) = (self.engine.clone(), self.cache.clone(), Arc::clone(name));
        let look = move || cache.notes(&engine, &name).map(|notes| (notes, cache.load(&engine, &name)));
        blocking(look).await.ok().flatten()
    }

    /// Notes something in the cache by this name.
    pub(super) async fn note(&self, name: &Arc<str>, notes: Notes) {
        let (engine, cache, name) = (self.engine.clone(), self.cache.clone(), Arc::clone(name));
        // If it broke, it is found out again at the next start.
        let _ = blocking(move || cache.note(&engine, &name, &notes)).await;
    }
}

/// Does what takes long on a thread for that. If it is dropped, the work goes on, and its result is lost.
///
/// # Errors
/// It panicked, or the process ends.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Reason> {
    tokio::task::spawn_blocking(work).await.map_err(|broke| Reason::Compile(wasmtime::Error::new(broke)))
}
