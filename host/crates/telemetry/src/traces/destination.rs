//! Where spans go and what is said about their process, by the host file and OpenTelemetry's standard variables.

use std::borrow::Cow;

use anyhow::{Context, bail};
use gristmill_core::model::Sampling;
use gristmill_core::settings::HeaderText;
use opentelemetry_proto::tonic::resource::v1::Resource;
use percent_encoding::percent_decode_str;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;

use super::settings::{Capture, TraceSettings};
use super::span::text;

/// What is said if nobody has said otherwise.
const SERVICE: &str = "gristmill";
/// Where OTLP over HTTP takes spans, below an endpoint.
const PATH: &str = "/v1/traces";

/// Where spans go, and what is said about their process.
#[derive(Debug, Clone)]
pub struct Destination {
    pub(super) url: Url,
    /// May hold secrets, which are marked as such and not shown.
    pub(super) headers: HeaderMap,
    pub(super) resource: Resource,
    pub(super) sampling: Sampling,
    pub(super) capture: Capture,
}

impl Destination {
    /// Where the settings and the variables want the spans. The settings count before the variables; headers of both are
    /// sent. `None` if neither names an endpoint, or `OTEL_SDK_DISABLED` is `true`. Reads secrets.
    ///
    /// # Errors
    /// What is wrong with a variable or a secret, and how to fix it.
    pub fn find(settings: &TraceSettings, variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<Option<Self>> {
        let variable = |name: &str| {
            let value = variable(name)?.trim().to_owned();
            (!value.is_empty()).then_some(value)
        };
        if variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let Some(url) = url(settings, &variable)? else { return Ok(None) };
        Ok(Some(Self {
            url,
            headers: all_headers(settings, &variable)?,
            resource: resource(&variable)?,
            sampling: Sampling::share(settings.sample),
            capture: settings.capture_message_content,
        }))
    }
}

/// The address that spans are posted to.
fn url(settings: &TraceSettings, variable: &impl Fn(&str) -> Option<String>) -> anyhow::Result<Option<Url>> {
    if let Some(endpoint) = &settings.endpoint {
        return parse(endpoint, PATH).map(Some).context("`endpoint` in [traces]");
    }
    // The one for traces is complete, the general one is a base, by the specification of the exporter.
    for (name, path) in [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ""), ("OTEL_EXPORTER_OTLP_ENDPOINT", PATH)] {
        let Some(endpoint) = variable(name) else { continue };
        let protocols = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
        let protocol = protocols.iter().find_map(|name| Some((name, variable(name)?)));
        if let Some((name, protocol)) = protocol.filter(|(_, protocol)| protocol != "http/protobuf") {
            bail!("{name} is {protocol:?}, and Gristmill speaks only http/protobuf; set it to that");
        }
        return parse(&endpoint, path).map(Some).context(name);
    }
    Ok(None)
}

fn parse(endpoint: &str, path: &str) -> anyhow::Result<Url> {
    let form = "an address of a collector looks like http://127.0.0.1:4318";
    // Never quoted: it might hold a password.
    let url = Url::parse(&format!("{}{path}", endpoint.trim_end_matches('/'))).context(form)?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        bail!("{form}");
    }
    if !url.username().is_empty() || url.password().is_some() {
        bail!("a user name or password must not stand in the address; give a header `authorization` instead");
    }
    Ok(url)
}

/// Headers of the variables, and those of the settings over them.
fn all_headers(settings: &TraceSettings, variable: &impl Fn(&str) -> Option<String>) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let named = ["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"];
    if let Some((name, list)) = named.iter().find_map(|name| Some((name, variable(name)?))) {
        for (key, value) in pairs(&list).with_context(|| format!("{name} is not a list like key=value,other=value"))? {
            add(&mut headers, &key, &value).with_context(|| format!("the header {key:?} in {name}"))?;
        }
    }
    for (key, value) in &settings.headers {
        let value = match value {
            HeaderText::Plain(text) => text.clone(),
            HeaderText::Secret(secret) => secret.read()?.expose_secret().to_owned(),
        };
        add(&mut headers, key, &value).with_context(|| format!("the header {key:?} in [traces]"))?;
    }
    Ok(headers)
}

/// Adds a header, which may be a secret.
fn add(headers: &mut HeaderMap, key: &str, value: &str) -> anyhow::Result<()> {
    let key = HeaderName::from_bytes(key.as_bytes()).context("this is not the name of a header")?;
    // Its error does not show the value.
    let mut value = HeaderValue::from_str(value).context("its value is not one line of text")?;
    value.set_sensitive(true);
    headers.insert(key, value);
    Ok(())
}

/// What is said about the process: `service.name` and what `OTEL_RESOURCE_ATTRIBUTES` adds.
fn resource(variable: &impl Fn(&str) -> Option<String>) -> anyhow::Result<Resource> {
    let name = "OTEL_RESOURCE_ATTRIBUTES";
    let mut told = match variable(name) {
        Some(list) => pairs(&list).with_context(|| format!("{name} is not a list like key=value,other=value"))?,
        None => Vec::new(),
    };
    if let Some(service) = variable("OTEL_SERVICE_NAME") {
        told.retain(|(key, _)| key != "service.name");
        told.push(("service.name".into(), service));
    }
    for (key, value) in [("service.name", SERVICE), ("service.version", env!("CARGO_PKG_VERSION"))] {
        if !told.iter().any(|(told, _)| told == key) {
            told.push((key.into(), value.into()));
        }
    }
    let attributes = told.into_iter().map(|(key, value)| text(&key, value)).collect();
    Ok(Resource { attributes, ..Resource::default() })
}

/// "key=value,key=value", with values percent-encoded as in W3C Baggage. `None` if it is something else. Nothing of it is
/// quoted in errors: it may hold secrets.
fn pairs(list: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    for pair in list.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=')?;
        pairs.push((key.trim().to_owned(), decoded(value.trim())?));
    }
    Some(pairs)
}

/// The text without percent-encoding; `None` if it is not UTF-8 then.
fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use gristmill_core::settings::SecretRef;

    use super::*;

    fn find(settings: &TraceSettings, variables: &[(&str, &str)]) -> anyhow::Result<Option<Destination>> {
        let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
        Destination::find(settings, |name| variables.get(name).map(|value| (*value).to_owned()))
    }

    fn url_of(settings: &TraceSettings, variables: &[(&str, &str)]) -> Option<String> {
        find(settings, variables).unwrap().map(|found| found.url.to_string())
    }

    fn at(endpoint: &str) -> TraceSettings {
        TraceSettings { endpoint: Some(endpoint.into()), ..TraceSettings::default() }
    }

    const BASE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://base:4318/");
    const OWN: (&str, &str) = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://own/at/traces");

    #[test]
    fn nothing_is_traced_until_somebody_names_an_endpoint() {
        let nothing = TraceSettings::default();
        assert_eq!(url_of(&nothing, &[]), None);
        assert_eq!(url_of(&nothing, &[(BASE.0, "  ")]), None, "an empty variable is none");
        assert_eq!(url_of(&nothing, &[BASE]).unwrap(), "http://base:4318/v1/traces");
        assert_eq!(url_of(&nothing, &[BASE, OWN]).unwrap(), "https://own/at/traces");
        assert_eq!(url_of(&at("http://file:1/x"), &[BASE, OWN]).unwrap(), "http://file:1/x/v1/traces");
        assert_eq!(url_of(&at("http://file:1"), &[("OTEL_SDK_DISABLED", "TRUE")]), None);
    }

    #[test]
    fn faults_name_the_variable_and_the_way_out_and_never_a_secret() {
        let headers = "OTEL_EXPORTER_OTLP_HEADERS";
        for (variables, expected) in [
            (vec![BASE, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], "OTEL_EXPORTER_OTLP_PROTOCOL is \"grpc\""),
            (vec![(BASE.0, "canary:4318")], "looks like http://127.0.0.1:4318"),
            (vec![(BASE.0, "canary")], "OTEL_EXPORTER_OTLP_ENDPOINT"),
            (vec![(BASE.0, "http://me:canary@host")], "`authorization`"),
            (vec![BASE, (headers, "canary")], "key=value,other=value"),
            (vec![BASE, (headers, "a b=canary")], "the header \"a b\" in OTEL_EXPORTER_OTLP_HEADERS"),
            (vec![BASE, (headers, "a=can%0aary")], "not one line"),
            (vec![BASE, ("OTEL_RESOURCE_ATTRIBUTES", "x")], "OTEL_RESOURCE_ATTRIBUTES is not a list"),
        ] {
            let error = format!("{:#}", find(&TraceSettings::default(), &variables).unwrap_err());
            assert!(error.contains(expected) && !error.contains("canary"), "{expected}: {error}");
        }
        let settings = TraceSettings {
            headers: [("authorization".to_owned(), HeaderText::Secret(SecretRef::Env("NO_SUCH_TOKEN".into())))].into(),
            ..at("http://file")
        };
        assert!(format!("{:#}", find(&settings, &[]).unwrap_err()).contains("NO_SUCH_TOKEN is not set"));
    }

    #[test]
    fn headers_of_the_file_stand_over_those_of_the_variable_and_are_never_shown() {
        let plain = |text: &str| HeaderText::Plain(text.into());
        let headers = [("x-tenant".to_owned(), plain("canary-1"))].into();
        let settings = TraceSettings { headers, ..at("http://file") };
        let list = "X-Tenant=other, authorization=Basic%20canary-2";
        let found = find(&settings, &[("OTEL_EXPORTER_OTLP_HEADERS", list)]).unwrap().unwrap();
        let of = |name| found.headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!((of("x-tenant"), of("authorization")), (Some("canary-1"), Some("Basic canary-2")));
        assert!(!format!("{found:?}").contains("canary"), "{found:?}");
    }

    #[test]
    fn the_process_is_named_by_its_variables() {
        let said = |variables: &[(&str, &str)]| {
            let found = find(&at("http://file"), variables).unwrap().unwrap();
            let attributes = found.resource.attributes.iter();
            attributes.map(|pair| (pair.key.clone(), format!("{:?}", pair.value))).collect::<BTreeMap<_, _>>()
        };
        assert!(said(&[])["service.name"].contains("\"gristmill\""));
        let list = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,deployment.environment.name=test%20one");
        let both = said(&[list]);
        assert!(both["service.name"].contains("\"a\""), "{both:?}");
        assert!(both["deployment.environment.name"].contains("\"test one\""), "{both:?}");
        assert!(said(&[list, ("OTEL_SERVICE_NAME", "b")])["service.name"].contains("\"b\""));
    }
}
