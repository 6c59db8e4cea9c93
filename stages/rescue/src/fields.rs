//! JSON with values that do not fit their schema: each is mended for itself, and all other bytes stay.

use gristmill_sdk::llm::{Model, Response};
use serde_json::{Map, Value};

use crate::coerce::{coerced, folded};
use crate::config::Config;
use crate::document::{self, Members};
use crate::faithful::contents;
use crate::grounded::{Ground, Origin};
use crate::mended::{Mended, Stop};
use crate::pointer::Pointer;
use crate::prompt::{self, Asked};
use crate::schema;
use crate::told::Fault;

/// A place whose value is wrong or missing.
struct Place<'a> {
    at: Pointer,
    message: &'a str,
    schema: &'a Value,
    origin: Origin,
}

/// What values are mended with.
pub(crate) struct Fields<'a> {
    pub config: &'a Config,
    /// The schema of the document.
    pub root: &'a Value,
    pub model: &'a dyn Model,
}

impl Fields<'_> {
    /// The document with a value that fits at each place that is at fault; all of them are mended, or none is.
    pub(crate) fn mended(&self, faults: &[Fault], text: &str) -> Result<Mended, Stop> {
        let mut document = text.to_owned();
        let mut places = Vec::new();
        for fault in faults {
            for place in of_fault(self.root, fault, text)? {
                if !places.iter().any(|other: &Place<'_>| other.at == place.at) {
                    places.push(place);
                }
            }
        }
        let most = self.config.max_fields;
        if places.len() > most {
            let reason = format!("{} values are at fault, the limit is {most}: raise `max_fields`", places.len());
            return Err(Stop::cannot(reason));
        }
        let all = places.iter().map(|place| place.at.to_string()).collect();
        let mut rest = Vec::new();
        for place in places {
            match by_rules(self.root, &place, &document) {
                Some(better) => document = better,
                None => rest.push(place),
            }
        }
        if rest.is_empty() {
            return Ok(Mended { text: document, places: all, response: None });
        }
        let response = self.ask(&rest, &document)?;
        for (place, value) in rest.iter().zip(values(&rest, &response)?) {
            if !self.is_grounded(place, &value, &document) {
                let reason = format!("the answer of {} for {} is not in the item", response.model, named(&place.at));
                return Err(Stop::cannot(reason));
            }
            let better = with(place, &value, &document);
            document = better.ok_or_else(|| Stop::cannot(format!("there is no place for {}", named(&place.at))))?;
        }
        Ok(Mended { text: document, places: all, response: Some(response) })
    }

    /// Asks for the values of these places.
    fn ask(&self, places: &[Place<'_>], document: &str) -> Result<Response, Stop> {
        let value = |place: &Place<'_>| document::find(document, &place.at);
        let is_whole = |place: &&Place<'_>| value(place).is_some_and(|value| value.starts_with(['{', '[']));
        let mut replaced = places.iter().filter(|place| place.origin == Origin::Replaced);
        if let Some(place) = replaced.find(is_whole) {
            // Whatever a model leaves out of it would be lost.
            return Err(Stop::cannot(format!("{} is a list or an object, which only rules mend", named(&place.at))));
        }
        if !self.config.ask {
            return Err(Stop::cannot("the faults need a model, and `ask` is false"));
        }
        self.config.readable(document)?;
        let asked: Vec<_> = places
            .iter()
            .map(|place| Asked { at: place.at.to_string(), message: place.message, schema: place.schema })
            .collect();
        let request = prompt::fields(self.config, document, &asked, schema::definitions(self.root));
        Ok(self.model.chat(request)?)
    }

    /// Whether a value of a model was in the document before.
    fn is_grounded(&self, place: &Place<'_>, value: &Value, document: &str) -> bool {
        let source = match place.origin {
            Origin::Replaced => document::find(document, &place.at).unwrap_or_default(),
            Origin::Found => document,
        };
        Ground { text: &contents(source), origin: place.origin }.holds(value, place.schema, self.root)
    }
}

/// The places of a fault: the one it names, or, of an object, the members that are missing in it.
fn of_fault<'a>(root: &'a Value, fault: &'a Fault, document: &str) -> Result<Vec<Place<'a>>, Stop> {
    let unknown = || Stop::cannot(format!("the schema says nothing of {}", named(&fault.at)));
    let own = schema::at(root, &fault.at).ok_or_else(unknown)?;
    let message = fault.message.as_str();
    let value = document::find(document, &fault.at);
    if let Some(members) = value.and_then(Members::of) {
        let is_missing = |name: &&str| members.0.iter().all(|(other, _)| other != name);
        let missing = schema::required(own).filter(is_missing).map(|name| -> Result<Place<'a>, Stop> {
            let schema = schema::child(root, own, name).ok_or_else(unknown)?;
            Ok(Place { at: fault.at.member(name), message: "is missing", schema, origin: Origin::Found })
        });
        let missing = missing.collect::<Result<Vec<_>, Stop>>()?;
        if !missing.is_empty() {
            return Ok(missing);
        }
    }
    let is_blank = value.is_none_or(|value| contents(value).trim().is_empty() || value == "null");
    let origin = if is_blank { Origin::Found } else { Origin::Replaced };
    Ok(vec![Place { at: fault.at.clone(), message, schema: own, origin }])
}

/// The document with the place mended by rules: a member that has the name in another spelling gets the right one, and a
/// value of another type or spelling becomes what is wanted.
fn by_rules(root: &Value, place: &Place<'_>, document: &str) -> Option<String> {
    let fitting = |document: &str| {
        let value = document::find(document, &place.at)?;
        document::replaced(document, &place.at, &coerced(value, place.schema)?)
    };
    if place.origin == Origin::Replaced {
        return fitting(document);
    }
    if document::find(document, &place.at).is_some() {
        return None;
    }
    let (around, name) = place.at.parent()?;
    let known = schema::at(root, &around).and_then(|schema| schema.get("properties"))?;
    let members = Members::of(document::find(document, &around)?)?;
    let names = members.0.iter().map(|(name, _)| name.as_str());
    let mut same = names.filter(|other| folded(other) == folded(name) && known.get(*other).is_none());
    let (Some(other), None) = (same.next(), same.next()) else { return None };
    let renamed = document::renamed(document, &around, other, name)?;
    Some(fitting(&renamed).unwrap_or(renamed))
}

/// The value of each place in an answer.
fn values(places: &[Place<'_>], response: &Response) -> Result<Vec<Value>, Stop> {
    let mut values: Map<String, Value> = serde_json::from_str(&response.text)
        .map_err(|_| Stop::cannot(format!("the answer of {} is not a JSON object", response.model)))?;
    let one = |(number, place): (usize, &Place<'_>)| match values.remove(&number.to_string()) {
        None | Some(Value::Null) => {
            Err(Stop::cannot(format!("{} cannot tell {} from the item", response.model, named(&place.at))))
        }
        Some(value) => Ok(value),
    };
    (1..).zip(places).map(one).collect()
}

/// The document with a value at a place.
fn with(place: &Place<'_>, value: &Value, document: &str) -> Option<String> {
    let value = value.to_string();
    match document::find(document, &place.at) {
        Some(_) => document::replaced(document, &place.at, &value),
        None => {
            let (around, name) = place.at.parent()?;
            document::added(document, &around, name, &value)
        }
    }
}

/// A place as messages name it.
fn named(at: &Pointer) -> String {
    if at.steps().is_empty() { "the item".into() } else { at.to_string() }
}
