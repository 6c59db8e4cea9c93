//! Forms with files: each file is a job.

use std::collections::BTreeMap;
use std::error::Error;

use axum::body::Body;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Request};
use futures_util::StreamExt;
use gristmill_core::model::text::line;
use gristmill_core::model::{Attribute, ObjectName, ObjectOf};

use super::accept::Asked;
use super::api::Api;
use super::desk::Pipeline;
use super::draft::{Draft, MOST_JOBS, new_job};
use super::intake::{Payload, broken, paced, take, too_large};
use super::problem::{Kind, Problem};
use super::text;

/// The attribute with the name of a file.
const FILE_NAME: &str = "filename";
/// The longest name of a file that is kept, in bytes.
const LONGEST_FILE_NAME: usize = 1_000;
/// What all files of a form may hold in memory together, those of up to `inline_max`.
const IN_MEMORY: u64 = 16 << 20;

/// A form.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "documents what is read part by part")]
pub(crate) struct Form {
    /// The documents: all parts that have a file name, whatever they are called.
    #[schema(inline, min_items = 1, max_items = 1_000)]
    file: Vec<File>,
    /// Attributes of all documents: all other parts.
    #[serde(flatten)]
    attributes: BTreeMap<String, String>,
}

/// A document.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "documents what is read part by part")]
struct File(Vec<u8>);

/// Whether a media type is that of a form with files.
pub(crate) fn is_form(content_type: &str) -> bool {
    let (kind, _) = content_type.split_once(';').unwrap_or((content_type, ""));
    kind.trim().eq_ignore_ascii_case("multipart/form-data")
}

/// The jobs of a form.
pub(crate) async fn read(
    api: &Api,
    pipeline: &Pipeline,
    asked: &Asked,
    request: Request,
) -> Result<Vec<Draft>, Problem> {
    let (parts, body) = request.into_parts();
    let body = Body::from_stream(paced(body, api.max_body));
    let mut form = Multipart::from_request(Request::from_parts(parts, body), &())
        .await
        .map_err(|rejected| Problem::new(Kind::BadRequest, rejected.body_text()))?;
    let (mut drafts, mut fields) = (Vec::new(), asked.attributes.clone());
    let mut in_memory = 0;
    while let Some(field) = form.next_field().await.map_err(|error| of_form(&error))? {
        if field.file_name().is_none() {
            fields.push(attribute(field).await?);
            if fields.len() > text::MOST_ATTRIBUTES {
                let detail = format!("a form may have at most {} fields", text::MOST_ATTRIBUTES);
                return Err(Problem::new(Kind::BadRequest, detail));
            }
            continue;
        }
        let draft = file(api, pipeline, asked, field).await?;
        if let Payload::Inline(bytes) = &draft.payload {
            in_memory += bytes.len() as u64;
        }
        drafts.push(draft);
        if drafts.len() > MOST_JOBS {
            return Err(Problem::new(Kind::BadRequest, format!("a form may have at most {MOST_JOBS} files")));
        }
        if in_memory > IN_MEMORY {
            let detail = format!("the small files of a form may hold at most {IN_MEMORY} bytes: send several forms");
            return Err(Problem::new(Kind::BodyTooLarge, detail));
        }
    }
    if drafts.is_empty() {
        let detail = "the form has no file: a part with filename=\"…\" is a job, other parts are its attributes";
        return Err(Problem::new(Kind::BadRequest, detail));
    }
    for draft in &mut drafts {
        let own = std::mem::take(&mut draft.attributes);
        // What a field says of the name has precedence.
        let own = own.into_iter().filter(|own| fields.iter().all(|field| field.name != own.name));
        draft.attributes = text::checked(fields.iter().cloned().chain(own).collect())?;
    }
    Ok(drafts)
}

async fn file(api: &Api, pipeline: &Pipeline, asked: &Asked, field: Field<'_>) -> Result<Draft, Problem> {
    let job = new_job(asked.at);
    // An attribute, and never a path.
    let name = field.file_name().map(|name| line(name, LONGEST_FILE_NAME).replace('\t', " ")).unwrap_or_default();
    let content_type = field.content_type().map(text::media_type).transpose()?;
    let object = ObjectName::of(&pipeline.name, &job, ObjectOf::Input);
    let mut chunks = field.map(|chunk| chunk.map_err(|error| of_form(&error)));
    let payload = take(&mut chunks, pipeline, object, api.max_body).await?;
    let attributes = match name.as_str() {
        "" => Vec::new(),
        _ => vec![Attribute { name: FILE_NAME.to_owned(), value: name }],
    };
    Ok(Draft { job, key: asked.event_key.clone(), content_type, attributes, payload })
}

async fn attribute(mut field: Field<'_>) -> Result<Attribute, Problem> {
    let name = field.name().unwrap_or_default().to_ascii_lowercase();
    let mut value = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| of_form(&error))? {
        value.extend_from_slice(&chunk);
        if value.len() > text::LONGEST_VALUE {
            return Err(too_large(text::LONGEST_VALUE as u64));
        }
    }
    match String::from_utf8(value) {
        Ok(value) => Ok(Attribute { name, value }),
        Err(_) => Err(Problem::new(Kind::BadRequest, format!("the field {name:?} is not text in UTF-8"))),
    }
}

/// What is wrong with a form, or with the body that it is in.
fn of_form(error: &MultipartError) -> Problem {
    let mut inner: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = inner {
        if error.is::<Problem>() {
            return broken(error);
        }
        inner = error.source();
    }
    Problem::new(Kind::BadRequest, format!("the form cannot be read: {}", error.body_text()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_told_by_its_media_type() {
        assert!(is_form("multipart/form-data; boundary=x") && is_form("Multipart/Form-Data"));
        assert!(!is_form("multipart/mixed; boundary=x") && !is_form("text/plain; x=multipart/form-data"));
    }
}
