//! Finds secrets that were written into a file although they should not be, so that no message shows them.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Parts of key names whose values are secret. Starring out too much does no harm.
const SECRET_NAMES: [&str; 8] =
    ["password", "secret", "access_key", "token", "jaas", "pem", "oauthbearer.config", ".headers."];

/// The spans of string values in these tables that are or may be secrets: keys, passwords, and addresses with something
/// before an "@" or with a password among their parameters.
pub(super) fn secrets(root: &DeTable<'_>, tables: &[String]) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    for (key, value) in root {
        if tables.iter().any(|table| *table == *key.get_ref()) {
            collect("", value, &mut spans);
        }
    }
    spans
}

fn collect(path: &str, value: &Spanned<DeValue<'_>>, spans: &mut Vec<Range<usize>>) {
    match value.get_ref() {
        DeValue::String(text) => {
            let name = path.to_ascii_lowercase();
            let by_name = name.ends_with(".key") || SECRET_NAMES.iter().any(|part| name.contains(part));
            // References to secrets may be shown.
            let reference = name.ends_with(".env") || name.ends_with(".file");
            if (by_name && !reference) || (text.contains("://") && (text.contains('@') || text.contains("password="))) {
                spans.push(value.span());
            }
        }
        DeValue::Array(array) => array.iter().for_each(|element| collect(path, element, spans)),
        DeValue::Table(table) => {
            for (key, value) in table {
                collect(&format!("{path}.{}", key.get_ref()), value, spans);
            }
        }
        _ => {}
    }
}
