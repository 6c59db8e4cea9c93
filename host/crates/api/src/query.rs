//! The parameters of a request's query: each is taken once, and those that nobody takes are mistakes.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use super::problem::{Kind, Problem};

/// The parameters, decoded, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(params)) => Ok(Self(params)),
            Err(rejected) => Err(Problem::new(Kind::BadRequest, rejected.body_text())),
        }
    }
}

impl Params {
    /// Takes the parameter of this name, which may be there once.
    pub(crate) fn one(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let mut all = self.all(name);
        match all.len() {
            0 | 1 => Ok(all.pop()),
            _ => Err(Problem::new(Kind::BadRequest, format!("the parameter {name} may be there once"))),
        }
    }

    /// Takes all parameters of this name.
    pub(crate) fn all(&mut self, name: &str) -> Vec<String> {
        let (taken, left) = std::mem::take(&mut self.0).into_iter().partition(|(known, _)| known == name);
        self.0 = left;
        taken.into_iter().map(|(_, value): (String, String)| value).collect()
    }

    /// Takes all parameters whose names begin so, with the rest of their names.
    pub(crate) fn beginning(&mut self, prefix: &str) -> Vec<(String, String)> {
        let (taken, left) = std::mem::take(&mut self.0).into_iter().partition(|(name, _)| name.starts_with(prefix));
        self.0 = left;
        let rest = |name: String| name.strip_prefix(prefix).unwrap_or_default().to_owned();
        taken.into_iter().map(|(name, value): (String, String)| (rest(name), value)).collect()
    }

    /// Nobody takes more.
    pub(crate) fn end(&self, known: &str) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => {
                Err(Problem::new(Kind::BadRequest, format!("there is no parameter {name:?} here; there are: {known}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(text: &str) -> Params {
        let uri = format!("http://h/?{text}").parse().unwrap();
        Params(Query::try_from_uri(&uri).unwrap().0)
    }

    #[test]
    fn a_parameter_is_there_once_and_known() {
        let mut query = params("a=1&b=2&b=3&x.y=4&x.%C3%A4=5&wrong=6");
        assert_eq!(query.one("a").unwrap().as_deref(), Some("1"));
        assert_eq!(query.one("a").unwrap(), None);
        assert!(query.one("b").unwrap_err().detail.contains("parameter b"));
        assert_eq!(query.beginning("x."), [("y".into(), "4".into()), ("ä".into(), "5".into())]);
        assert!(query.end("a, b").unwrap_err().detail.contains("\"wrong\""));
        assert!(params("").end("").is_ok());
    }
}
