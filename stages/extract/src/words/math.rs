//! Formulas of Office (OMML) as one line of text: `10^6`, `(a+b)/2`, `√(x+1)`, `∑_(i=1)^n i`.
//!
//! Formulas are read event by event onto a stack of open structures; below [`DEEPEST`] structures are only read for their
//! letters.

use quick_xml::events::BytesStart;

use crate::package::{attribute, is_on};

const DEEPEST: usize = 32;

/// What is open: a structure, or one of its slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    Formula,
    Fraction,
    Super,
    Sub,
    SubSuper,
    Before,
    Root,
    Sum,
    Brackets,
    Matrix,
    Row,
    Lines,
    Function,
    Below,
    Above,
    Accent,
    Hidden,
    Slot(&'static str),
}

#[derive(Debug)]
struct Open {
    node: Node,
    /// The text of a slot.
    text: String,
    /// The slots of a structure that are complete.
    slots: Vec<(&'static str, String)>,
    /// The letters that its properties name: the sign of a sum, brackets and what is between.
    letter: Option<String>,
    begin: Option<String>,
    end: Option<String>,
    separator: Option<String>,
    is_shown: bool,
    /// A fraction came last: what follows must not become a part of its denominator.
    after_fraction: bool,
}

/// A formula being read.
#[derive(Debug, Default)]
pub(crate) struct Formula {
    open: Vec<Open>,
    /// Open elements below the deepest structure.
    ignored: usize,
}

impl Formula {
    /// An element begins.
    pub(crate) fn start(&mut self, name: &str, tag: &BytesStart<'_>) {
        if self.open.is_empty() {
            self.open.push(Open::new(Node::Formula));
        }
        if let Some(node) = node(name) {
            match self.open.len() < DEEPEST && self.ignored == 0 {
                true => self.open.push(Open::new(node)),
                false => self.ignored += 1,
            }
            return;
        }
        let Some(open) = self.open.last_mut() else {
            return;
        };
        let value = || attribute(tag, "val");
        match name {
            "chr" => open.letter = Some(value().unwrap_or_default()),
            "begChr" => open.begin = Some(value().unwrap_or_default()),
            "endChr" => open.end = Some(value().unwrap_or_default()),
            "sepChr" => open.separator = Some(value().unwrap_or_default()),
            "type" if value().as_deref() == Some("noBar") => open.letter = Some("noBar".into()),
            "show" if open.node == Node::Hidden => open.is_shown = is_on(tag),
            _ => {}
        }
    }

    /// An element ends.
    pub(crate) fn end(&mut self, name: &str) {
        if node(name).is_none() {
            return;
        }
        if self.ignored > 0 {
            self.ignored -= 1;
            return;
        }
        if self.open.len() < 2 {
            return;
        }
        let Some(closed) = self.open.pop() else {
            return;
        };
        let Some(around) = self.open.last_mut() else {
            return;
        };
        // Letters of structures too deep to be read.
        if !matches!(closed.node, Node::Slot(_)) {
            around.push(closed.text.trim());
        }
        match closed.node {
            Node::Slot(slot) => around.slots.push((slot, closed.text.trim().to_owned())),
            Node::Row => {
                let cells: Vec<String> = closed.slots.into_iter().map(|(_, text)| text).collect();
                around.slots.push(("row", cells.join(", ")));
            }
            Node::Fraction => {
                if around.text.ends_with(|last: char| last.is_alphanumeric()) {
                    around.text.push(' ');
                }
                around.text.push_str(&closed.written());
                around.after_fraction = true;
            }
            _ => around.push(&closed.written()),
        }
    }

    /// Letters of the formula.
    pub(crate) fn push(&mut self, text: &str) {
        if self.open.is_empty() {
            self.open.push(Open::new(Node::Formula));
        }
        if let Some(open) = self.open.last_mut() {
            open.push(text);
        }
    }

    /// The formula as text.
    pub(crate) fn finish(mut self) -> String {
        // What is still open was not closed by the file: keep its letters.
        let mut text = String::new();
        for open in self.open.drain(..) {
            text.push_str(&open.text);
            open.slots.iter().for_each(|(_, slot)| text.push_str(slot));
        }
        text.trim().to_owned()
    }
}

impl Open {
    fn new(node: Node) -> Self {
        Self {
            node,
            text: String::new(),
            slots: Vec::new(),
            letter: None,
            begin: None,
            end: None,
            separator: None,
            is_shown: true,
            after_fraction: false,
        }
    }

    fn push(&mut self, text: &str) {
        if self.after_fraction && text.starts_with(char::is_alphanumeric) {
            self.text.push(' ');
        }
        self.after_fraction &= text.is_empty();
        self.text.push_str(text);
    }

    fn slot(&self, name: &str) -> &str {
        self.slots.iter().find(|(slot, _)| *slot == name).map(|(_, text)| text.as_str()).unwrap_or_default()
    }

    fn joined(&self, separator: &str) -> String {
        self.slots.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(separator)
    }

    /// The structure as text.
    fn written(&self) -> String {
        let base = || self.slot("e");
        let raised = |mark: &str, slot: &str| match self.slot(slot) {
            "" => String::new(),
            text => format!("{mark}{}", group(text)),
        };
        match self.node {
            Node::Fraction if self.letter.is_some() => format!("({} over {})", self.slot("num"), self.slot("den")),
            Node::Fraction => format!("{}/{}", group(self.slot("num")), group(self.slot("den"))),
            Node::Super => format!("{}{}", group(base()), raised("^", "sup")),
            Node::Sub => format!("{}{}", group(base()), raised("_", "sub")),
            Node::SubSuper => format!("{}{}{}", group(base()), raised("_", "sub"), raised("^", "sup")),
            Node::Before => format!("{}{}{}", raised("_", "sub"), raised("^", "sup"), base()),
            Node::Root => match self.slot("deg") {
                "" | "2" => format!("√{}", group(base())),
                "3" => format!("∛{}", group(base())),
                "4" => format!("∜{}", group(base())),
                degree => format!("root({degree}, {})", base()),
            },
            Node::Sum => {
                let sign = self.letter.as_deref().unwrap_or("∫");
                format!("{sign}{}{} {}", raised("_", "sub"), raised("^", "sup"), base())
            }
            Node::Brackets => {
                let begin = self.begin.as_deref().unwrap_or("(");
                let end = self.end.as_deref().unwrap_or(")");
                format!("{begin}{}{end}", self.joined(self.separator.as_deref().unwrap_or("|")))
            }
            Node::Matrix | Node::Lines => self.joined("; "),
            Node::Function => {
                let name = self.slot("fName");
                let space = if base().starts_with(['(', '[', '{']) { "" } else { " " };
                format!("{name}{space}{}", base())
            }
            Node::Below => format!("{}{}", base(), raised("_", "lim")),
            Node::Above => format!("{}{}", base(), raised("^", "lim")),
            Node::Accent => match base().chars().count() {
                1 => format!("{}{}", base(), self.letter.as_deref().unwrap_or("\u{302}")),
                _ => base().to_owned(),
            },
            Node::Hidden => {
                if self.is_shown {
                    base().to_owned()
                } else {
                    String::new()
                }
            }
            Node::Formula | Node::Row | Node::Slot(_) => String::new(),
        }
    }
}

fn node(name: &str) -> Option<Node> {
    Some(match name {
        "f" => Node::Fraction,
        "sSup" => Node::Super,
        "sSub" => Node::Sub,
        "sSubSup" => Node::SubSuper,
        "sPre" => Node::Before,
        "rad" => Node::Root,
        "nary" => Node::Sum,
        "d" => Node::Brackets,
        "m" => Node::Matrix,
        "mr" => Node::Row,
        "eqArr" => Node::Lines,
        "func" => Node::Function,
        "limLow" => Node::Below,
        "limUpp" => Node::Above,
        "acc" => Node::Accent,
        "phant" | "bar" | "box" | "borderBox" | "groupChr" => Node::Hidden,
        "e" => Node::Slot("e"),
        "num" => Node::Slot("num"),
        "den" => Node::Slot("den"),
        "sup" => Node::Slot("sup"),
        "sub" => Node::Slot("sub"),
        "deg" => Node::Slot("deg"),
        "lim" => Node::Slot("lim"),
        "fName" => Node::Slot("fName"),
        _ => return None,
    })
}

/// Text in brackets, unless it is a single sign, number or name, or has brackets around all of it.
pub(crate) fn group(text: &str) -> String {
    let simple = text.strip_prefix(['-', '−', '+']).unwrap_or(text);
    let is_letter = simple.chars().nth(1).is_none();
    match is_letter
        || simple.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '.' | ',' | '\'' | '′' | '∞' | '*'))
        || is_bracketed(text)
    {
        true => text.to_owned(),
        false => format!("({text})"),
    }
}

fn is_bracketed(text: &str) -> bool {
    let (mut depth, mut closings) = (0_usize, 0_usize);
    for letter in text.chars() {
        match letter {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => {
                depth = depth.saturating_sub(1);
                closings += usize::from(depth == 0);
            }
            _ => {}
        }
    }
    text.starts_with(['(', '[', '{']) && text.ends_with([')', ']', '}']) && closings == 1 && depth == 0
}

#[cfg(test)]
mod tests {
    use quick_xml::events::Event;

    use super::*;

    fn text(formula: &str) -> String {
        let xml = format!("<oMath>{formula}</oMath>");
        let mut reader = quick_xml::Reader::from_str(&xml);
        reader.config_mut().expand_empty_elements = true;
        let mut out = Formula::default();
        loop {
            match reader.read_event().unwrap() {
                Event::Start(tag) => out.start(tag.local_name().as_ref(), &tag),
                Event::End(tag) => out.end(tag.local_name().as_ref()),
                Event::Text(text) => out.push(&text.xml10_content()),
                Event::Eof => return out.finish(),
                _ => {}
            }
        }
    }

    #[test]
    fn structures_become_a_line_that_reads_the_same() {
        for (formula, expected) in [
            ("<sSup><e>10</e><sup>6</sup></sSup>", "10^6"),
            ("<sSup><e>10</e><sup>-6</sup></sSup>", "10^-6"),
            ("<sSup><e>a+b</e><sup>n+1</sup></sSup>", "(a+b)^(n+1)"),
            ("<sSub><e>x</e><sub>1</sub></sSub>", "x_1"),
            ("<f><num>12</num><den>5</den></f>", "12/5"),
            ("1<f><num>1</num><den>2</den></f>m", "1 1/2 m"),
            ("<f><num>a+b</num><den>2c</den></f>", "(a+b)/2c"),
            ("<rad><radPr><degHide val='1'/></radPr><deg/><e>x+1</e></rad>", "√(x+1)"),
            ("<rad><deg>5</deg><e>x</e></rad>", "root(5, x)"),
            ("<nary><naryPr><chr val='∑'/></naryPr><sub>i=1</sub><sup>n</sup><e>i</e></nary>", "∑_(i=1)^n i"),
            ("<nary><sub>0</sub><sup>1</sup><e>x dx</e></nary>", "∫_0^1 x dx"),
            ("f<d><e>x</e></d>", "f(x)"),
            ("<d><dPr><begChr val='['/><sepChr val=';'/><endChr val=']'/></dPr><e>1</e><e>2</e></d>", "[1;2]"),
            ("<d><e><m><mr><e>a</e><e>b</e></mr><mr><e>c</e><e>d</e></mr></m></e></d>", "(a, b; c, d)"),
            ("<func><fName>sin</fName><e>x</e></func>", "sin x"),
            ("<func><fName><limLow><e>lim</e><lim>x→0</lim></limLow></fName><e>x</e></func>", "lim_(x→0) x"),
            ("<acc><accPr><chr val='\u{303}'/></accPr><e>n</e></acc>", "ñ"),
            ("<phant><phantPr><show val='0'/></phantPr><e>secret</e></phant>x", "x"),
            ("<bar><e>x</e></bar>", "x"),
            ("<sSup><e><d><e>a</e></d></e><sup>2</sup></sSup>", "(a)^2"),
            ("<sSup><e>(a)(b)</e><sup>2</sup></sSup>", "((a)(b))^2"),
        ] {
            assert_eq!(text(formula).replace("n\u{303}", "ñ"), expected, "{formula}");
        }
    }

    #[test]
    fn endless_nesting_keeps_the_letters() {
        let deep = format!("{}x{}", "a<sSup><e>".repeat(5000), "</e></sSup>".repeat(5000));
        let text = text(&deep);
        assert!(text.contains('x') && text.len() < 30_000, "{}", text.len());
    }
}
