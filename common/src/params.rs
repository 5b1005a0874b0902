//! The parameters of an OAuth request, read more strictly than a web framework does.

use std::{collections::HashMap, fmt, time::Duration};

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;

use crate::error::{Detail, Error, Result};

/// How long a form may take to arrive: less than the whole request may, so that a slow client gets
/// a 408 and not the 504 of a slow server.
const FORM_TIMEOUT: Duration = Duration::from_secs(10);

/// The parameters of the query of a `GET`, or of the form that a `POST` sends.
///
/// Only `scope` and `resource` may be repeated, and an empty parameter counts as missing (RFC 6749,
/// section 3.1). One that is not UTF-8 (appendix B) or has control characters is rejected instead
/// of repaired: two different inputs must never become the same user name.
#[derive(Debug)]
pub struct Params(Unchecked);

/// Parameters of which some may be malformed: for an endpoint that must read some of them, such as
/// `redirect_uri`, to know where to report that others are malformed.
#[derive(Default)]
pub struct Unchecked {
    /// `None` where the parameter is repeated or malformed.
    values: HashMap<String, Option<String>>,
    repeats_scope: bool,
    resources: Vec<String>,
    problem: Option<&'static str>,
}

/// The values can be codes, states and passwords, so `Debug` shows the names alone.
impl fmt::Debug for Unchecked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Params {
    /// Parses `a=b&c=d`. Fails with [`Error::Malformed`] for a repeated parameter, a broken escape or
    /// a forbidden character.
    pub fn parse(raw: &str) -> Result<Self> {
        Unchecked::parse(raw).check()
    }

    /// The value of a parameter, when it has one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)
    }

    /// Every `resource`, the one parameter that the standards let a client repeat (RFC 8707, section
    /// 2). [`Params::get`] returns the first.
    pub fn resources(&self) -> &[String] {
        &self.0.resources
    }

    /// The parameters that have a value, as a struct of strings. Fails when one that the struct
    /// requires is missing.
    pub fn read<T: DeserializeOwned>(self) -> Result<T> {
        let values = self.0.values.into_iter();
        let values = values.filter_map(|(name, value)| {
            Some((name, value.filter(|value| !value.is_empty())?.into()))
        });
        // The error would repeat a value that does not fit, which can be a password.
        serde_json::from_value(Value::Object(values.collect()))
            .map_err(|_| Error::Malformed("a parameter is missing".into()))
    }
}

impl Unchecked {
    pub(crate) fn parse(raw: &str) -> Self {
        let mut params = Self::default();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match (decode(name), decode(value)) {
                (Ok(name), Ok(value)) => params.insert(name, value),
                (Ok(name), Err(problem)) => {
                    params.values.insert(name, None);
                    params.problem = Some(problem);
                }
                (Err(problem), _) => params.problem = Some(problem),
            }
        }
        params
    }

    fn insert(&mut self, name: String, value: String) {
        if name == "resource" && !value.is_empty() {
            self.resources.push(value.clone());
        }
        match self.values.get_mut(&name) {
            None => {
                self.values.insert(name, Some(value));
            }
            // A form with check boxes sends one `scope` for each; together they are the list.
            Some(Some(scopes)) if name == "scope" => {
                *scopes = format!("{scopes} {value}");
                self.repeats_scope = true;
            }
            Some(Some(_)) if name == "resource" => {}
            Some(earlier) => {
                *earlier = None;
                self.problem = Some("a parameter is sent more than once");
            }
        }
    }

    /// The value of a parameter, when it has exactly one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values
            .get(name)?
            .as_deref()
            .filter(|value| !value.is_empty())
    }

    /// Whether the parameter is there at all, even if its value is malformed.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Whether `scope` was sent more than once, which only a form with check boxes may do (RFC
    /// 6749, section 3.1).
    pub fn repeats_scope(&self) -> bool {
        self.repeats_scope
    }

    /// The parameters, when nothing is wrong with any.
    pub fn check(self) -> Result<Params> {
        match self.problem {
            None => Ok(Params(self)),
            Some(problem) => Err(Error::Malformed(problem.into())),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Params {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let params = Unchecked::from_request(request, state).await?;
        params.check().map_err(IntoResponse::into_response)
    }
}

/// [`Params`] as a struct, which names the expected parameters. `OpenAPI` can describe the same
/// struct.
pub struct Strict<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Strict<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let params = Params::from_request(request, state).await?;
        params.read().map(Self).map_err(IntoResponse::into_response)
    }
}

impl<S: Send + Sync> FromRequest<S> for Unchecked {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        if request.method() == Method::GET {
            return Ok(Self::parse(request.uri().query().unwrap_or_default()));
        }
        let content_type = request.headers().get(header::CONTENT_TYPE);
        let media_type = content_type.and_then(|value| value.to_str().ok()?.split(';').next());
        if !media_type.is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case(FORM)) {
            let expected = "send the parameters as a form (application/x-www-form-urlencoded)";
            return Err(Error::Malformed(expected.into()).into_response());
        }
        let too_slow = (
            StatusCode::REQUEST_TIMEOUT,
            Detail::of("sending the form took too long"),
        );
        let body = timeout(FORM_TIMEOUT, Bytes::from_request(request, state))
            .await
            .map_err(|_| too_slow.into_response())?
            .map_err(IntoResponse::into_response)?;
        match std::str::from_utf8(&body) {
            Ok(text) => Ok(Self::parse(text)),
            Err(_) => Err(Error::Malformed(NOT_UTF8.into()).into_response()),
        }
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

const NOT_UTF8: &str = "a parameter is not valid UTF-8";

/// Undoes form encoding (RFC 6749, appendix B). Fails with what is wrong: a broken escape, not UTF-8,
/// a control character.
pub fn decode(encoded: &str) -> Result<String, &'static str> {
    let whole = |escape: &[u8]| matches!(escape, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit());
    if !encoded
        .split('%')
        .skip(1)
        .all(|escape| whole(escape.as_bytes()))
    {
        return Err("a parameter has an invalid percent escape");
    }
    let spaced = encoded.replace('+', " ");
    let text = percent_decode_str(&spaced)
        .decode_utf8()
        .map_err(|_| NOT_UTF8)?;
    if text.chars().any(char::is_control) {
        return Err("a parameter has a control character");
    }
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scope_may_be_repeated() {
        let params = Params::parse("scope=a&x=1&scope=b+c").unwrap();
        assert_eq!(params.get("scope"), Some("a b c"));
        assert!(Params::parse("state=a&state=a").is_err());
        assert!(Params::parse("state=&state=a").is_err());
    }

    #[test]
    fn every_resource_is_kept() {
        let params = Params::parse("resource=a&resource=&resource=b").unwrap();
        assert_eq!(params.resources(), ["a", "b"]);
        assert!(Params::parse("resource=a&resource=%ff").is_err());
    }

    #[test]
    fn a_struct_gets_the_parameters_that_have_a_value() {
        #[derive(serde::Deserialize)]
        struct Form {
            code: String,
            state: Option<String>,
        }
        let read = |raw| Params::parse(raw).unwrap().read::<Form>();
        let form = read("code=a%20b&state=&more=1").unwrap();
        assert_eq!((&*form.code, form.state), ("a b", None));
        assert!(matches!(read("code="), Err(Error::Malformed(_))));
    }

    #[test]
    fn a_parameter_that_is_wrong_has_no_value() {
        let params = Unchecked::parse("a=1&a=2&b=%ff&c=3");
        assert_eq!(
            (params.get("a"), params.get("b"), params.get("c")),
            (None, None, Some("3"))
        );
    }

    #[test]
    fn an_empty_parameter_counts_as_left_out() {
        let params = Params::parse("state=&&code").unwrap();
        assert_eq!(
            (params.get("state"), params.get("code"), params.get("error")),
            (None, None, None)
        );
    }

    #[test]
    fn malformed_text_is_refused_and_not_repaired() {
        for raw in [
            "a=%zz", "a=%", "a=%f", "a=%ff", "%ff=a", "a=%00", "a=%0d%0a", "a=%C2%85", "a=%+1",
        ] {
            assert!(Params::parse(raw).is_err(), "{raw}");
        }
        assert_eq!(
            Params::parse("a=%C3%A9%2B+%25").unwrap().get("a"),
            Some("é+ %")
        );
    }
}
