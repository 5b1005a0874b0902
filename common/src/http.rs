//! The HTTP client for the provider. The `oauth2` crate uses it for the token endpoint, and we use
//! it for API calls.

use std::{error::Error as _, iter, pin::Pin, time::Duration};

use axum_extra::headers::{Authorization, HeaderMapExt};
use oauth2::{
    AccessToken, AsyncHttpClient, HttpRequest, HttpResponse,
    http::{HeaderValue, Method, StatusCode, header},
};
use reqwest::{Client, redirect::Policy};
use url::Url;

/// The largest answer of a provider that is read, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// Connections to the provider, shared by all requests and kept alive.
#[derive(Clone, Debug)]
pub struct Http(Client);

/// Why there is no usable response.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Too slow. `sent` is false when there was no connection yet, so nothing was sent.
    #[error("no response in time")]
    Timeout { sent: bool },
    /// No connection: nothing was sent.
    #[error("{0}")]
    NotSent(String),
    /// The response was lost, or is not HTTP.
    #[error("{0}")]
    Failed(String),
    /// Longer than the limit.
    #[error("a response of more than {MAX_BODY} bytes")]
    TooLarge,
    /// A redirect, which is not followed, or a server error.
    #[error("status {0}")]
    Status(StatusCode),
}

impl Http {
    /// `direct` ignores a proxy that the environment names, for a provider on this machine. Fails
    /// when there are no root certificates to check the provider's with.
    pub fn new(direct: bool) -> Result<Self, String> {
        // The cryptography for TLS, unless the program has already chosen another.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            // To follow a redirect would send the code and the client secret wherever it points.
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(10))
            .user_agent(concat!("oauth2-axum-examples/", env!("CARGO_PKG_VERSION")));
        let client = if direct { client.no_proxy() } else { client };
        let no_certificates = |error| format!("cannot be used: {error}; install ca-certificates");
        client.build().map(Self).map_err(no_certificates)
    }

    /// `GET` of JSON, with the token that grants access to it.
    pub async fn get(
        &self,
        url: &Url,
        token: Option<&AccessToken>,
    ) -> Result<HttpResponse, HttpError> {
        let mut request = request(Method::GET, url, Vec::new());
        if let Some(token) = token {
            // In the header, never in the URL, which ends up in logs (RFC 6750, section 2.3).
            let bearer = Authorization::bearer(token.secret());
            let bearer = bearer
                .map_err(|_| HttpError::NotSent("this token cannot be sent in a header".into()))?;
            request.headers_mut().typed_insert(bearer);
        }
        self.send(request).await
    }

    /// One request, one response: nothing is sent again, as a code works only once.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let mut answer = self.0.execute(request.try_into()?).await?;
        let status = answer.status();
        // oauth2 would take a 500 with `{"error": ...}` for the provider's considered answer.
        if status.is_redirection() || status.is_server_error() {
            return Err(HttpError::Status(status));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(HttpError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let media_type = answer.headers_mut().remove(header::CONTENT_TYPE);
        let mut response = HttpResponse::new(body);
        *response.status_mut() = status;
        let media_type = media_type.map(|media_type| (header::CONTENT_TYPE, media_type));
        response.headers_mut().extend(media_type);
        Ok(response)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

/// A request for JSON.
pub(crate) fn request(method: Method, url: &Url, body: Vec<u8>) -> HttpRequest {
    let mut request = HttpRequest::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = url
        .as_str()
        .parse()
        .expect("a URL from the settings is a URI");
    let json = HeaderValue::from_static("application/json");
    request.headers_mut().insert(header::ACCEPT, json);
    request
}

impl From<reqwest::Error> for HttpError {
    fn from(error: reqwest::Error) -> Self {
        let sent = !error.is_connect();
        if error.is_timeout() {
            return Self::Timeout { sent };
        }
        // The sources say what happened; the URL may have a query with secrets in it.
        let error = error.without_url();
        let sources = iter::successors(error.source(), |&source| source.source());
        let sources = sources.map(ToString::to_string);
        let why = iter::once(error.to_string()).chain(sources);
        let why = why.collect::<Vec<_>>().join(": ");
        if sent {
            Self::Failed(why)
        } else {
            Self::NotSent(why)
        }
    }
}
