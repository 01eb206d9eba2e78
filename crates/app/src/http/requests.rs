//! What surrounds every request: an id, a time limit, a line in the log, and a net under panics.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt as _;
use tokio::time::timeout;
use tracing::{Instrument as _, field};

use crate::graphql::Reply;

/// How long a request may take, from its head to the head of its response; what a client takes
/// to send the body is part of it.
const LIMIT: Duration = Duration::from_secs(30);

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// What a request is called, in the log and in every error.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// Handles a request with all that surrounds it.
pub(super) async fn surround(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = incoming_id(request.headers()).unwrap_or_else(new_id);
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let span = tracing::info_span!("request", id, operation = field::Empty);

    let handled = AssertUnwindSafe(timeout(LIMIT, next.run(request))).catch_unwind();
    let mut response = match handled.instrument(span.clone()).await {
        Ok(Ok(response)) => response,
        Ok(Err(_elapsed)) => {
            span.in_scope(|| tracing::error!(%method, path, "a request took too long"));
            unexpected(StatusCode::SERVICE_UNAVAILABLE, &id)
        }
        // The panic hook has logged it.
        Err(_panic) => unexpected(StatusCode::INTERNAL_SERVER_ERROR, &id),
    };

    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    let status = response.status().as_u16();
    let duration_ms = started.elapsed().as_micros() as f64 / 1_000.0;
    span.in_scope(|| {
        // What load balancers ask every few seconds is not worth a line each.
        if matches!(path.as_str(), "/healthz" | "/readyz") {
            tracing::debug!(%method, path, status, duration_ms, "answered");
        } else {
            tracing::info!(%method, path, status, duration_ms, "answered");
        }
    });
    response
}

/// The id that a proxy or client gave, if it is fit to be repeated and logged.
fn incoming_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(HEADER)?.to_str().ok()?;
    let fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'=');
    ((1..=64).contains(&id.len()) && id.bytes().all(fit)).then(|| id.to_owned())
}

fn new_id() -> String {
    let mut bytes = [0; 8];
    // Without randomness an id is less unique, and nothing else.
    let _ = getrandom::fill(&mut bytes);
    format!("{:016x}", u64::from_be_bytes(bytes))
}

fn unexpected(status: StatusCode, id: &str) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
    (status, json, Reply::internal(status, id).to_json()).into_response()
}
