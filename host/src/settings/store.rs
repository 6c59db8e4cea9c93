//! Keys of `[store]` that must fit each other.

use gristmill_config::Draft;
use gristmill_core::settings::Span;
use gristmill_store::settings::StoreSettings;

/// Reports what does not fit in `[store]`, of a pipeline file or a host file.
pub(super) fn check<F>(file: &mut Draft<F>) {
    let Some(store) = file.part::<StoreSettings>("/store") else { return };
    match store.url {
        Some(_) => {
            for (key, label) in [
                ("folder", "with url there is no file: take one of the two out"),
                ("max_size", "a server has bounds of its own: take this line out"),
            ] {
                let pointer = format!("/store/{key}");
                if file.has(&pointer) {
                    file.report(&pointer, format!("[store] has a url, so {key} means nothing"), label);
                }
            }
        }
        None => {
            for key in ["password", "ca"] {
                let pointer = format!("/store/{key}");
                if file.has(&pointer) {
                    let message = format!("[store] has no url, so {key} means nothing");
                    file.report(&pointer, message, "add url, or take this line out");
                }
            }
        }
    }
    if store.keep_ended > store.keep_unfinished {
        let key = if file.has("/store/keep_unfinished") { "keep_unfinished" } else { "keep_ended" };
        let message = "[store] would keep unfinished jobs for a shorter time than ended ones";
        let (ended, unfinished) = (Span(store.keep_ended), Span(store.keep_unfinished));
        let label = format!("keep_ended is {ended}, keep_unfinished {unfinished}: change one");
        file.report(&format!("/store/{key}"), message, label);
    }
}
