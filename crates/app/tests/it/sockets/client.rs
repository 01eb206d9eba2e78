//! A WebSocket client that sees every frame.

use std::net::SocketAddr;
use std::time::Duration;

use app::{
    graphql::{Caller, Graph, ws},
    state::SharedState,
};
use axum::{Router, extract::WebSocketUpgrade, routing::any};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Message,
        client::IntoClientRequest as _,
        handshake::client::Response,
        http::{HeaderName, HeaderValue},
    },
};

use crate::support::{Person, Value, json};

pub(super) const MODERN: &str = "graphql-transport-ws";
pub(super) const LEGACY: &str = "graphql-ws";

/// How long a test waits for what should come at once.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Client {
    pub(super) io: WebSocketStream<TcpStream>,
    pub(super) response: Response,
}

impl Client {
    /// Opens a socket.
    pub(super) async fn open(address: SocketAddr, protocols: &str) -> Self {
        Self::open_with(address, protocols, &[]).await
    }

    /// With other headers.
    pub(super) async fn open_with(
        address: SocketAddr,
        protocols: &str,
        headers: &[(&'static str, &str)],
    ) -> Self {
        Self::open_at(&format!("ws://{address}/graphql"), address, protocols, headers).await
    }

    pub(super) async fn open_at(
        url: &str,
        address: SocketAddr,
        protocols: &str,
        headers: &[(&'static str, &str)],
    ) -> Self {
        let mut request = url.into_client_request().unwrap();
        if !protocols.is_empty() {
            let protocols = HeaderValue::from_str(protocols).unwrap();
            request.headers_mut().insert("sec-websocket-protocol", protocols);
        }
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).unwrap();
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        let stream = TcpStream::connect(address).await.unwrap();
        let (io, response) = client_async(request, stream).await.unwrap();
        Self { io, response }
    }

    /// Opens a socket and signs in with a person's token.
    pub(super) async fn of(person: &Person<'_>) -> Self {
        let mut client = Self::open(person.server.address, MODERN).await;
        client.init(&person.token).await;
        client
    }

    pub(super) async fn init(&mut self, token: &str) {
        self.send(json!({ "type": "connection_init", "payload": { "authToken": token } })).await;
        assert_eq!(self.next().await, json!({ "type": "connection_ack" }));
    }

    pub(super) async fn send(&mut self, message: Value) {
        self.send_raw(Message::text(message.to_string())).await;
    }

    pub(super) async fn send_raw(&mut self, message: Message) {
        self.io.send(message).await.unwrap();
    }

    pub(super) async fn subscribe(&mut self, id: &str, query: &str) {
        let payload = json!({ "query": query });
        self.send(json!({ "type": "subscribe", "id": id, "payload": payload })).await;
    }

    /// Subscribes, and gives the server the time to listen: the protocol does not tell when it
    /// does.
    pub(super) async fn listen(&mut self, id: &str, query: &str) {
        self.subscribe(id, query).await;
        self.ping(0).await;
        tokio::time::sleep(Duration::from_millis(150)).await;
    }

    /// Asserts that nothing but the answer is on its way.
    pub(super) async fn ping(&mut self, at: i32) {
        self.send(json!({ "type": "ping", "payload": { "at": at } })).await;
        let pong = json!({ "type": "pong", "payload": { "at": at } });
        assert_eq!(self.next().await, pong);
    }

    /// The frame that comes next, but for WebSocket pings.
    pub(super) async fn frame(&mut self) -> Message {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.io.next()).await;
            match frame.expect("a frame in time").expect("a frame before the end").unwrap() {
                Message::Ping(_) => {}
                frame => return frame,
            }
        }
    }

    /// The message that comes next.
    #[track_caller]
    pub(super) fn next(&mut self) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        async move {
            match self.frame().await {
                Message::Text(text) => serde_json::from_str(&text).unwrap(),
                other => panic!("{other:?} at {caller}"),
            }
        }
    }

    /// The payload of the message that comes next, which is of that type and id.
    pub(super) async fn payload(&mut self, kind: &str, id: &str) -> Value {
        let mut message = self.next().await;
        assert_eq!((&message["type"], &message["id"]), (&json!(kind), &json!(id)), "{message}");
        message["payload"].take()
    }

    /// Asserts that an operation ends.
    pub(super) async fn complete(&mut self, id: &str) {
        assert_eq!(self.next().await, json!({ "type": "complete", "id": id }));
    }

    /// Asks a query or a mutation, alone.
    pub(super) async fn ask(&mut self, id: &str, query: &str) -> Value {
        self.subscribe(id, query).await;
        let payload = self.payload("next", id).await;
        self.complete(id).await;
        payload
    }

    /// The close frame that comes next, after which the connection ends.
    #[track_caller]
    pub(super) fn closed(&mut self) -> impl Future<Output = (u16, String)> {
        let caller = std::panic::Location::caller();
        async move {
            let close = match self.frame().await {
                Message::Close(Some(close)) => close,
                other => panic!("{other:?} at {caller}"),
            };
            let rest = tokio::time::timeout(PATIENCE, self.io.next()).await.unwrap();
            assert!(rest.is_none_or(|rest| rest.is_err()));
            (close.code.into(), close.reason.to_string())
        }
    }
}

/// Serves sockets of this state with other timings, for anybody; gives the address.
pub(super) async fn serve_with(state: &SharedState, timings: ws::Timings) -> SocketAddr {
    let graph = Graph::new(state.clone());
    let handler = move |upgrade: WebSocketUpgrade| async move {
        let address = [127, 0, 0, 1].into();
        let caller = Caller { session: None, address, request_id: "test".to_owned() };
        ws::upgrade_with(graph, upgrade, caller, None, timings)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let router = Router::new().route("/graphql", any(handler));
        axum::serve(listener, router).await.unwrap();
    });
    address
}
