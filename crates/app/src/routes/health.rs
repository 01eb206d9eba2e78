//! What load balancers and container health checks ask.

use axum::{extract::State, http::StatusCode};

use crate::graphql::Graph;

/// The process is alive. Says nothing of the database: its outage is no reason to restart this.
pub(super) async fn alive() -> &'static str {
    "alive\n"
}

/// Requests are welcome: 200, or 503 and the reason.
pub(super) async fn ready(State(graph): State<Graph>) -> (StatusCode, String) {
    match graph.state().readiness.check().await {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
    }
}
