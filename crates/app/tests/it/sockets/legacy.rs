//! graphql-ws, the older protocol.

use super::client::{Client, LEGACY};
use crate::support::{Person, TEMPLATE, TestDatabase, TestServer, Value, json};

migrate::on_every_database!(
    from TEMPLATE:
    an_operation_gets_data_and_an_end,
    what_fails_is_null_where_it_may_be,
    a_token_is_needed,
    the_cookie_is_a_token,
    a_subscription_is_stopped,
    an_id_that_starts_again_replaces_the_former,
    mistakes_are_answered,
    a_client_that_terminates_is_let_go,
);

const ME: &str = "{ currentUser { username } }";

async fn open(person: &Person<'_>) -> Client {
    let mut client = Client::open(person.server.address, LEGACY).await;
    client.init(&format!("Bearer {}", person.token)).await;
    assert_eq!(client.next().await, json!({ "type": "ka" }));
    client
}

async fn start(client: &mut Client, id: &str, query: &str) {
    client.send(json!({ "type": "start", "id": id, "payload": { "query": query } })).await;
}

/// Waits until what was sent before is handled; nothing else may be on its way.
async fn settle(client: &mut Client) {
    start(client, "settle", ME).await;
    client.payload("data", "settle").await;
    client.complete("settle").await;
}

async fn an_operation_gets_data_and_an_end(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let mut client = open(&ada).await;
    start(&mut client, "1", ME).await;
    let me = json!({ "data": { "currentUser": { "username": "ada" } } });
    assert_eq!(client.payload("data", "1").await, me);
    client.complete("1").await;
    for query in ["{", "{ nothing }", "subscription { messageAdded(chatId: 999999) { id } }"] {
        start(&mut client, "1", query).await;
        let payload = client.payload("data", "1").await;
        assert!(payload["errors"][0]["message"].is_string(), "{payload}");
        assert!(payload.get("data").is_none(), "{payload}");
        client.complete("1").await;
    }
}

async fn what_fails_is_null_where_it_may_be(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, ben) = (server.join("ada").await, server.join("ben").await);
    let (both, foreign) = (ada.chat_with(&[ben.id]).await, ben.chat_with(&[]).await);
    let mut client = open(&ada).await;
    let query = format!("{{ currentUser {{ id }} chat(chatId: {foreign}) {{ id }} }}");
    start(&mut client, "1", &query).await;
    let payload = client.payload("data", "1").await;
    assert_eq!(payload["data"], json!({ "currentUser": { "id": ada.id }, "chat": null }));
    client.complete("1").await;

    let query = "subscription { messageAdded { id chat { messages(last: -1) { id } } } }";
    start(&mut client, "m", query).await;
    settle(&mut client).await;
    for text in ["first", "second"] {
        ben.say(both, text).await;
        let payload = client.payload("data", "m").await;
        assert_eq!(payload.get("data"), Some(&json!(null)), "{payload}");
        assert_eq!(payload["errors"][0]["path"][0], "messageAdded", "{payload}");
    }
    settle(&mut client).await;
}

async fn a_token_is_needed(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    for payload in [Value::Null, json!({}), json!({ "authToken": "x.y.z" })] {
        let mut client = Client::open(server.address, LEGACY).await;
        client.send(json!({ "type": "connection_init", "payload": payload })).await;
        let refusal = json!({ "message": "Missing auth token!" });
        let expected = json!({ "type": "connection_error", "payload": refusal });
        assert_eq!(client.next().await, expected);
        assert_eq!(client.closed().await.0, 1011);
    }
}

async fn the_cookie_is_a_token(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let cookie = format!("authorization={}", ada.token);
    let mut client = Client::open_with(server.address, LEGACY, &[("cookie", &cookie)]).await;
    client.send(json!({ "type": "connection_init", "payload": {} })).await;
    assert_eq!(client.next().await["type"], "connection_ack");
    assert_eq!(client.next().await["type"], "ka");
    settle(&mut client).await;
}

async fn a_subscription_is_stopped(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let mut client = open(&ada).await;
    start(&mut client, "1", "subscription { postAdded { text } }").await;
    settle(&mut client).await;
    ada.post("heard").await;
    let payload = client.payload("data", "1").await;
    assert_eq!(payload, json!({ "data": { "postAdded": { "text": "heard" } } }));
    client.send(json!({ "type": "stop", "id": "1" })).await;
    client.complete("1").await;
    client.send(json!({ "type": "stop", "id": "1" })).await;
    ada.post("unheard").await;
    settle(&mut client).await;
}

async fn an_id_that_starts_again_replaces_the_former(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let mut client = open(&ada).await;
    start(&mut client, "1", "subscription { postAdded { id } }").await;
    settle(&mut client).await;
    start(&mut client, "1", "subscription { postAdded { text } }").await;
    settle(&mut client).await;
    ada.post("once").await;
    let payload = client.payload("data", "1").await;
    assert_eq!(payload, json!({ "data": { "postAdded": { "text": "once" } } }));
    settle(&mut client).await;
}

async fn mistakes_are_answered(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let mut client = open(&ada).await;
    client.send(json!({ "type": "start", "id": "1", "payload": {} })).await;
    assert!(client.payload("error", "1").await["message"].is_string());
    client.send(json!([])).await;
    assert_eq!(client.next().await["type"], "connection_error");
    settle(&mut client).await;

    let mut client = Client::open(server.address, LEGACY).await;
    start(&mut client, "1", ME).await;
    assert!(client.payload("error", "1").await["message"].is_string());
    assert_eq!(client.closed().await, (4401, "Unauthorized".to_owned()));
}

async fn a_client_that_terminates_is_let_go(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let mut client = open(&ada).await;
    client.send(json!({ "type": "connection_terminate" })).await;
    assert_eq!(client.closed().await.0, 1000);
}
