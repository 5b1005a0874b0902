//! The look of the few HTML pages: one frame, one stylesheet, no script.

use std::fmt::Display;

use askama::Template;
use axum::{
    Extension,
    http::{HeaderName, header},
    response::{Html, IntoResponse, Response},
};
use url::{Host, Url};

use crate::error::Finished;

/// A page whose content comes from a template that escapes all values.
#[derive(Debug)]
pub struct Page<T> {
    title: &'static str,
    content: T,
    form_action: Option<String>,
}

impl<T: Template> Page<T> {
    /// A page with this title.
    pub fn new(title: &'static str, content: T) -> Self {
        Self {
            title,
            content,
            form_action: None,
        }
    }

    /// Lets a form's response redirect to the origin of this URL, in addition to our own: browsers
    /// apply the policy `form-action` to redirects too.
    #[must_use]
    pub fn form_redirects_to(mut self, url: &Url) -> Self {
        self.form_action = Some(match url.host() {
            // A policy cannot name an IPv6 address (Content Security Policy, section 2.3.1), so this
            // allows each host, but only at this port.
            Some(Host::Ipv6(_)) => {
                let port = url.port_or_known_default().unwrap_or_default();
                format!("{}://*:{port}", url.scheme())
            }
            _ => url.origin().ascii_serialization(),
        });
        self
    }
}

#[derive(Template)]
#[template(path = "layout.html")]
struct Layout<T: Display> {
    title: &'static str,
    content: T,
}

impl<T: Template + Display> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        let mut html = String::with_capacity(Layout::<T>::SIZE_HINT + T::SIZE_HINT);
        let layout = Layout {
            title: self.title,
            content: self.content,
        };
        layout
            .render_into(&mut html)
            .expect("writing to a string cannot fail");
        // `same-origin` would cut off the page that opened this one: a login may run in a popup.
        let opener = if self.form_action.is_some() {
            "unsafe-none"
        } else {
            "same-origin"
        };
        let redirect = self
            .form_action
            .map_or(String::new(), |origin| format!(" {origin}"));
        let policy = format!(
            "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; \
             frame-ancestors 'none'; form-action 'self'{redirect}"
        );
        let headers = [
            (header::CONTENT_SECURITY_POLICY, policy),
            // `no-referrer` would make a form send `Origin: null`, which looks like another site.
            (header::REFERRER_POLICY, "same-origin".to_owned()),
            (CROSS_ORIGIN_OPENER_POLICY, opener.to_owned()),
        ];
        // A form that is shown again with a 4xx must not become an error page.
        (headers, Extension(Finished), Html(html)).into_response()
    }
}

const CROSS_ORIGIN_OPENER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-opener-policy");

/// `GET /style.css`: the stylesheet of every page.
pub async fn stylesheet() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "max-age=3600"),
    ];
    (headers, include_str!("style.css"))
}
