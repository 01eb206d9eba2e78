//! Which path leads where, and what surrounds every request.

mod headers;
mod health;
mod requests;
mod uploads;

use axum::{
    Router, middleware,
    routing::{any, get},
};
use tower_http::compression::CompressionLayer;

use crate::{
    graphql::{self, Graph},
    web,
};

/// Every route of the server.
pub(crate) fn router(graph: Graph) -> Router {
    let secure = graph.state().secure_cookies;
    let routes = Router::new()
        .route("/", get(web::sign_in))
        .route("/app", get(web::feed))
        .route("/user/{username}", get(web::profile))
        .route("/chats", get(web::chats))
        .route("/chats/{id}", get(web::chat))
        .route("/settings", get(web::settings))
        .route("/assets/{hash}/{*path}", get(web::serve))
        .route("/graphql", any(graphql::http::handle))
        .route("/subscriptions", any(graphql::http::handle_subscriptions))
        .route("/uploads/{name}", get(uploads::serve))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .fallback(web::nothing)
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn(requests::surround));
    headers::secure(routes, secure).with_state(graph)
}
