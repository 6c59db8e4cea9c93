//! What documents have left in the sink: the tables of documents and of their items.

use std::collections::BTreeMap;

use deadpool_postgres::Transaction;
use tokio_postgres::{Error, Row};

use super::statement::execute;
use crate::generation::{blob, decode, encode, suffix};
use crate::request::Request;
use gristmill_core::model::{DocumentGeneration, DocumentId, History, ItemId, RecordGeneration};
use gristmill_core::ports::{Placed, Remembered};

pub(super) const FIND: &str = "
    SELECT d.last, d.begun, i.topic, i.name
    FROM gristmill.document d LEFT JOIN gristmill.item i ON i.document = d.id
    WHERE d.pipeline = $1 AND d.name = $2";

/// A document of which nothing is in the sink stays one that can be forgotten if this adds nothing.
const INTEND: &str = "
    WITH d AS (
        INSERT INTO gristmill.document AS old (pipeline, name, begun, empty)
        SELECT $1::text, name, begun, empty FROM unnest($2::text[], $3::bytea[], $4::boolean[]) AS g (name, begun, empty)
        ORDER BY name
        ON CONFLICT (pipeline, name) DO UPDATE SET
            touched = now(), empty = old.empty AND excluded.empty,
            begun = CASE WHEN substr(old.begun, 1, 24) > substr(excluded.begun, 1, 24) THEN old.begun
                         ELSE excluded.begun END
        RETURNING id, name
    )
    INSERT INTO gristmill.item AS old (document, topic, name, generation)
    SELECT d.id, g.topic, g.item, g.generation
    FROM unnest($5::text[], $6::text[], $7::text[], $8::bytea[]) AS g (document, topic, item, generation)
    JOIN d ON d.name = g.document
    ON CONFLICT (document, topic, name) DO UPDATE SET generation = greatest(old.generation, excluded.generation)";

/// Nothing if a greater generation is there.
const FINISH: &str = "
    WITH d AS (
        INSERT INTO gristmill.document AS old (pipeline, name, last, empty)
        SELECT $1::text, name, last, false FROM unnest($2::text[], $3::bytea[]) AS g (name, last) ORDER BY name
        ON CONFLICT (pipeline, name) DO UPDATE SET touched = now(), last = excluded.last
            WHERE old.last IS NULL OR substr(old.last, 1, 24) <= substr(excluded.last, 1, 24)
        RETURNING id, last
    )
    DELETE FROM gristmill.item i USING d WHERE i.document = d.id AND i.generation < substr(d.last, 1, 24)";

/// A statement of its own: it has to see what the one before has deleted.
const EMPTY: &str = "
    UPDATE gristmill.document d
    SET empty = NOT EXISTS (SELECT 1 FROM gristmill.item i WHERE i.document = d.id)
    WHERE d.pipeline = $1 AND d.name = ANY ($2::text[])";

/// What is remembered, by the rows of [`FIND`].
pub(super) fn found(document: &DocumentId, rows: &[Row]) -> Remembered {
    let Some(first) = rows.first() else { return Remembered::default() };
    let decoded = |given: Option<&[u8]>| given.and_then(decode);
    let history = History { last: decoded(first.get(0)), begun: decoded(first.get(1)) };
    let mut placed = Vec::new();
    for row in rows {
        if let (Some(topic), Some(name)) = (row.get::<_, Option<&str>>(2), row.get::<_, Option<&str>>(3)) {
            placed.push(Placed { topic: topic.into(), item: ItemId::kept(document, name) });
        }
    }
    Remembered { history, placed }
}

/// Requests that may be written together: in it, no document is intended after it was finished.
#[derive(Default)]
struct Together<'a> {
    begun: BTreeMap<&'a str, (&'a RecordGeneration, bool)>,
    items: BTreeMap<(&'a str, &'a str, &'a str), DocumentGeneration>,
    finished: BTreeMap<&'a str, &'a RecordGeneration>,
}

/// Notes what is about to be written, and what is in the sink, in the order of the batch as far as it matters.
pub(super) async fn write(transaction: &Transaction<'_>, pipeline: &str, batch: &[Request]) -> Result<(), Error> {
    let mut together = Together::default();
    for request in batch {
        match request {
            Request::Intend { document, begun, items, .. } => {
                if together.finished.contains_key(document.as_str()) {
                    together.write(transaction, pipeline).await?;
                    together = Together::default();
                }
                together.intend(document, begun, items);
            }
            Request::Finish { document, last } => {
                let finished = together.finished.entry(document.as_str()).or_insert(last);
                if finished.generation <= last.generation {
                    *finished = last;
                }
            }
            _ => {}
        }
    }
    together.write(transaction, pipeline).await
}

impl<'a> Together<'a> {
    fn intend(&mut self, document: &'a DocumentId, begun: &'a RecordGeneration, items: &'a [Placed]) {
        let name = document.as_str();
        let (last, is_empty) = self.begun.entry(name).or_insert((begun, true));
        if last.generation <= begun.generation {
            *last = begun;
        }
        *is_empty &= items.is_empty();
        for Placed { topic, item } in items {
            let by = self.items.entry((name, topic, suffix(document, item))).or_insert(begun.generation);
            *by = begun.generation.max(*by);
        }
    }

    async fn write(&self, transaction: &Transaction<'_>, pipeline: &str) -> Result<(), Error> {
        if !self.begun.is_empty() {
            let names: Vec<&str> = self.begun.keys().copied().collect();
            let begun: Vec<Vec<u8>> = self.begun.values().map(|(begun, _)| encode(begun)).collect();
            let empty: Vec<bool> = self.begun.values().map(|(_, is_empty)| *is_empty).collect();
            let documents: Vec<&str> = self.items.keys().map(|(document, ..)| *document).collect();
            let topics: Vec<&str> = self.items.keys().map(|(_, topic, _)| *topic).collect();
            let items: Vec<&str> = self.items.keys().map(|(.., item)| *item).collect();
            let generations: Vec<Vec<u8>> = self.items.values().map(|by| blob(*by).to_vec()).collect();
            let given: super::statement::Parameters<'_> =
                &[&pipeline, &names, &begun, &empty, &documents, &topics, &items, &generations];
            execute(transaction, INTEND, given).await?;
        }
        if !self.finished.is_empty() {
            let names: Vec<&str> = self.finished.keys().copied().collect();
            let last: Vec<Vec<u8>> = self.finished.values().map(|last| encode(last)).collect();
            execute(transaction, FINISH, &[&pipeline, &names, &last]).await?;
            execute(transaction, EMPTY, &[&pipeline, &names]).await?;
        }
        Ok(())
    }
}
