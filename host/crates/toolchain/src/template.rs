//! Templates: folders of files with a few words to fill in, embedded in the binary.

use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use super::name::Name;

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// What is filled in for `{{name}}`, `{{type}}` and `{{sdk}}`.
pub(crate) struct Words<'a> {
    /// The stage's name; its type's name follows from it.
    pub(crate) name: &'a Name,
    /// The path from the stage's folder to the SDK's crate.
    pub(crate) sdk: &'a str,
}

/// The files of a template, by their paths below its folder, in the order of these.
pub(crate) fn files(template: &str, words: &Words<'_>) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    if let Some(folder) = TEMPLATES.get_dir(template) {
        collect(folder, folder.path(), words, &mut files);
    }
    files.sort();
    files
}

fn collect(folder: &Dir<'_>, root: &Path, words: &Words<'_>, files: &mut Vec<(PathBuf, String)>) {
    for file in folder.files() {
        let path = file.path().strip_prefix(root).unwrap_or(file.path());
        // What is embedded is text; a test holds that.
        let text = file.contents_utf8().unwrap_or_default();
        let path = fill(&path.to_string_lossy(), words);
        files.push((path.into(), fill(text, words)));
    }
    for below in folder.dirs() {
        collect(below, root, words, files);
    }
}

fn fill(text: &str, words: &Words<'_>) -> String {
    text.replace("{{name}}", words.name.as_str())
        .replace("{{type}}", &words.name.type_name())
        .replace("{{sdk}}", words.sdk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_text_and_filled_in_completely() {
        let name = "my-stage".parse().unwrap();
        let words = Words { name: &name, sdk: "../sdk" };
        for template in TEMPLATES.dirs() {
            let template = template.path().to_str().unwrap();
            let files = files(template, &words);
            assert!(!files.is_empty(), "{template}");
            for (path, text) in files {
                assert!(!text.is_empty(), "{template}: {} is empty, or no text", path.display());
                let left = text.contains("{{") || path.to_string_lossy().contains("{{");
                assert!(!left, "{template}: {} has words that nobody fills in", path.display());
            }
        }
    }
}
