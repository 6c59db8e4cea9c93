//! What no single key of a host file can be wrong about: tables that must fit each other.

use gristmill_api::ApiSettings;
use gristmill_config::Draft;
use gristmill_core::settings::Span;
use gristmill_objects::ObjectSettings;
use gristmill_store::settings::StoreSettings;

/// Reports everything that does not fit. Looks only at what is good by itself.
pub(super) fn check<T>(file: &mut Draft<T>) {
    without_api(file);
    who_may_ask(file);
    objects(file);
}

fn without_api<T>(file: &mut Draft<T>) {
    if file.has("/api") {
        return;
    }
    for (table, what) in [
        ("/auth", "[auth] is there, but there is no API to let anybody into"),
        ("/webhooks", "[webhooks] is there, but without the API no job has any"),
    ] {
        if file.has(table) {
            file.report(table, what, "add [api] with listen = \"127.0.0.1:8080\", or take the table out");
        }
    }
}

fn who_may_ask<T>(file: &mut Draft<T>) {
    let Some(api) = file.part::<ApiSettings>("/api") else { return };
    let has_tokens = file.has("/auth");
    if has_tokens && api.anyone {
        let message = "anyone = true lets everybody in, but [auth] wants tokens";
        file.report("/api/anyone", message, "take one of the two out");
    }
    if is_open(&api, has_tokens) {
        let message =
            format!("the API would listen on {}, which other machines can reach, and let everybody in", api.listen);
        file.report("/api/listen", message, OPEN);
    }
}

/// The ways out for an API that is open.
const OPEN: &str = "add [auth], listen on 127.0.0.1, or say anyone = true if everybody may";

/// Whether everybody on other machines would be let in although nobody has said so.
#[must_use]
pub fn is_open(api: &ApiSettings, has_tokens: bool) -> bool {
    !has_tokens && !api.anyone && !api.listen.0.ip().is_loopback()
}

fn objects<T>(file: &mut Draft<T>) {
    if file.has("/objects/folder") && file.has("/objects/s3") {
        file.report("/objects/s3", "[objects] has a folder and a bucket", "take one of the two out");
    }
    let Some(objects) = file.part::<ObjectSettings>("/objects") else { return };
    let store = match file.has("/store") {
        true => file.part::<StoreSettings>("/store"),
        false => Some(StoreSettings::default()),
    };
    let Some(store) = store else { return };
    if objects.keep < store.keep_unfinished {
        let at = if file.has("/objects/keep") { "/objects/keep" } else { "/store/keep_unfinished" };
        let (keep, unfinished) = (Span(objects.keep), Span(store.keep_unfinished));
        let message = "[objects] would keep payloads for a shorter time than [store] keeps unfinished jobs";
        file.report(at, message, format!("objects.keep is {keep}, store.keep_unfinished {unfinished}: change one"));
    }
}
