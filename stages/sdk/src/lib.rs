//! Write Gristmill stages in Rust.
//!
//! A stage is a type that implements [`Stage`]; [`stage!`] exports it as a component. Build the crate (a `cdylib`) for
//! `wasm32-wasip2`; the result is the file that a pipeline's `module = "…"` names.
//!
//! ```
//! use gristmill_sdk::{ConfigFault, Descriptor, Item, NoConfig, Outcome, Output, Stage, StageError};
//!
//! struct Shout;
//!
//! impl Stage for Shout {
//!     type Config = NoConfig;
//!
//!     fn describe() -> Descriptor {
//!         Descriptor::new("shout", "0.1.0", "Upper-cases text").accepts(&["text/*"])
//!     }
//!
//!     fn new(_: NoConfig) -> Result<Self, Vec<ConfigFault>> {
//!         Ok(Shout)
//!     }
//!
//!     fn process(&self, item: Item) -> Result<Outcome, StageError> {
//!         let Some(text) = item.text() else {
//!             return Ok(Outcome::reject("not-utf8", "the payload is not UTF-8 text"));
//!         };
//!         Ok(Outcome::one(Output::from(&item).payload(text.to_uppercase())))
//!     }
//! }
//!
//! gristmill_sdk::stage!(Shout);
//! ```

mod chat;
pub mod context;
pub mod embeddings;
mod error;
pub mod fence;
pub mod http;
mod json;
pub mod llm;
pub mod log;
pub mod metrics;
pub mod prompt;
pub mod schema;
pub mod state;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod tokens;
mod types;

pub use error::StageError;
#[doc(hidden)]
pub use error::to_host;
pub use schemars;
pub use serde;
pub use serde_json;
pub use types::NoConfig;

/// What `wit-bindgen` generates from the `wit` folder. Use the names re-exported at the top of this crate.
#[doc(hidden)]
#[allow(missing_docs, unsafe_code, clippy::unwrap_used, clippy::all)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "gristmill:stage/full-stage",
        pub_export_macro: true,
        export_macro_name: "export_bindings",
        additional_derives: [PartialEq],
    });
}

pub use bindings::exports::gristmill::stage::lifecycle::{Branch, ConfigFault, Descriptor};
pub use bindings::gristmill::stage::types::{Attribute, Failure, Header, Item, Outcome, Output, Retry, Source};

/// One stage: a component with one configuration.
///
/// The host creates an instance with [`Stage::new`], passes it one item at a time and discards it after a trap or
/// timeout; a stage must not remember anything between items.
pub trait Stage: Sized + 'static {
    /// The stage's `config` in the pipeline file, already checked against the descriptor's schema.
    type Config: serde::de::DeserializeOwned;

    /// Describes this stage. Called before any configuration is known.
    fn describe() -> Descriptor;

    /// Creates the stage from its configuration; called once per instance.
    ///
    /// # Errors
    /// The faults in the configuration that a schema cannot express, each with a JSON Pointer.
    fn new(config: Self::Config) -> Result<Self, Vec<ConfigFault>>;

    /// Handles one item.
    ///
    /// # Errors
    /// The stage could not decide, because of a transient failure or one that will repeat; or the data is bad, which
    /// [`Outcome::reject`] says as well.
    fn process(&self, item: Item) -> Result<Outcome, StageError>;

    /// Handles several items of one job, with one result for each in the same order. The host calls it only for a stage
    /// that sets [`Descriptor::max_batch`]; by default it hands each item to [`Stage::process`].
    fn process_batch(&self, items: Vec<Item>) -> Vec<Result<Outcome, StageError>> {
        items.into_iter().map(|item| llm::asking_for(&item.id.clone(), || self.process(item))).collect()
    }
}

/// Parses `config-json` and creates the stage. A configuration that does not fit the type is a fault at "".
///
/// # Errors
/// The faults, as `init` returns them to the host.
pub fn configure<S: Stage>(config_json: &str) -> Result<S, Vec<ConfigFault>> {
    let config = serde_json::from_str(config_json).map_err(|error| vec![ConfigFault::new("", error.to_string())])?;
    S::new(config)
}

/// What a stage answers to a host that calls it before `init`.
#[doc(hidden)]
#[must_use]
pub fn not_initialised() -> StageError {
    StageError::permanent("not-initialised", "an item was handed over before init")
}

/// Exports a [`Stage`] as a WebAssembly component. On other targets it does nothing, so that unit tests run natively.
#[macro_export]
macro_rules! stage {
    ($stage:ident) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, missing_docs)]
        mod gristmill_component {
            use $crate::bindings::exports::gristmill::stage::{batch_handler, handler, lifecycle};
            use $crate::bindings::gristmill::stage::types::StageError;
            use $crate::{ConfigFault, Descriptor, Item, Outcome, Stage};

            struct Component;

            // An instance is configured once and handles one call at a time, so one cell per thread is enough.
            thread_local! {
                static STAGE: std::cell::OnceCell<super::$stage> = const { std::cell::OnceCell::new() };
            }

            impl lifecycle::Guest for Component {
                fn describe() -> Descriptor {
                    <super::$stage as Stage>::describe()
                }

                fn init(config_json: String) -> Result<(), Vec<ConfigFault>> {
                    let stage = $crate::configure::<super::$stage>(&config_json)?;
                    STAGE.with(|cell| cell.set(stage)).map_err(|_| vec![ConfigFault::new("", "init was called twice")])
                }
            }

            impl handler::Guest for Component {
                fn process(item: Item) -> Result<Outcome, StageError> {
                    STAGE.with(|cell| match cell.get() {
                        Some(stage) => $crate::to_host(stage.process(item)),
                        None => $crate::to_host(Err($crate::not_initialised())),
                    })
                }
            }

            impl batch_handler::Guest for Component {
                fn process_batch(items: Vec<Item>) -> Vec<Result<Outcome, StageError>> {
                    STAGE.with(|cell| match cell.get() {
                        Some(stage) => stage.process_batch(items).into_iter().map($crate::to_host).collect(),
                        None => items.iter().map(|_| $crate::to_host(Err($crate::not_initialised()))).collect(),
                    })
                }
            }

            $crate::bindings::export_bindings!(Component with_types_in $crate::bindings);
        }
    };
}
