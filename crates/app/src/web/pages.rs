//! Pages: who asks, what the API answers, and both put into markup.

use async_graphql::Variables;
use axum::extract::{Path, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, StatusCode, request::Parts};
use axum::response::{Html, IntoResponse, Redirect, Response};
use chrono::DateTime;
use serde_json::{Map, Value, json};

use super::files::{Files, FilesError};
use super::template::Scope;
use crate::graphql::{Graph, Operation, http as transport};

/// A page that can't be shown.
enum Trouble {
    /// Nobody is signed in.
    Anonymous,
    /// Something is wrong here.
    Server,
}

impl From<FilesError> for Trouble {
    fn from(error: FilesError) -> Self {
        tracing::error!(%error, "the web client can't be read");
        Self::Server
    }
}

/// `/`: sign in or up; who is signed in goes on.
pub(crate) async fn sign_in(State(graph): State<Graph>, parts: Parts) -> Response {
    let query = parts.uri.query().unwrap_or_default();
    let mut query = url::form_urlencoded::parse(query.as_bytes());
    let next = query.find(|(name, _)| name == "next").map(|(_, next)| next.into_owned());
    // Only to a page of ours: `//host` and `/\host` are others.
    let is_ours = |next: &String| {
        next.starts_with('/')
            && !next.starts_with("//")
            && !next.contains(|it: char| it == '\\' || it.is_control())
    };
    let next = next.filter(is_ours).unwrap_or_else(|| "/app".to_owned());
    match transport::session(&graph, &parts).await {
        Ok(Some(_)) => Redirect::to(&next).into_response(),
        Ok(None) => {
            let data = json!({ "view": "sign-in", "title": "Graphbook", "next": next });
            answer(&graph, page(&graph, StatusCode::OK, data), &parts)
        }
        Err(()) => answer(&graph, Err(Trouble::Server), &parts),
    }
}

/// `/app`: everybody's posts.
pub(crate) async fn feed(State(graph): State<Graph>, parts: Parts) -> Response {
    show(&graph, &parts, "Feed", json!({}), |data| (data, "feed", "Feed".to_owned())).await
}

/// `/user/NAME`: a person, and what they wrote.
pub(crate) async fn profile(
    State(graph): State<Graph>,
    Path(username): Path<String>,
    parts: Parts,
) -> Response {
    show(&graph, &parts, "Profile", json!({ "username": username }), |data| {
        let name = data.pointer("/user/username").and_then(Value::as_str).map(ToOwned::to_owned);
        name.map_or((Value::Null, "not-found", String::new()), |name| (data, "profile", name))
    })
    .await
}

/// `/chats`: all chats of somebody, beside the feed where there is room.
pub(crate) async fn chats(State(graph): State<Graph>, parts: Parts) -> Response {
    show(&graph, &parts, "Feed", json!({}), |data| {
        (with(data, "place", "chats".into()), "feed", "Chats".to_owned())
    })
    .await
}

/// `/chats/ID`: a chat, beside the feed where there is room.
pub(crate) async fn chat(
    State(graph): State<Graph>,
    Path(id): Path<String>,
    parts: Parts,
) -> Response {
    let Ok(id) = id.parse::<i32>() else { return nothing(State(graph), parts).await };
    show(&graph, &parts, "Chat", json!({ "chatId": id }), |data| {
        let chat = data.get("chat").filter(|chat| !chat.is_null()).cloned();
        let Some(chat) = chat else { return (Value::Null, "not-found", String::new()) };
        let data = with(with(data, "windows", json!([chat])), "place", "chat".into());
        (data, "feed", "Chat".to_owned())
    })
    .await
}

/// `/settings`: picture, password, sessions.
pub(crate) async fn settings(State(graph): State<Graph>, parts: Parts) -> Response {
    show(&graph, &parts, "Frame", json!({}), |data| (data, "settings", "Settings".to_owned())).await
}

/// Whatever else is asked for: a page for who wants one.
pub(crate) async fn nothing(State(graph): State<Graph>, parts: Parts) -> Response {
    let wants_page = |headers: &HeaderMap| {
        let accepted = headers.get(ACCEPT).and_then(|it| it.to_str().ok()).unwrap_or_default();
        accepted.contains("text/html")
    };
    if !wants_page(&parts.headers) {
        return (StatusCode::NOT_FOUND, "There is nothing here.\n").into_response();
    }
    let nothing = |_| (Value::Null, "not-found", String::new());
    match view(&graph, &parts, "Frame", json!({}), nothing).await {
        // Who is not signed in hears the same.
        Err(Trouble::Anonymous) => {
            let data = json!({ "view": "not-found", "title": "Not found" });
            answer(&graph, page(&graph, StatusCode::NOT_FOUND, data), &parts)
        }
        answered => answer(&graph, answered, &parts),
    }
}

fn with(mut data: Value, key: &str, value: Value) -> Value {
    if let Some(members) = data.as_object_mut() {
        members.insert(key.to_owned(), value);
    }
    data
}

/// Shows a page to who is signed in; sends everybody else to sign in, and back.
async fn show(
    graph: &Graph,
    parts: &Parts,
    document: &str,
    variables: Value,
    shape: impl FnOnce(Value) -> (Value, &'static str, String),
) -> Response {
    let page = view(graph, parts, document, variables, shape).await;
    answer(graph, page, parts)
}

/// Asks, and fills the page. `shape` says what of the answer is shown, in which view, under which title;
/// nothing for what is not there.
async fn view(
    graph: &Graph,
    parts: &Parts,
    document: &str,
    variables: Value,
    shape: impl FnOnce(Value) -> (Value, &'static str, String),
) -> Result<Response, Trouble> {
    let data = ask(graph, parts, document, variables).await?;
    let frame = ["currentUser", "chats"].map(|key| data.get(key).cloned().unwrap_or_default());
    let (shown, view, title) = shape(data);
    let status = if shown.is_null() { StatusCode::NOT_FOUND } else { StatusCode::OK };
    let mut all = match shown {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    let title = if title.is_empty() { "Not found".to_owned() } else { title };
    let [viewer, chats] = frame;
    for (key, value) in [
        ("viewer", viewer),
        ("chats", chats),
        ("view", view.into()),
        ("title", format!("{title} – Graphbook").into()),
    ] {
        all.insert(key.to_owned(), value);
    }
    page(graph, status, all.into())
}

/// What the API answers to a document of the client, with what stands around every page.
async fn ask(
    graph: &Graph,
    parts: &Parts,
    document: &str,
    mut variables: Value,
) -> Result<Value, Trouble> {
    let files = Files::load()?;
    let session = transport::session(graph, parts).await.map_err(|()| Trouble::Server)?;
    if session.is_none() {
        return Err(Trouble::Anonymous);
    }
    if let Some(variables) = variables.as_object_mut() {
        variables.insert("frame".to_owned(), true.into());
    }
    let operation = Operation {
        query: files.documents.get(document).cloned().unwrap_or_default(),
        operation_name: Some(document.to_owned()),
        variables: Some(Variables::from_json(variables)),
    };
    let caller = transport::caller_of(graph, parts, session);
    let reply = match graph.prepare(operation, caller) {
        Ok(prepared) => graph.execute(prepared).await,
        Err(reply) => reply,
    };
    let mut reply = serde_json::to_value(&reply).unwrap_or_default();
    // What is not somebody's to see is not there for them: the rest of the page is.
    let is_absence = |error: &Value| {
        let code = error.pointer("/extensions/code").and_then(Value::as_str);
        matches!(code, Some("FORBIDDEN" | "BAD_USER_INPUT"))
    };
    let errors = reply.get("errors").and_then(Value::as_array);
    if errors.is_some_and(|errors| !errors.iter().all(is_absence)) {
        tracing::error!(document, reply = %reply, "a page's query failed");
        return Err(Trouble::Server);
    }
    Ok(reply.get_mut("data").map(Value::take).unwrap_or_default())
}

/// Fills the page.
fn page(graph: &Graph, status: StatusCode, mut data: Value) -> Result<Response, Trouble> {
    let files = Files::load()?;
    let is_signed_in = data.get("viewer").is_some();
    if let Some(data) = data.as_object_mut() {
        data.insert("base".to_owned(), files.base.as_str().into());
    }
    let now = DateTime::from_timestamp_micros(graph.state().clock.now()).unwrap_or_default();
    let html = files.parts.render("page", &Scope::new(&data), now);
    let html = html.replacen("</head>", &files.head_end, 1);
    let html = if is_signed_in { html.replacen("</body>", &files.body_end, 1) } else { html };
    let html = format!("<!doctype html>{html}");
    Ok((status, [(CACHE_CONTROL, "no-store")], Html(html)).into_response())
}

fn answer(graph: &Graph, page: Result<Response, Trouble>, parts: &Parts) -> Response {
    match page {
        Ok(response) => response,
        Err(Trouble::Anonymous) => {
            let path = parts.uri.path_and_query().map_or("/app", PathAndQuery::as_str);
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            Redirect::to(&format!("/?{}", query.append_pair("next", path).finish())).into_response()
        }
        Err(Trouble::Server) => {
            let data = json!({ "view": "trouble", "title": "Graphbook is unwell" });
            let status = StatusCode::SERVICE_UNAVAILABLE;
            self::page(graph, status, data).unwrap_or_else(|_| {
                (status, "Something is wrong here. Try again in a moment.\n").into_response()
            })
        }
    }
}
