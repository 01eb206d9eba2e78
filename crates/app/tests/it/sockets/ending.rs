//! How sockets end: with their session, with the server, with their client.

use std::time::Duration;

use app::graphql::ws::Timings;
use tokio::time::{Instant, sleep};

use super::client::{Client, LEGACY, MODERN, serve_with};
use crate::support::{PASSWORD, Person, TEMPLATE, TestDatabase, TestServer, json};

migrate::on_every_database!(
    from TEMPLATE:
    signing_out_closes_the_sockets_of_that_session,
    signing_out_over_the_socket_is_answered_first,
    ending_all_sessions_closes_their_sockets,
    a_session_that_another_process_ended_is_noticed,
    a_session_that_expires_is_noticed,
    a_database_that_does_not_answer_closes_nothing,
    the_end_of_the_server_closes_every_socket,
    a_client_that_is_gone_leaves_nothing_behind,
);

const LOGOUT: &str = "mutation { logout { success } }";

fn session_ended() -> (u16, String) {
    (4403, "Session ended".to_owned())
}

async fn again<'a>(person: &Person<'a>) -> Person<'a> {
    let answer = person.server.sign_in(&person.email(), PASSWORD).await;
    let token = answer.ok()["login"]["token"].as_str().unwrap().to_owned();
    Person { token, username: person.username.clone(), ..*person }
}

/// Looks at its session often.
fn watchful() -> Timings {
    Timings { recheck: Duration::from_millis(50), ..Timings::default() }
}

async fn signing_out_closes_the_sockets_of_that_session(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, ben) = (server.join("ada").await, server.join("ben").await);
    let other = again(&ada).await;
    let mut first = Client::of(&ada).await;
    first.listen("1", "subscription { postAdded { id } }").await;
    let mut second = Client::open(server.address, LEGACY).await;
    second.init(&ada.token).await;
    assert_eq!(second.next().await["type"], "ka");
    let mut kept = [Client::of(&other).await, Client::of(&ben).await];
    ada.ask(LOGOUT, json!({})).await.ok();
    assert_eq!(first.closed().await, session_ended());
    assert_eq!(second.closed().await, session_ended());
    for client in &mut kept {
        client.ping(1).await;
    }
}

async fn signing_out_over_the_socket_is_answered_first(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let mut client = Client::of(&ada).await;
    client.listen("1", "subscription { postAdded { id } }").await;
    let answer = client.ask("2", LOGOUT).await;
    assert_eq!(answer, json!({ "data": { "logout": { "success": true } } }));
    assert_eq!(client.closed().await, session_ended());
}

async fn ending_all_sessions_closes_their_sockets(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let change = format!(
        r#"mutation {{ changePassword(currentPassword: "{PASSWORD}", newPassword: "{PASSWORD}") {{
            token }} }}"#
    );
    for mutation in ["mutation { logoutEverywhere { success } }", &change] {
        let (one, two) = (again(&ada).await, again(&ada).await);
        let mut clients = [Client::of(&one).await, Client::of(&two).await];
        one.ask(mutation, json!({})).await.ok();
        // Somebody who comes back at once is not taken for the former.
        let back = again(&ada).await;
        let mut fresh = Client::of(&back).await;
        for client in &mut clients {
            assert_eq!(client.closed().await, session_ended());
        }
        fresh.ping(1).await;
    }
}

async fn a_session_that_another_process_ended_is_noticed(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let another = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let address = serve_with(&server.state, watchful()).await;
    let mut client = Client::open(address, MODERN).await;
    client.init(&ada.token).await;
    sleep(Duration::from_millis(200)).await;
    client.ping(1).await;
    let elsewhere = Person { server: &another, username: "ada".to_owned(), ..ada };
    elsewhere.ask(LOGOUT, json!({})).await.ok();
    assert_eq!(client.closed().await, session_ended());
}

async fn a_session_that_expires_is_noticed(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let address = serve_with(&server.state, watchful()).await;
    let mut client = Client::open(address, MODERN).await;
    client.init(&ada.token).await;
    server.clock.advance(Duration::from_hours(25));
    assert_eq!(client.closed().await, session_ended());
}

async fn a_database_that_does_not_answer_closes_nothing(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let address = serve_with(&server.state, watchful()).await;
    let mut client = Client::open(address, MODERN).await;
    client.init(&ada.token).await;
    let mut late = Client::open(address, MODERN).await;
    server.store().close().await;
    sleep(Duration::from_millis(200)).await;
    client.ping(1).await;
    late.send(json!({ "type": "connection_init", "payload": { "authToken": ada.token } })).await;
    assert_eq!(late.closed().await, (1013, "Try again later".to_owned()));
}

async fn the_end_of_the_server_closes_every_socket(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let mut busy = Client::of(&ada).await;
    busy.listen("1", "subscription { postAdded { id } }").await;
    let mut silent = Client::open(server.address, MODERN).await;
    let mut legacy = Client::open(server.address, LEGACY).await;
    let started = Instant::now();
    let (first, second, third, ()) =
        tokio::join!(busy.closed(), silent.closed(), legacy.closed(), server.stop());
    for closed in [first, second, third] {
        assert_eq!(closed, (1001, "Going away".to_owned()));
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

async fn a_client_that_is_gone_leaves_nothing_behind(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let address = serve_with(&server.state, Timings::default()).await;
    let tasks = server.state.lifecycle.tasks();
    let before = tasks.len();
    let mut client = Client::open(address, MODERN).await;
    client.init(&ada.token).await;
    client.listen("1", "subscription { postAdded { id } }").await;
    assert!(tasks.len() >= before + 2, "the socket and its operation");
    drop(client);
    for _ in 0..100 {
        if tasks.len() <= before {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("{} tasks are left of {before}", tasks.len());
}
