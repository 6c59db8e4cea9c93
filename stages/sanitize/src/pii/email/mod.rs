//! E-mail addresses of all scripts, with what is written for "@" and "." in URLs, markup and to hide them from robots.

mod domain;
mod local;
mod signs;

use std::ops::Range;

use memchr::memmem;

use super::survey::{Class, Survey};
use crate::kind::Kind;
use crate::sweep::Sweep;
use signs::{At, COMMON, Style};

/// Reports the addresses. Every sign is a candidate: the text to its left and right is read as far as it fits.
pub(super) fn scan(text: &str, survey: &Survey, report: &mut dyn FnMut(Kind, Range<usize>)) {
    let mut from = 0;
    for at in candidates(text, survey) {
        let local_end = at.range.start;
        if local_end < from {
            continue;
        }
        let Some(end) = domain::end(text, at.range.end, at.style) else { continue };
        let last = text[..end].rsplit([' ', '.']).next().unwrap_or_default();
        if at.style == Style::Words && !COMMON.iter().any(|common| last.eq_ignore_ascii_case(common)) {
            continue;
        }
        let Some(start) = local::start(text, from, local_end) else { continue };
        if is_address(text, start..local_end, at.range.end..end) {
            report(Kind::Email, start..end);
            from = end;
        }
    }
}

/// Everything that may stand for an "@", in order.
fn candidates(text: &str, survey: &Survey) -> Vec<At> {
    let bytes = text.as_bytes();
    let class = |eight: crate::sweep::Eight| {
        let signs = eight.within(b'%', b'(').or(eight.within(b'<', b'@'));
        signs.or(eight.within(b'[', b'\\')).or(eight.equal(b'{'))
    };
    let mut all: Vec<At> = match survey.has(Class::SIGN) {
        true => Sweep::new(bytes, class).filter_map(|place| signs::at(text, place)).collect(),
        false => memchr::memchr3_iter(b'(', b'[', b'{', bytes).filter_map(|place| signs::at(text, place)).collect(),
    };
    // Spelled with words only, both of them must be there.
    if survey.spells_dot() {
        for word in [" at ", " AT "] {
            all.extend(
                memmem::find_iter(bytes, word.as_bytes())
                    .map(|place| At { range: place..place + word.len(), style: Style::Words }),
            );
        }
        all.sort_by_key(|at| at.range.start);
    }
    all
}

/// Whether it is not the name of a file, a package, a repository or a time.
fn is_address(text: &str, local: Range<usize>, domain: Range<usize>) -> bool {
    let after = &text[domain.end..];
    let before = &text[..local.start];
    let local = &text[local];
    let is_repository =
        matches!(local, "git" | "svn" | "hg") && (after.starts_with([':', '/']) || before.ends_with('/'));
    // `deploy@host.example:/var/www` is a place to copy to.
    let is_copy = after.strip_prefix(':').is_some_and(|path| {
        let path = path.split(|c: char| c.is_whitespace()).next().unwrap_or_default();
        path.starts_with(['/', '~'])
            || (path.starts_with(|c: char| c.is_ascii_alphabetic()) && path.contains('/') && path.contains(".git"))
    });
    let is_time = local.bytes().all(|byte| byte.is_ascii_digit())
        && before.strip_suffix(':').is_some_and(|before| before.ends_with(|c: char| c.is_ascii_digit()));
    !(is_repository || is_copy || is_time || domain::is_file_or_version(&text[domain]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut all = Vec::new();
        scan(text, &Survey::of(text), &mut |_, range| all.push(&text[range]));
        all
    }

    #[test]
    fn addresses_are_found_in_all_forms() {
        for address in [
            "info@presidio.site",
            "first.last+tag@mail.example.co.uk",
            "o'brien@example.ie",
            "x_y-z%n@sub-domain.example.museum",
            "4711@example.com",
            "müller@bücher.example",
            "почта@пример.рф",
            "joe@xn--bcher-kva.xn--p1ai",
            "joe%40example.com",
            "JOE@EXAMPLE.COM",
            "joe%2540example.com",
            "mia=40example.com",
            "mia&commat;example&period;com",
            "mia&#64;example&#46;com",
            "mia [at] example [dot] com",
            "mia.lund(at)example(dot)com",
            "mia[at]example.com",
            "mia at example dot com",
            "mia@example[.]com",
            "mia[@]example.com",
            "rene\u{301}@example.com",
            "张伟@例子.中国",
            "mia.lund@\nexample.com",
            "\"mia lund\"@example.com",
            "user!nick#1@example.com",
            "a{b}c|d@example.com",
            "customer/department=shipping@example.com",
            "mia.@example.com",
            "mia\\u0040example.com",
            "mia\\x40example.com",
            "mia&#0064;example.com",
            "mia(a)example.de",
            "mia@exa_mple.com",
        ] {
            assert_eq!(found(address), [address]);
            assert_eq!(found(&format!("to <{address}>, or {address}.")), [address, address]);
        }
    }

    #[test]
    fn the_text_around_an_address_is_not_part_of_it() {
        assert_eq!(found("mailto:joe@example.com?subject=x"), ["joe@example.com"]);
        assert_eq!(found("email='joe@example.com'"), ["joe@example.com"]);
        assert_eq!(found("..joe@example.com..."), ["joe@example.com"]);
        assert_eq!(found("joe@example.com-or-so"), ["joe@example.com"]);
        assert_eq!(found("joe@example.com_x"), ["joe@example.com"]);
        assert_eq!(found("https://shop.example/u/joe@example.com"), ["joe@example.com"]);
        assert_eq!(found("name|joe@example.com|42"), ["joe@example.com"]);
        assert_eq!(found("?to=joe@example.com&x=1"), ["joe@example.com"]);
        assert_eq!(found("**joe@example.com** `joe@example.com`"), ["joe@example.com", "joe@example.com"]);
        assert_eq!(found("请联系joe@example.com谢谢"), ["joe@example.com"]);
        assert_eq!(found("a@b.de,c@d.de;e@f.de"), ["a@b.de", "c@d.de", "e@f.de"]);
    }

    #[test]
    fn text_that_only_has_an_at_sign_is_not_found() {
        for text in [
            "info@presidio.",
            "@handle",
            "@scope/package@1.2.3",
            "react@18.2.0",
            "user@localhost",
            "joe@192.168.0.1",
            "icon@2x.png",
            "a @ b.de",
            "a@b.c",
            "joe@.com",
            "joe@-x.com",
            "3 @ 4.50",
            "100%40 of",
            "@@@@",
            "git@github.com:org/repo.git",
            "sprite@2x-dark.png",
            "img@1.5x.webp",
            "style@print.css",
            "10:30@Main.St",
            "svc@sha256:abcd",
            "look at the dot here",
            "x=40.5",
            "pkg@1.0.0-beta.rc",
            "deploy@host.example:/var/www",
            "${user}@example.com",
            "getty@tty1.service",
            "f(a)value.next",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }
}
