//! Where in a guest a call ended: the names of its functions, if the component still has them.

use gristmill_core::model::text;
use rustc_demangle::demangle;
use wasmtime::WasmBacktrace;

/// How many functions are named at most, the innermost first.
pub(super) const MOST_FRAMES: usize = 20;
/// How much of a name is shown, in bytes.
const LONGEST_NAME: usize = 140;
/// How long all of it may be, in bytes of JSON: details of a failure that are longer than 4 KiB are left out.
const LONGEST: usize = 3_500;

/// The functions that were running when this error arose, innermost first, as details of a failure:
/// `{"backtrace": ["shout::split", …]}`. `None` if the component has no names.
pub(super) fn details(error: &wasmtime::Error) -> Option<String> {
    let frames = error.downcast_ref::<WasmBacktrace>()?.frames();
    let names: Vec<Option<&str>> = frames.iter().map(|frame| frame.func_name()).collect();
    shown(&names)
}

/// The reasons of an error without the backtrace among them.
pub(super) fn reasons(error: &wasmtime::Error) -> String {
    let backtrace = error.downcast_ref::<WasmBacktrace>().map(ToString::to_string);
    let reasons = error.chain().map(ToString::to_string).filter(|reason| Some(reason) != backtrace.as_ref());
    reasons.collect::<Vec<_>>().join(": ")
}

fn shown(names: &[Option<&str>]) -> Option<String> {
    if names.iter().all(Option::is_none) {
        return None;
    }
    let mut left = LONGEST;
    let mut shown = Vec::new();
    for name in names {
        let name = name.map_or_else(|| "(no name)".to_owned(), plain);
        let size = serde_json::to_string(&name).map_or(usize::MAX, |json| json.len() + 1);
        if size > left {
            break;
        }
        left -= size;
        shown.push(name);
    }
    Some(serde_json::json!({ "backtrace": shown }).to_string())
}

/// A name as its author wrote it: without the hash that rustc adds. Guests choose their names: what a terminal would act on
/// is replaced.
fn plain(name: &str) -> String {
    text::line(&format!("{:#}", demangle(name)), LONGEST_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_source() {
        assert_eq!(plain("_ZN5shout5split17h0123456789abcdefE"), "shout::split");
        let method = "_ZN54_$LT$size_a..Shout$u20$as$u20$gristmill_sdk..Stage$GT$7process17hc4dd93e49b6c7d39E";
        assert_eq!(plain(method), "<size_a::Shout as gristmill_sdk::Stage>::process");
        assert_eq!(plain("_RNvNtCs9pv848UzQwQ_4core9panicking9panic_fmt"), "core::panicking::panic_fmt");
        assert_eq!(plain("shout::here"), "shout::here");
        assert_eq!(plain("shout.command_export"), "shout.command_export");
        assert_eq!(plain("\x1b[2Jhere"), "\u{fffd}[2Jhere");
    }

    #[test]
    fn a_backtrace_is_short_whatever_the_names_are() {
        assert_eq!(shown(&[None, None]), None, "a component without names");
        assert_eq!(shown(&[Some("a"), None]).as_deref(), Some(r#"{"backtrace":["a","(no name)"]}"#));
        let long = "\"\\".repeat(1_000_000);
        let shown = shown(&[Some(&*long); MOST_FRAMES]).unwrap();
        assert!(shown.len() < 4 << 10 && shown.len() > 1_000, "{} bytes", shown.len());
    }
}
