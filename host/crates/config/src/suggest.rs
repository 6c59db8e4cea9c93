//! "Did you mean": the known word nearest to a mistyped one.

use strsim::osa_distance;

/// The word in `known` nearest to `word`, if it is near enough to be what was meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    let enough = (length / 3).max(1).min(length.saturating_sub(1));
    known
        .into_iter()
        .map(|candidate| (osa_distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= enough)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_is_suggested() {
        let known = ["topic", "group", "start", "content_type"];
        assert_eq!(nearest("topics", known), Some("topic"));
        assert_eq!(nearest("gorup", known), Some("group"), "two swapped letters are one mistake");
        assert_eq!(nearest("content-type", known), Some("content_type"));
        assert_eq!(nearest("x", ["a", "b"]), None);
        assert_eq!(nearest("offset", known), None);
    }
}
