//! The page at `/`: says what runs here, until the web client takes its place.

use axum::{
    http::header,
    response::{Html, IntoResponse},
};

/// The page.
pub(super) async fn about() -> Html<&'static str> {
    Html(include_str!("about.html"))
}

/// Its style.
pub(super) async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("about.css"))
}
