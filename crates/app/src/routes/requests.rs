//! What surrounds every request: an id, a time limit, a line in the log, and a net under panics.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt as _;
use tokio::time::timeout;
use tracing::{Instrument as _, field};

use crate::{
    graphql::Reply,
    http::{RequestId, request_id},
};

/// How long a request may take, from its head to the head of its response; what a client takes
/// to send the body is part of it.
const LIMIT: Duration = Duration::from_secs(30);

/// Handles a request with all that surrounds it.
pub(super) async fn surround(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let RequestId(id) = RequestId::of(request.headers());
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
        response.headers_mut().insert(request_id::HEADER, value);
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

fn unexpected(status: StatusCode, id: &str) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
    (status, json, Reply::internal(status, id).to_json()).into_response()
}
