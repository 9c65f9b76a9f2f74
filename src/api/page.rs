//! The page to try the API in a browser: one file, no build step, no request to anywhere else.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

const PAGE: &str = include_str!("page.html");

/// The page with its headers; made once.
#[derive(Clone)]
pub(super) struct Page {
    policy: HeaderValue,
}

impl Page {
    /// Computes the page's content security policy: only its own script and its own style run.
    pub(super) fn new() -> Self {
        let script = hash(&between(PAGE, "<script>", "</script>"));
        let style = hash(&between(PAGE, "<style>", "</style>"));
        let policy = format!(
            "default-src 'none'; script-src {script}; style-src {style}; img-src blob: data:; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        Self { policy: HeaderValue::try_from(policy).expect("a policy is made of ASCII") }
    }

    /// The answer to `GET /`.
    pub(super) fn response(&self) -> Response {
        let mut response = PAGE.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}

fn between(text: &str, start: &str, end: &str) -> String {
    let (_, rest) = text.split_once(start).expect("the page has a script and a style");
    let (inner, _) = rest.split_once(end).expect("the page's elements are closed");
    inner.to_owned()
}

fn hash(text: &str) -> String {
    format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_asks_nobody_else_for_anything() {
        assert_eq!(PAGE.matches("<script>").count(), 1);
        assert_eq!(PAGE.matches("<style>").count(), 1);
        for attribute in ["src=\"http", "href=\"http", "src=\"//", "url(http", "@import", " style=\"", " onclick="] {
            assert!(!PAGE.contains(attribute), "{attribute}");
        }
    }
}
