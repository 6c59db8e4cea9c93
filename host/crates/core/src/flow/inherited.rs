//! What the items of a job inherit from its event: the attributes of the host, which the record carries as headers.

use std::collections::HashMap;

use super::names;
use crate::model::{Attribute, Event, FAILURE_ATTRIBUTE, Failure, HOST_ATTRIBUTES};

/// The host's attributes of an event, such as a tenant or an access list. They were written by whoever may write to the
/// topic: an earlier pipeline, or the producer.
///
/// A value that cannot be read, or one that is contradicted, is a failure: an item must not lose an access list.
pub(super) fn attributes(event: &Event) -> Result<Vec<Attribute>, Failure> {
    let mut inherited: Vec<Attribute> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for header in &event.headers {
        let Some(name) = header.name.strip_prefix(names::ATTRIBUTE).filter(|name| name.starts_with(HOST_ATTRIBUTES))
        else {
            continue;
        };
        // A failure is told to one rescue stage, and is nobody else's.
        if name.starts_with(FAILURE_ATTRIBUTE) {
            continue;
        }
        let unusable = |why| Failure::new("unusable-attribute", format!("the header {} {why}", header.name));
        let value = header.value.as_deref().and_then(|value| std::str::from_utf8(value).ok());
        let value = value.ok_or_else(|| unusable("has no value in UTF-8"))?;
        match places.get(name) {
            Some(place) if inherited[*place].value == value => {}
            Some(_) => return Err(unusable("comes twice, with different values")),
            None => {
                places.insert(name, inherited.len());
                inherited.push(Attribute { name: name.to_owned(), value: value.to_owned() });
            }
        }
    }
    Ok(inherited)
}
