//! Which path leads where, and what surrounds every request.

mod headers;
mod health;
mod pages;
mod requests;
mod uploads;

use axum::{
    Router,
    http::StatusCode,
    middleware,
    routing::{any, get},
};
use tower_http::compression::CompressionLayer;

use crate::graphql::{self, Graph};

/// Every route of the server.
pub(crate) fn router(graph: Graph) -> Router {
    let secure = graph.state().secure_cookies;
    let routes = Router::new()
        .route("/", get(pages::about))
        .route("/about.css", get(pages::style))
        .route("/graphql", any(graphql::http::handle))
        .route("/subscriptions", any(graphql::http::handle_subscriptions))
        .route("/uploads/{name}", get(uploads::serve))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .fallback(|| async { (StatusCode::NOT_FOUND, "There is nothing here.\n") })
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn(requests::surround));
    headers::secure(routes, secure).with_state(graph)
}
