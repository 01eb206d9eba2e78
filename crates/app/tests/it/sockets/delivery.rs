//! Who hears of what.

use super::client::Client;
use crate::support::{TEMPLATE, TestDatabase, TestServer, json};

migrate::on_every_database!(
    from TEMPLATE:
    a_message_reaches_the_other_members_and_nobody_else,
    one_chat_can_be_listened_to,
    a_post_reaches_everybody_its_author_included,
    an_event_is_resolved_for_whoever_hears_it,
);

async fn a_message_reaches_the_other_members_and_nobody_else(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, ben) = (server.join("ada").await, server.join("ben").await);
    let (cleo, dan) = (server.join("cleo").await, server.join("dan").await);
    let chat = ada.chat_with(&[ben.id, cleo.id]).await;
    let mut clients = Vec::new();
    for person in [&ada, &ben, &cleo, &dan] {
        let mut client = Client::of(person).await;
        let query = "subscription { messageAdded { text user { username } chat { id } } }";
        client.listen("m", query).await;
        clients.push(client);
    }
    ada.say(chat, "hello").await;
    let expected =
        json!({ "text": "hello", "user": { "username": "ada" }, "chat": { "id": chat } });
    for client in &mut clients[1..3] {
        let payload = client.payload("next", "m").await;
        assert_eq!(payload, json!({ "data": { "messageAdded": expected } }));
    }
    for client in &mut clients {
        client.ping(1).await;
    }
}

async fn one_chat_can_be_listened_to(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, ben) = (server.join("ada").await, server.join("ben").await);
    let cleo = server.join("cleo").await;
    let (first, second) = (ada.chat_with(&[ben.id]).await, cleo.chat_with(&[ben.id]).await);
    let mut client = Client::of(&ben).await;
    let query = format!("subscription {{ messageAdded(chatId: {first}) {{ text }} }}");
    client.listen("m", &query).await;
    cleo.say(second, "elsewhere").await;
    ada.say(first, "here").await;
    let payload = client.payload("next", "m").await;
    assert_eq!(payload, json!({ "data": { "messageAdded": { "text": "here" } } }));
    client.ping(1).await;
}

async fn a_post_reaches_everybody_its_author_included(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, ben) = (server.join("ada").await, server.join("ben").await);
    let mut clients = [Client::of(&ada).await, Client::of(&ben).await];
    for client in &mut clients {
        client.listen("a", "subscription { postAdded { text user { username } } }").await;
        client.listen("b", "subscription { other: postAdded { text } }").await;
    }
    ada.post("first").await;
    ada.post("second").await;
    for client in &mut clients {
        // In order for each subscription, in any order between them.
        let mut heard = [Vec::new(), Vec::new()];
        for _ in 0..4 {
            let message = client.next().await;
            assert_eq!(message["type"], "next");
            let index = usize::from(message["id"] == "b");
            heard[index].push(message["payload"]["data"].clone());
        }
        let post = |text| json!({ "postAdded": { "text": text, "user": { "username": "ada" } } });
        assert_eq!(heard[0], [post("first"), post("second")]);
        let post = |text| json!({ "other": { "text": text } });
        assert_eq!(heard[1], [post("first"), post("second")]);
        client.ping(1).await;
    }
}

async fn an_event_is_resolved_for_whoever_hears_it(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, ben) = (server.join("ada").await, server.join("ben").await);
    let cleo = server.join("cleo").await;
    let both = ada.chat_with(&[ben.id]).await;
    let all = ada.chat_with(&[ben.id, cleo.id]).await;
    let mut client = Client::of(&ben).await;
    client.listen("m", "subscription { messageAdded { chat { id users { username } } } }").await;
    for chat in [both, all, both] {
        ada.say(chat, "hello").await;
        let payload = client.payload("next", "m").await;
        let heard = &payload["data"]["messageAdded"]["chat"];
        assert_eq!(heard["id"], chat);
        assert_eq!(heard["users"].as_array().unwrap().len(), if chat == both { 2 } else { 3 });
    }
}
