//! Write Gristmill stages in Rust.
//!
//! A stage is a type that implements [`Stage`]; [`stage!`] exports it as a component. Build the crate (a `cdylib`) for
//! `wasm32-wasip2`; the result is the file that a pipeline's `module = "…"` names.
//!
//! ```
//! use gristmill_sdk::{ConfigFault, Descriptor, Event, NoConfig, Outcome, Output, Stage, StageError};
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
//!     fn process(&self, event: Event) -> Result<Outcome, StageError> {
//!         let Some(text) = event.text() else {
//!             return Ok(Outcome::reject("not-utf8", "the payload is not UTF-8 text"));
//!         };
//!         Ok(Outcome::one(Output::from(&event).payload(text.to_uppercase())))
//!     }
//! }
//!
//! gristmill_sdk::stage!(Shout);
//! ```

pub mod context;
pub mod llm;
pub mod log;
mod types;

pub use serde;
pub use serde_json;
pub use types::NoConfig;

/// What `wit-bindgen` makes of the `wit` folder. Use the names re-exported at the top of this crate.
#[doc(hidden)]
#[allow(missing_docs, unsafe_code, clippy::unwrap_used, clippy::all)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "gristmill:stage/llm-stage",
        pub_export_macro: true,
        export_macro_name: "export_bindings",
        additional_derives: [PartialEq],
    });
}

pub use bindings::exports::gristmill::stage::lifecycle::{Branch, ConfigFault, Descriptor, Traits};
pub use bindings::gristmill::stage::types::{
    Attribute, Event, Failure, Header, Outcome, Output, Retry, Source, StageError,
};

/// One stage: a component with one configuration.
///
/// The host makes an instance with [`Stage::new`], hands it items one at a time and throws it away after any trap or
/// time-out; nothing may be remembered between items.
pub trait Stage: Sized + 'static {
    /// What the pipeline file gives under `config`, already checked against the descriptor's schema.
    type Config: serde::de::DeserializeOwned;

    /// Says what this stage is. Called before any configuration is known.
    fn describe() -> Descriptor;

    /// Makes the stage ready for its items; called once per instance.
    ///
    /// # Errors
    /// Faults in the configuration that a schema cannot express, each with a JSON Pointer.
    fn new(config: Self::Config) -> Result<Self, Vec<ConfigFault>>;

    /// Handles one item.
    ///
    /// # Errors
    /// When the stage could not decide: passing trouble, or a fault that will repeat. Bad data is no error but
    /// [`Outcome::reject`].
    fn process(&self, event: Event) -> Result<Outcome, StageError>;
}

/// Parses `config-json` and makes the stage; the fault of a configuration that does not fit the type is reported at "".
///
/// # Errors
/// The faults, as the host's `init` call returns them.
pub fn configure<S: Stage>(config_json: &str) -> Result<S, Vec<ConfigFault>> {
    let config = serde_json::from_str(config_json).map_err(|error| vec![ConfigFault::new("", error.to_string())])?;
    S::new(config)
}

/// Exports a [`Stage`] as a WebAssembly component. On other targets it does nothing, so that unit tests run natively.
#[macro_export]
macro_rules! stage {
    ($stage:ident) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, missing_docs)]
        mod gristmill_component {
            use $crate::bindings::exports::gristmill::stage::{handler, lifecycle};
            use $crate::{ConfigFault, Descriptor, Event, Outcome, Stage, StageError};

            struct Component;

            // An instance is configured once and serves one call at a time, so one cell per thread is all it needs.
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
                fn process(event: Event) -> Result<Outcome, StageError> {
                    STAGE.with(|cell| match cell.get() {
                        Some(stage) => stage.process(event),
                        None => Err(StageError::permanent("not-initialised", "process was called before init")),
                    })
                }
            }

            $crate::bindings::export_bindings!(Component with_types_in $crate::bindings);
        }
    };
}
