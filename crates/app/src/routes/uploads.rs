//! Uploaded pictures. Their names are made from their content, so they never change.

use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::graphql::Graph;

/// Serves a picture.
pub(super) async fn serve(
    State(graph): State<Graph>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let etag = format!("\"{name}\"");
    match graph.state().avatars.open(&name).await {
        Ok(Some(file)) => {
            let fixed = [
                (header::CONTENT_TYPE, file.content_type),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
                (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
                // Pictures may be shown anywhere.
                (header::HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
            ];
            let known = headers
                .get(header::IF_NONE_MATCH)
                .is_some_and(|value| value.as_bytes() == etag.as_bytes());
            let body = if known {
                StatusCode::NOT_MODIFIED.into_response()
            } else {
                file.bytes.into_response()
            };
            (fixed, [(header::ETAG, etag)], body).into_response()
        }
        Ok(None) => (StatusCode::NOT_FOUND, "There is no such picture.\n").into_response(),
        Err(error) => {
            tracing::error!(%error, name, "can't read a picture");
            (StatusCode::SERVICE_UNAVAILABLE, "The picture can't be read now.\n").into_response()
        }
    }
}
