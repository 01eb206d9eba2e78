//! What a client may not do, and what happens to one that does nothing.

use std::time::Duration;

use app::{
    events::Event,
    graphql::ws::Timings,
    store::{Post, User},
};
use futures_util::SinkExt as _;
use tokio::time::{Instant, sleep};
use tokio_tungstenite::tungstenite::Message;

use super::client::{Client, LEGACY, MODERN, serve_with};
use crate::support::{TEMPLATE, TestDatabase, TestServer, json};

migrate::on_every_database!(
    from TEMPLATE:
    a_message_has_a_largest_size,
    a_socket_has_a_number_of_operations,
    a_client_that_says_nothing_at_first_is_closed,
    signs_of_life_come_and_are_asked_for,
    a_client_that_does_not_read_is_dropped,
);

const POSTS: &str = "subscription { postAdded { text } }";

async fn a_message_has_a_largest_size(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let padded = |length| {
        let message = json!({ "type": "ping", "payload": { "x": "" } }).to_string();
        let padding = "x".repeat(length - message.len());
        Message::text(json!({ "type": "ping", "payload": { "x": padding } }).to_string())
    };
    let mut client = Client::of(&ada).await;
    client.send_raw(padded(256 * 1024)).await;
    assert_eq!(client.next().await["type"], "pong");
    client.send_raw(padded(256 * 1024 + 1)).await;
    assert_eq!(client.closed().await, (1009, "Message too big".to_owned()));

    // One that is far too big is not even read; the client may still be sending.
    let mut client = Client::of(&ada).await;
    let _ = client.io.send(padded(1024 * 1024)).await;
    assert_eq!(client.closed().await.0, 1009);
}

async fn a_socket_has_a_number_of_operations(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let mut client = Client::of(&ada).await;
    for number in 0..50 {
        client.subscribe(&number.to_string(), POSTS).await;
    }
    client.subscribe("more", POSTS).await;
    let errors = client.payload("error", "more").await;
    assert_eq!(errors[0]["extensions"]["code"], "RATE_LIMITED");
    client.send(json!({ "type": "complete", "id": "7" })).await;
    client.ask("more", "{ currentUser { id } }").await;
}

async fn a_client_that_says_nothing_at_first_is_closed(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let timings = Timings { init: Duration::from_millis(300), ..Timings::default() };
    let address = serve_with(&server.state, timings).await;
    for protocol in [MODERN, LEGACY] {
        let started = Instant::now();
        let mut late = Client::open(address, protocol).await;
        let closed = (4408, "Connection initialisation timeout".to_owned());
        assert_eq!(late.closed().await, closed);
        assert!(started.elapsed() >= Duration::from_millis(250));
    }
    let mut client = Client::open(address, MODERN).await;
    client.init(&ada.token).await;
    sleep(Duration::from_millis(500)).await;
    client.ping(1).await;
}

async fn signs_of_life_come_and_are_asked_for(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let timings = Timings {
        beat: Duration::from_millis(100),
        silence: Duration::from_millis(600),
        ..Timings::default()
    };
    let address = serve_with(&server.state, timings).await;
    for (protocol, beat) in [(MODERN, "ping"), (LEGACY, "ka")] {
        let mut client = Client::open(address, protocol).await;
        client.init(&ada.token).await;
        // While it reads, its library answers the WebSocket's own pings.
        for _ in 0..15 {
            assert_eq!(client.next().await, json!({ "type": beat }));
        }
        sleep(Duration::from_secs(1)).await;
        loop {
            match client.frame().await {
                Message::Close(Some(close)) => {
                    assert_eq!(u16::from(close.code), 1001);
                    assert_eq!(close.reason.as_str(), "No sign of life");
                    break;
                }
                Message::Close(None) => panic!("closed without a reason"),
                _ => {}
            }
        }
    }
}

async fn a_client_that_does_not_read_is_dropped(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let timings = Timings { patience: Duration::from_millis(500), ..Timings::default() };
    let address = serve_with(&server.state, timings).await;
    let tasks = server.state.lifecycle.tasks();
    let before = tasks.len();
    let mut client = Client::open(address, MODERN).await;
    client.init(&ada.token).await;
    client.listen("1", POSTS).await;
    let user = User { id: ada.id, username: "ada".to_owned(), avatar: None, created_at: 0 };
    let text = "x".repeat(64 * 1024);
    let started = Instant::now();
    while tasks.len() > before {
        assert!(started.elapsed() < Duration::from_secs(20), "the socket is still there");
        let post = Post { id: 1, text: text.clone(), created_at: 0, user: user.clone() };
        server.state.events.publish(Event::PostAdded(post.into()));
        sleep(Duration::from_millis(1)).await;
    }
}
