//! The stage as the host sees it: events in, outcomes out.

use gristmill_sdk::{Header, Item, Outcome, Output, Stage, configure};
use proptest::prelude::*;

use crate::codes::ALL;
use crate::{Detect, SAMPLE};

const ENGLISH: &str = "The supplier delivers the goods to the warehouse of the customer within ten working days. Where a \
                       delivery is late, the customer may withdraw from the order without notice.";
const GERMAN: &str = "Der Lieferant liefert die Ware innerhalb von zehn Werktagen an das Lager des Kunden. Bei verspäteter \
                      Lieferung kann der Kunde ohne Frist vom Auftrag zurücktreten.";
const FRENCH: &str = "Le fournisseur livre les marchandises à l'entrepôt du client dans un délai de dix jours ouvrables. En \
                      cas de retard, le client peut annuler la commande sans préavis.";

/// What comes out of a pipeline with routes for German and English.
fn process(config: &str, payload: &[u8], media_type: Option<&str>) -> Outcome {
    let is_routed = |label: &str| ["de", "en"].contains(&label);
    configure::<Detect>(config).unwrap().detect(&Item::sample(payload, media_type), is_routed)
}

fn output(config: &str, text: &str) -> Output {
    match process(config, text.as_bytes(), Some("text/plain")) {
        Outcome::Emit(mut outputs) if outputs.len() == 1 => outputs.remove(0),
        other => panic!("expected one output, got {other:?}"),
    }
}

fn attribute(output: &Output, name: &str) -> String {
    output.attributes.iter().find(|attribute| attribute.name == name).unwrap().value.clone()
}

fn language(text: &str) -> String {
    attribute(&output("{}", text), "language")
}

#[test]
fn the_language_is_an_attribute_and_the_item_is_unchanged() {
    let mut item = Item::sample(GERMAN, Some("text/markdown; charset=utf-8"));
    item.headers.push(Header { name: "h".into(), value: None });
    let outcome = configure::<Detect>("{}").unwrap().process(item.clone()).unwrap();
    let expected = Output::from(&item).attribute("language", "de").attribute("language-confidence", "1.00");
    assert_eq!(outcome, Outcome::one(expected));
}

#[test]
fn common_languages_are_detected() {
    assert_eq!([ENGLISH, GERMAN, FRENCH].map(language), ["en", "de", "fr"]);
    assert_eq!(language("供应商应在十个工作日内将货物交付至客户仓库。"), "zh");
    assert_eq!(language("Постачальник зобов'язаний доставити товар на склад замовника протягом десяти днів."), "uk");
}

/// Short sentences, each with its language; written for this test.
const CORPUS: &str = include_str!("corpus.tsv");

/// The figures of the README.
const RIGHT: usize = 187;
const WRONG: usize = 4;

#[test]
fn short_sentences_are_detected() {
    let (mut right, mut wrong, mut open) = (0, Vec::new(), Vec::new());
    for line in CORPUS.lines() {
        let (code, sentence) = line.split_once('\t').unwrap();
        match language(sentence).as_str() {
            "und" => open.push(format!("{code}: {sentence}")),
            found if found == code => right += 1,
            found => wrong.push(format!("{found} for {code}: {sentence}")),
        }
    }
    let shown = format!("right {right}\nwrong {}: {wrong:#?}\nund {}: {open:#?}", wrong.len(), open.len());
    assert!(right >= RIGHT && wrong.len() <= WRONG, "{shown}");
}

#[test]
fn greetings_requests_and_questions_are_detected() {
    for (code, text) in [
        ("de", "Guten Tag, vielen Dank!"),
        ("pt", "Boa noite, obrigada!"),
        ("fi", "Hyvää päivää, kiitos!"),
        ("nb", "Tusen takk, når kommer dere?"),
        ("ru", "Большое спасибо, до завтра"),
        ("sr", "Хвала вам, где је то?"),
        ("hi", "आप कहाँ हैं"),
        ("ne", "मलाई फेरि यो छैन"),
    ] {
        assert_eq!(language(text), code, "{text}");
    }
}

#[test]
fn addresses_say_nothing_about_the_language() {
    for text in ["https://host.example/the/way/that/was", "someone@host.example", "www.host.example/from/here"] {
        assert_eq!(language(text), "und", "{text}");
    }
    let text =
        "Siehe https://host.example/manual/for-you-and-the-others/that-is-all, bitte, und nicht me@this.example.";
    assert_eq!(language(text), "de");
}

#[test]
fn a_word_or_two_do_not_make_the_statistics_sure() {
    for text in ["Paris", "Item K-7"] {
        let confidence: f64 = attribute(&output("{}", text), "language-confidence").parse().unwrap();
        assert!(confidence < 0.9, "{text}: {confidence}");
    }
}

#[test]
fn only_languages_with_a_route_take_their_branch() {
    let branch = |text| output("{}", text).branch;
    assert_eq!([ENGLISH, GERMAN, FRENCH].map(branch), [Some("en".into()), Some("de".into()), None]);
}

#[test]
fn text_without_letters_is_undetermined() {
    for text in ["", " \n", "12 345,00 € – 1/2", "***"] {
        let output = output(r#"{"min_confidence": 0}"#, text);
        assert_eq!((attribute(&output, "language").as_str(), output.branch.as_deref()), ("und", None), "{text:?}");
        assert_eq!(attribute(&output, "language-confidence"), "0.00");
    }
}

#[test]
fn text_below_the_minimum_confidence_is_undetermined_and_keeps_its_confidence() {
    let mixed = format!("{GERMAN} {ENGLISH}");
    let guess = output(r#"{"min_confidence": 0}"#, &mixed);
    let confidence = attribute(&guess, "language-confidence");
    assert!(guess.branch.is_some() && confidence.parse::<f64>().unwrap() < 0.9, "{confidence}");
    let unsure = output(r#"{"min_confidence": 0.9}"#, &mixed);
    assert_eq!((attribute(&unsure, "language").as_str(), unsure.branch.as_deref()), ("und", None));
    assert_eq!(attribute(&unsure, "language-confidence"), confidence);
}

#[test]
fn the_minimum_confidence_itself_is_enough() {
    let mixed = format!("{GERMAN} {ENGLISH}");
    let confidence = attribute(&output("{}", &mixed), "language-confidence");
    let config = format!(r#"{{"min_confidence": {confidence}}}"#);
    assert_ne!(attribute(&output(&config, &mixed), "language"), "und");
}

#[test]
fn only_the_beginning_of_a_long_text_is_examined() {
    let mut text = GERMAN.repeat(SAMPLE / GERMAN.chars().count() + 1);
    text.push_str(&ENGLISH.repeat(1_000));
    assert_eq!(language(&text), "de");
}

#[test]
fn a_payload_that_is_not_text_is_rejected() {
    match process("{}", b"\xff", None) {
        Outcome::Reject(failure) => assert_eq!(failure.code, "not-utf8"),
        other => panic!("expected a rejection, got {other:?}"),
    }
}

#[test]
fn every_language_is_a_declared_branch() {
    let branches = Detect::describe().branches;
    assert_eq!(branches.len(), ALL.len());
    for (branch, language) in branches.iter().zip(&ALL) {
        assert_eq!(
            (branch.label.as_str(), &branch.description),
            (language.code, &format!("Text in {}", language.name))
        );
    }
}

#[test]
fn an_unknown_key_is_refused() {
    assert!(configure::<Detect>(r#"{"route": ["de"]}"#).is_err());
}

proptest! {
    #[test]
    fn any_text_has_the_same_outcome_each_time(text in ".{0,400}") {
        prop_assert_eq!(output("{}", &text), output("{}", &text));
    }

    #[test]
    fn any_scraps_of_words_have_an_outcome(text in "[a-zäöüßéçабв ,.\n0-9]{0,60}") {
        output("{}", &text);
    }
}
