//! GraphQL over HTTP
//! ([specification](https://graphql.github.io/graphql-over-http/draft/)): a request in, one
//! [`Reply`] out.

mod body;
mod media;
mod multipart;

use async_graphql::parser::types::OperationType;
use axum::{
    extract::{FromRequestParts as _, Request, State, WebSocketUpgrade},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, UPGRADE},
        request::Parts,
    },
    response::{IntoResponse, Response},
};

use self::media::MediaType;
use super::{Caller, Graph, Operation, Reply, errors::BAD_USER_INPUT, ws};
use crate::{
    http::{RequestId, client, client::Peer, cookies, is_cross_site},
    store::{Session, StoreError},
};

/// Answers `/graphql`: queries, mutations, and sockets.
pub async fn handle(State(graph): State<Graph>, request: Request) -> Response {
    if wants_socket(&request) {
        return upgrade(graph, request).await;
    }
    let (parts, body) = request.into_parts();
    let id = request_id(&parts);
    let Some(media) = MediaType::negotiate(&parts.headers) else {
        let message = "Accept application/graphql-response+json or application/json.";
        let reply = Reply::bad_input(StatusCode::NOT_ACCEPTABLE, message, &id);
        return respond(&reply, MediaType::Json);
    };
    match answer(&graph, parts, body, id).await {
        Ok(reply) => respond(&reply, media),
        Err(Refusal { reply, allow }) => {
            let mut response = respond(&reply, media);
            if let Some(methods) = allow {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
            }
            response
        }
    }
}

/// Answers `/subscriptions`, where the first Graphbook's clients open their sockets.
pub async fn handle_subscriptions(State(graph): State<Graph>, request: Request) -> Response {
    if wants_socket(&request) {
        return upgrade(graph, request).await;
    }
    (StatusCode::UPGRADE_REQUIRED, [(UPGRADE, "websocket")], "This is for WebSockets.\n")
        .into_response()
}

/// Whether a socket is asked for. Other upgrades that clients offer, such as to HTTP/2, are not
/// taken up, which is ours to decide (RFC 9110, section 7.8).
fn wants_socket(request: &Request) -> bool {
    let offered = request.headers().get_all(UPGRADE).iter();
    request.method() == Method::GET
        && offered
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
}

/// A reply before anything was executed.
struct Refusal {
    reply: Reply,
    /// For 405: the methods that would do.
    allow: Option<&'static str>,
}

impl From<Reply> for Refusal {
    fn from(reply: Reply) -> Self {
        Self { reply, allow: None }
    }
}

async fn answer(
    graph: &Graph,
    parts: Parts,
    body: axum::body::Body,
    id: String,
) -> Result<Reply, Refusal> {
    let reads_only = match parts.method {
        Method::GET => true,
        Method::POST => false,
        _ => {
            let message = "GraphQL is asked with GET or POST.";
            let reply = Reply::bad_input(StatusCode::METHOD_NOT_ALLOWED, message, &id);
            return Err(Refusal { reply, allow: Some("GET, POST") });
        }
    };
    if !reads_only && !parts.headers.contains_key(AUTHORIZATION) && is_cross_site(&parts.headers) {
        let message = "Another site can't ask this on your behalf.";
        let forbidden = Reply::refused(message, "FORBIDDEN", &id);
        return Err(forbidden.with_status(StatusCode::FORBIDDEN).into());
    }

    let (operation, file, session);
    if reads_only {
        operation = body::from_query(parts.uri.query().unwrap_or_default())
            .map_err(|trouble| trouble.reply(&id))?;
        file = None;
        session = authenticate(graph, &parts.headers, &id).await?;
    } else if let Some(boundary) = multipart::boundary(&parts.headers) {
        // Whoever may not upload does not get to send megabytes either.
        session = authenticate(graph, &parts.headers, &id).await?;
        if session.is_none() {
            let message = "You need to be logged in to upload.";
            let refused = Reply::refused(message, "UNAUTHENTICATED", &id);
            return Err(refused.with_status(StatusCode::UNAUTHORIZED).into());
        }
        let (read, uploaded) =
            multipart::read(body, boundary).await.map_err(|trouble| trouble.reply(&id))?;
        (operation, file) = (read, uploaded);
    } else {
        media::require_json(&parts.headers).map_err(|trouble| trouble.reply(&id))?;
        operation = body::from_json(body).await.map_err(|trouble| trouble.reply(&id))?;
        file = None;
        session = authenticate(graph, &parts.headers, &id).await?;
    }

    log_name(&operation);
    let caller = caller(graph, &parts, session, id.clone());
    let mut prepared = graph.prepare(operation, caller)?;
    match prepared.kind() {
        OperationType::Mutation if reads_only => {
            let message = "A mutation is asked with POST.";
            let reply = Reply::bad_input(StatusCode::METHOD_NOT_ALLOWED, message, &id);
            return Err(Refusal { reply, allow: Some("POST") });
        }
        OperationType::Subscription => {
            let message = "A subscription needs a WebSocket.";
            return Err(Reply::refused(message, BAD_USER_INPUT, &id).into());
        }
        _ => {}
    }
    if let Some(file) = file {
        prepared = prepared.with_file(file);
    }
    Ok(graph.execute(prepared).await)
}

/// What can't be read, and the status that says so.
struct Trouble {
    status: StatusCode,
    message: String,
}

impl Trouble {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    fn reply(&self, id: &str) -> Reply {
        Reply::bad_input(self.status, &self.message, id)
    }
}

async fn upgrade(graph: Graph, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let id = request_id(&parts);
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    // Another site's page can open a socket, and the browser sends the cookie along: it counts
    // only for our own pages.
    let trusted = parts.headers.contains_key(AUTHORIZATION) || !is_cross_site(&parts.headers);
    let session = if trusted {
        match authenticate(&graph, &parts.headers, &id).await {
            Ok(session) => session,
            Err(reply) => return respond(&reply, MediaType::Json),
        }
    } else {
        None
    };
    let caller = caller(&graph, &parts, session, id);
    ws::upgrade(graph, upgrade, caller, parts.extensions.remove::<Peer>())
}

fn caller(graph: &Graph, parts: &Parts, session: Option<Session>, request_id: String) -> Caller {
    let trusted_proxies = graph.state().trusted_proxies;
    let address = client::address(&parts.extensions, &parts.headers, trusted_proxies);
    Caller { session, address, request_id }
}

/// The session that a request proves. A token that proves none leaves the caller anonymous: it
/// may be asking to sign in anew.
async fn authenticate(
    graph: &Graph,
    headers: &HeaderMap,
    id: &str,
) -> Result<Option<Session>, Reply> {
    let token = match headers.get(AUTHORIZATION) {
        Some(value) => value.to_str().ok(),
        None => cookies::token(headers),
    };
    let Some(token) = token else { return Ok(None) };
    let session = graph.state().accounts.authenticate(token).await;
    let session = session.map_err(|error: StoreError| {
        tracing::error!(%error, "can't look up a session");
        Reply::internal(StatusCode::SERVICE_UNAVAILABLE, id)
    })?;
    // A page that was made for somebody else asks nothing with this session.
    let viewer = headers.get(VIEWER).and_then(|it| it.to_str().ok()?.parse::<i64>().ok());
    Ok(session.filter(|session| viewer.is_none_or(|viewer| viewer == session.user.id)))
}

/// The id of whom a page was made for. Browsers have one cookie for all of their pages, of which some may
/// still be those of somebody who has signed out since.
const VIEWER: &str = "graphbook-viewer";

/// The session that a page's request proves, if it proves one; nothing can be said if the database
/// can't be asked.
pub(crate) async fn session(graph: &Graph, parts: &Parts) -> Result<Option<Session>, ()> {
    authenticate(graph, &parts.headers, &request_id(parts)).await.map_err(drop)
}

/// Who asks for a page.
pub(crate) fn caller_of(graph: &Graph, parts: &Parts, session: Option<Session>) -> Caller {
    caller(graph, parts, session, request_id(parts))
}

fn request_id(parts: &Parts) -> String {
    parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default()
}

/// Puts the operation's name, as far as it is one, into the request's line in the log.
fn log_name(operation: &Operation) {
    let name = operation.operation_name.as_deref().unwrap_or_default();
    let fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if (1..=64).contains(&name.len()) && name.bytes().all(fit) {
        tracing::Span::current().record("operation", name);
    }
}

fn respond(reply: &Reply, media: MediaType) -> Response {
    let mut response = reply.to_json().into_response();
    *response.status_mut() = media.status(reply);
    let headers = response.headers_mut();
    headers.extend(reply.headers().clone());
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media.content_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
