//! graphql-transport-ws.

use tokio_tungstenite::tungstenite::Message;

use super::client::{Client, LEGACY, MODERN};
use crate::support::{TEMPLATE, TestDatabase, TestServer, json};

migrate::on_every_database!(
    from TEMPLATE:
    queries_and_mutations_work_too,
    tokens_are_found_and_checked,
    the_cookie_signs_in_on_our_own_pages,
    somebody_anonymous_is_let_in_and_can_do_little,
    what_breaks_the_protocol_closes_the_socket,
    errors_before_execution_end_an_operation,
    an_event_that_fails_does_not_end_its_subscription,
    ids_can_be_used_again,
    pings_are_answered,
    the_protocol_is_chosen,
);

const ME: &str = "{ currentUser { username } }";

async fn queries_and_mutations_work_too(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let mut client = Client::of(&ada).await;
    let me = json!({ "data": { "currentUser": { "username": "ada" } } });
    assert_eq!(client.ask("a \"quoted\" ł id", ME).await, me);
    let payload = json!({ "query": "query A($n: String!) { user(username: $n) { id } }
        query B { currentUser { id } }", "operationName": "A", "variables": { "n": "ada" } });
    client.send(json!({ "type": "subscribe", "id": "1", "payload": payload })).await;
    let answer = client.payload("next", "1").await;
    assert_eq!(answer["data"]["user"]["id"], ada.id);
    client.complete("1").await;
    let added = client.ask("2", "mutation { addPost(post: { text: \"hi\" }) { text } }").await;
    assert_eq!(added["data"]["addPost"]["text"], "hi");
}

async fn tokens_are_found_and_checked(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    for (field, token) in [
        ("authToken", ada.token.clone()),
        ("Authorization", format!("Bearer {}", ada.token)),
        ("authorization", format!("bearer {}", ada.token)),
    ] {
        let mut client = Client::open(server.address, MODERN).await;
        client.send(json!({ "type": "connection_init", "payload": { field: token } })).await;
        assert_eq!(client.next().await["type"], "connection_ack");
        assert_eq!(client.ask("1", ME).await["data"]["currentUser"]["username"], "ada");
    }
    // A token that was given must be good, whatever else there is.
    let mut client =
        Client::open_with(server.address, MODERN, &[("authorization", &ada.token)]).await;
    client.send(json!({ "type": "connection_init", "payload": { "authToken": "x.y.z" } })).await;
    assert_eq!(client.closed().await, (4403, "Forbidden".to_owned()));
}

async fn the_cookie_signs_in_on_our_own_pages(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let cookie = format!("authorization={}", ada.token);
    let own = format!("http://{}", server.address);
    for (headers, signed_in) in [
        (&[("cookie", cookie.as_str())][..], true),
        (&[("cookie", &cookie), ("origin", &own)], true),
        (&[("authorization", &ada.token), ("origin", "https://evil.example")], true),
        (&[("cookie", &cookie), ("origin", "https://evil.example")], false),
        (&[("cookie", &cookie), ("sec-fetch-site", "cross-site")], false),
        (&[("cookie", "authorization=x.y.z")], false),
    ] {
        let mut client = Client::open_with(server.address, MODERN, headers).await;
        client.send(json!({ "type": "connection_init" })).await;
        assert_eq!(client.next().await["type"], "connection_ack");
        let answer = client.ask("1", ME).await;
        assert_eq!(answer.get("errors").is_none(), signed_in, "{headers:?} {answer}");
    }
    // The session may end between the request and the message.
    let mut client = Client::open_with(server.address, MODERN, &[("cookie", &cookie)]).await;
    ada.ask("mutation { logout { success } }", json!({})).await.ok();
    client.send(json!({ "type": "connection_init" })).await;
    assert_eq!(client.next().await["type"], "connection_ack");
    let answer = client.ask("1", ME).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
}

async fn somebody_anonymous_is_let_in_and_can_do_little(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    server.join("ada").await;
    let mut client = Client::open(server.address, MODERN).await;
    client.send(json!({ "type": "connection_init", "payload": { "authToken": null } })).await;
    assert_eq!(client.next().await["type"], "connection_ack");
    let answer = client.ask("1", ME).await;
    let extensions = &answer["errors"][0]["extensions"];
    assert_eq!(extensions["code"], "UNAUTHENTICATED");
    assert!(extensions["requestId"].as_str().unwrap().ends_with("-1"), "{extensions}");
    let login = r#"mutation { login(email: "ada@example.org", password: "correct horse") {
        token } }"#;
    assert!(client.ask("2", login).await["data"]["login"]["token"].is_string());
    client.subscribe("3", "subscription { postAdded { id } }").await;
    let errors = client.payload("error", "3").await;
    assert_eq!(errors[0]["extensions"]["code"], "UNAUTHENTICATED");
    assert!(errors[0]["extensions"]["requestId"].as_str().unwrap().ends_with("-3"));
    client.ping(1).await;
}

async fn what_breaks_the_protocol_closes_the_socket(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let query = json!({ "type": "subscribe", "id": "1", "payload": { "query": ME } });

    let mut client = Client::open(server.address, MODERN).await;
    client.send(query).await;
    assert_eq!(client.closed().await, (4401, "Unauthorized".to_owned()));

    let mut client = Client::of(&ada).await;
    client.send(json!({ "type": "connection_init" })).await;
    assert_eq!(client.closed().await, (4429, "Too many initialisation requests".to_owned()));

    let mut client = Client::of(&ada).await;
    client.listen("1", "subscription { postAdded { id } }").await;
    client.subscribe("1", ME).await;
    assert_eq!(client.closed().await, (4409, "Subscriber for 1 already exists".to_owned()));

    for (message, why) in [
        (Message::text("{"), "it is not a JSON object"),
        (Message::text(r#"{"type":"start","id":"1"}"#), "its type is unknown"),
        (Message::text(r#"{"type":"subscribe","id":"1"}"#), "its payload is not an object"),
        (Message::binary(r#"{"type":"ping"}"#), "it is binary"),
    ] {
        let mut client = Client::of(&ada).await;
        client.send_raw(message).await;
        assert_eq!(client.closed().await, (4400, format!("Invalid message: {why}")));
    }
}

async fn errors_before_execution_end_an_operation(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, ben) = (server.join("ada").await, server.join("ben").await);
    let chat = ben.chat_with(&[]).await;
    let mut client = Client::of(&ada).await;
    let foreign = format!("subscription {{ messageAdded(chatId: {chat}) {{ id }} }}");
    for (query, code) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { messageAdded(chatId: 999999) { id } }", "NOT_FOUND"),
        (&foreign, "FORBIDDEN"),
    ] {
        client.subscribe("1", query).await;
        let errors = client.payload("error", "1").await;
        assert_eq!(errors[0]["extensions"]["code"], code, "{errors}");
        assert_eq!(errors.as_array().unwrap().len(), 1);
        // No `complete` follows.
        client.ping(1).await;
    }
    // An error of execution is a reply.
    let answer = client.ask("1", "{ chats { id } posts(limit: -1) { id } }").await;
    assert_eq!(
        (answer.get("data"), &answer["errors"][0]["path"]),
        (Some(&json!(null)), &json!(["posts"]))
    );
    let query = format!("{{ currentUser {{ id }} chat(chatId: {chat}) {{ id }} }}");
    let answer = client.ask("1", &query).await;
    assert_eq!(answer["data"], json!({ "currentUser": { "id": ada.id }, "chat": null }));
}

async fn an_event_that_fails_does_not_end_its_subscription(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, ben) = (server.join("ada").await, server.join("ben").await);
    let chat = ada.chat_with(&[ben.id]).await;
    let mut client = Client::of(&ben).await;
    let query = "subscription { messageAdded { id chat { messages(last: -1) { id } } } }";
    client.listen("m", query).await;
    for text in ["first", "second"] {
        ada.say(chat, text).await;
        let payload = client.payload("next", "m").await;
        assert_eq!(payload.get("data"), Some(&json!(null)), "{payload}");
        let path = json!(["messageAdded", "chat", "messages"]);
        assert_eq!(payload["errors"][0]["path"], path, "{payload}");
    }
    client.ping(1).await;
}

async fn ids_can_be_used_again(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let mut client = Client::of(&ada).await;
    client.ask("1", ME).await;
    client.ask("1", ME).await;
    client.send(json!({ "type": "complete", "id": "unknown" })).await;
    client.listen("1", "subscription { postAdded { id } }").await;
    client.send(json!({ "type": "complete", "id": "1" })).await;
    client.ping(1).await;
    ada.post("unheard").await;
    client.listen("1", "subscription { postAdded { text } }").await;
    ada.post("heard").await;
    let payload = client.payload("next", "1").await;
    assert_eq!(payload, json!({ "data": { "postAdded": { "text": "heard" } } }));
}

async fn pings_are_answered(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let mut client = Client::open(server.address, MODERN).await;
    client.ping(1).await;
    client.send(json!({ "type": "ping" })).await;
    assert_eq!(client.next().await, json!({ "type": "pong" }));
    client.send(json!({ "type": "pong", "payload": {} })).await;
    client.ping(2).await;
}

async fn the_protocol_is_chosen(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    for (offered, chosen) in [
        (MODERN, MODERN),
        (LEGACY, LEGACY),
        ("graphql-ws, graphql-transport-ws", MODERN),
        ("soap,graphql-ws", LEGACY),
    ] {
        for path in ["graphql", "subscriptions"] {
            let url = format!("ws://{}/{path}", server.address);
            let client = Client::open_at(&url, server.address, offered, &[]).await;
            assert_eq!(client.response.headers()["sec-websocket-protocol"], chosen);
        }
    }
    let mut client = Client::open(server.address, "").await;
    assert_eq!(client.closed().await, (4406, "Subprotocol not acceptable".to_owned()));
}
