//! HTTP: the hosted API's call on the embedded engine, a page to try it, and the probes that an orchestrator asks for.
//!
//! Nothing is stored, and no image, field value or token is logged at any level.

mod admission;
mod body;
mod error;
mod incoming;
mod keys;
mod observe;
mod ocr;
mod openapi;
mod page;
mod patient_stream;
mod probes;
mod server;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware;
use axum::routing::{get, post};
use axum::{Json, Router};

use self::admission::Admission;
use self::error::{ApiError, Code};
use self::incoming::Incoming;
use self::keys::Access;
use self::ocr::{RequestLimits, Service};
use self::page::Page;
use crate::config::{self, Settings};
use crate::health::Health;
use crate::reader::EmbeddedReader;
use crate::telemetry::Metrics;

pub use probes::probes;
pub use server::{Patience, serve};

/// Everything that `idmill serve` answers.
///
/// # Errors
/// The settings name no way to know callers, or a file of keys that cannot be used.
pub fn router(settings: &Settings, reader: EmbeddedReader, health: Arc<Health>, metrics: Metrics) -> anyhow::Result<Router> {
    let api = &settings.api;
    let access = Access::open(api)?;
    let limits = RequestLimits {
        max_body_bytes: api.max_body_bytes,
        max_image_bytes: api.max_image_bytes,
        max_pixels: settings.engine.max_pixels,
        read_timeout: api.read_timeout,
    };
    let description = openapi::document(limits, matches!(access, Access::Open));
    let admission = Admission::new(reader.instances(), api.queue, api.max_body_bytes);
    let service = Arc::new(Service { access, reader, admission, limits, mask_aadhaar: settings.privacy.mask_aadhaar });

    let mut router = Router::new()
        .route("/ai/v1/ocr", post(ocr::read_document))
        // The handler counts bytes itself, and says so in the documented form.
        .layer(DefaultBodyLimit::disable())
        .with_state(service)
        .route("/openapi.json", get(async move || Json(description)));
    if api.page {
        let page = Page::new();
        router = router.route("/", get(async move || page.response()));
    }
    let refuse = |code: Code| {
        async move |request: Request| {
            let (head, body) = request.into_parts();
            Incoming::new(&head.headers, body, limits).discard().await;
            ApiError::from(code)
        }
    };
    Ok(router
        .merge(probes(health, metrics))
        // The router adds which methods there are.
        .method_not_allowed_fallback(refuse(Code::MethodNotAllowed))
        .fallback(refuse(Code::NotFound))
        .layer(middleware::from_fn(observe::observe)))
}

/// How many keys callers may sign their tokens with; `None` where they need none.
///
/// # Errors
/// As [`router`] about callers.
pub(crate) fn n_keys(api: &config::Api) -> anyhow::Result<Option<usize>> {
    Ok(Access::open(api)?.n_keys())
}
