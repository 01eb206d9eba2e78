//! Chats: who sees them, who writes in them, how they are started and paged.

use futures_util::future::join_all;

use crate::support::{Answer, Person, TEMPLATE, TestDatabase, TestServer, json};

migrate::on_every_database!(
    from TEMPLATE:
    whoever_starts_a_chat_takes_part,
    a_pair_has_one_chat,
    a_pair_that_starts_a_chat_at_once_gets_one,
    groups_may_have_several_chats,
    unknown_people_are_refused_and_nothing_stays_behind,
    chats_have_a_largest_size,
    a_chat_is_seen_by_its_members_only,
    a_chat_is_written_in_by_its_members_only,
    messages_are_checked,
    what_others_wrote_is_unread_until_it_is_read,
    a_message_with_a_key_is_said_once_however_often_it_is_sent,
    messages_come_in_pages_oldest_first,
    chats_come_with_the_latest_first,
);

const ADD: &str = "mutation($users: [Int]) {
    addChat(chat: { users: $users }) { id createdAt users { username } lastMessage { id } messages { id } } }";

async fn add(person: &Person<'_>, users: serde_json::Value) -> Answer {
    person.ask(ADD, json!({ "users": users })).await
}

async fn whoever_starts_a_chat_takes_part(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, ben) = (server.join("ada").await, server.join("ben").await);
    let answer = add(&ben, json!([ada.id, ada.id, null, ben.id])).await;
    let chat = &answer.ok()["addChat"];
    assert_eq!(chat["users"], json!([{ "username": "ada" }, { "username": "ben" }]));
    assert_eq!((&chat["lastMessage"], &chat["messages"]), (&json!(null), &json!([])));
    // Nobody else, or nobody said: a place for notes, and always the same one.
    let alone = add(&ada, json!([])).await;
    assert_eq!(alone.ok()["addChat"]["users"], json!([{ "username": "ada" }]));
    let again = add(&ada, json!(null)).await;
    assert_eq!(again.ok()["addChat"]["id"], alone.ok()["addChat"]["id"]);
}

async fn a_pair_has_one_chat(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, ben) = (server.join("ada").await, server.join("ben").await);
    let chat = ada.chat_with(&[ben.id]).await;
    ada.say(chat, "hello").await;
    let again = add(&ben, json!([ada.id])).await;
    assert_eq!(again.ok()["addChat"]["id"], chat);
    assert_eq!(again.ok()["addChat"]["messages"].as_array().unwrap().len(), 1);
}

async fn a_pair_that_starts_a_chat_at_once_gets_one(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, ben) = (server.join("ada").await, server.join("ben").await);
    let others = [[ben.id], [ada.id]];
    let starts = (0..20).map(|turn| {
        let (person, others) = if turn % 2 == 0 { (&ada, &others[0]) } else { (&ben, &others[1]) };
        person.chat_with(others)
    });
    let mut ids = join_all(starts).await;
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let chats = ada.ask("{ chats { id } }", json!({})).await;
    assert_eq!(chats.ok()["chats"], json!([{ "id": ids[0] }]));
}

async fn groups_may_have_several_chats(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, ben, cem) =
        (server.join("ada").await, server.join("ben").await, server.join("cem").await);
    let one = ada.chat_with(&[ben.id, cem.id]).await;
    let two = ada.chat_with(&[ben.id, cem.id]).await;
    assert_ne!(one, two);
}

async fn unknown_people_are_refused_and_nothing_stays_behind(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    for unknown in [ada.id + 100, 0, -1, i64::MAX] {
        let answer = add(&ada, json!([unknown])).await;
        assert_eq!(answer.code(), "BAD_USER_INPUT");
        assert!(answer.message().contains(&unknown.to_string()), "{answer:?}");
    }
    assert_eq!(ada.ask("{ chats { id } }", json!({})).await.ok()["chats"], json!([]));
}

async fn chats_have_a_largest_size(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let many: Vec<i64> = (1..=200).collect();
    let answer = add(&ada, json!(many)).await;
    assert_eq!(answer.code(), "BAD_USER_INPUT");
    assert!(answer.message().contains("100"), "{answer:?}");
}

async fn a_chat_is_seen_by_its_members_only(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, ben, eve) =
        (server.join("ada").await, server.join("ben").await, server.join("eve").await);
    let chat = ada.chat_with(&[ben.id]).await;
    ada.say(chat, "secret").await;
    let query = "query($id: Int) { chat(chatId: $id) { id users { username } messages { text user { username } chat { id } } lastMessage { text } } }";

    let seen = ben.ask(query, json!({ "id": chat })).await;
    let seen = &seen.ok()["chat"];
    let message =
        json!({ "text": "secret", "user": { "username": "ada" }, "chat": { "id": chat } });
    assert_eq!(seen["messages"], json!([message]));
    assert_eq!(seen["lastMessage"]["text"], "secret");

    let refused = eve.ask(query, json!({ "id": chat })).await;
    assert_eq!((refused.code(), &refused.body["data"]), ("FORBIDDEN", &json!({ "chat": null })));
    assert_eq!(eve.ask("{ chats { id } }", json!({})).await.ok()["chats"], json!([]));
    assert_eq!(server.ask(query, json!({ "id": chat })).await.code(), "UNAUTHENTICATED");
    assert_eq!(server.ask("{ chats { id } }", json!({})).await.code(), "UNAUTHENTICATED");
    // Unknown chats are no error.
    assert_eq!(eve.ask(query, json!({ "id": chat + 100 })).await.ok()["chat"], json!(null));
    assert_eq!(eve.ask(query, json!({})).await.ok()["chat"], json!(null));
}

async fn a_chat_is_written_in_by_its_members_only(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, ben, eve) =
        (server.join("ada").await, server.join("ben").await, server.join("eve").await);
    let chat = ada.chat_with(&[ben.id]).await;
    assert_eq!(eve.try_say(chat, "let me in").await.code(), "FORBIDDEN");
    assert_eq!(eve.try_say(chat + 100, "anybody?").await.code(), "NOT_FOUND");
    let anonymous = "mutation { addMessage(message: { chatId: 1, text: \"x\" }) { id } }";
    assert_eq!(server.ask(anonymous, json!({})).await.code(), "UNAUTHENTICATED");

    let mutation = "mutation($id: Int!) { addMessage(message: { chatId: $id, text: \" hi \" }) {
        id text createdAt user { id } chat { id lastMessage { text } users { id } } } }";
    let said = ben.ask(mutation, json!({ "id": chat })).await;
    let said = &said.ok()["addMessage"];
    assert_eq!((&said["text"], &said["user"]["id"]), (&json!("hi"), &json!(ben.id)));
    assert_eq!(said["chat"]["lastMessage"]["text"], "hi");
    assert_eq!(said["chat"]["users"].as_array().unwrap().len(), 2);
}

async fn what_others_wrote_is_unread_until_it_is_read(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, bob, eve) =
        (server.join("ada").await, server.join("bob").await, server.join("eve").await);
    let (chat, other) = (ada.chat_with(&[bob.id]).await, ada.chat_with(&[eve.id]).await);
    let unread = async |person: &Person<'_>| {
        let chats = person.ask("{ chats { id unread } }", json!({})).await;
        let chats = chats.ok()["chats"].as_array().unwrap().clone();
        let of = |wanted: i64| chats.iter().find(|it| it["id"] == wanted);
        [chat, other].map(|wanted| of(wanted).map_or(-1, |it| it["unread"].as_i64().unwrap()))
    };
    let read = async |person: &Person<'_>, chat_id: i64, message_id: i64| {
        let mutation = "mutation($chat: Int!, $message: Int!) {
            markRead(chatId: $chat, messageId: $message) { success } }";
        person.ask(mutation, json!({ "chat": chat_id, "message": message_id })).await
    };
    assert_eq!(unread(&ada).await, [0, 0]);
    let first = bob.say(chat, "one").await;
    let second = bob.say(chat, "two").await;
    ada.say(chat, "three").await;
    eve.say(other, "four").await;
    assert_eq!(unread(&ada).await, [2, 1], "one's own are read");
    assert_eq!(unread(&bob).await, [1, -1]);
    read(&ada, chat, first).await.ok();
    assert_eq!(unread(&ada).await, [1, 1]);
    read(&ada, chat, second).await.ok();
    read(&ada, chat, first).await.ok();
    assert_eq!(unread(&ada).await, [0, 1], "and never less than before");
    // Neither by a stranger, nor up to a message of another chat or of none.
    read(&eve, chat, second).await.ok();
    read(&bob, chat, i64::from(i32::MAX)).await.ok();
    assert_eq!(unread(&bob).await, [1, -1]);
    for _ in 0..120 {
        eve.say(other, "more").await;
    }
    assert_eq!(unread(&ada).await, [0, 100], "100 at most");
}

async fn messages_are_checked(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, ben) = (server.join("ada").await, server.join("ben").await);
    let chat = ada.chat_with(&[ben.id]).await;
    for text in ["", "  \n", &"x".repeat(2_001)] {
        assert_eq!(ada.try_say(chat, text).await.code(), "BAD_USER_INPUT");
    }
    let longest = "語".repeat(2_000);
    assert_eq!(ada.try_say(chat, &longest).await.ok()["addMessage"]["text"], longest);
}

async fn a_message_with_a_key_is_said_once_however_often_it_is_sent(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, bob) = (server.join("ada").await, server.join("bob").await);
    let chat = ada.chat_with(&[bob.id]).await;
    let say = async |person: &Person<'_>, key: &str, text: &str| {
        let mutation = "mutation($chat: Int!, $text: String!, $key: String) {
            addMessage(message: { chatId: $chat, text: $text, key: $key }) { id text } }";
        person.ask(mutation, json!({ "chat": chat, "text": text, "key": key })).await
    };
    let all = join_all((0..4).map(|_| say(&ada, "one", "hello"))).await;
    let first = all[0].ok()["addMessage"].clone();
    assert!(all.iter().all(|answer| answer.ok()["addMessage"] == first), "{all:#?}");
    // It is answered as it was, and keys are everybody's own.
    assert_eq!(say(&ada, "one", "another text").await.ok()["addMessage"], first);
    assert_ne!(say(&bob, "one", "hello").await.ok()["addMessage"], first);
    let text = "query($chat: Int!) { chat(chatId: $chat) { messages { text } } }";
    let messages = ada.ask(text, json!({ "chat": chat })).await.ok()["chat"]["messages"].clone();
    assert_eq!(messages, json!([{ "text": "hello" }, { "text": "hello" }]));
    for key in ["", &"x".repeat(65)] {
        assert_eq!(say(&ada, key, "hello").await.code(), "BAD_USER_INPUT");
    }
}

async fn messages_come_in_pages_oldest_first(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, ben) = (server.join("ada").await, server.join("ben").await);
    let chat = ada.chat_with(&[ben.id]).await;
    let mut ids = Vec::new();
    for number in 0..7 {
        ids.push(ada.say(chat, &number.to_string()).await);
    }
    let query = "query($id: Int, $last: Int, $before: Int) {
        chat(chatId: $id) { messages(last: $last, before: $before) { id } } }";
    let page = async |last: Option<i64>, before: Option<i64>| -> Vec<i64> {
        let variables = json!({ "id": chat, "last": last, "before": before });
        let answer = ben.ask(query, variables).await;
        let messages = answer.ok()["chat"]["messages"].as_array().unwrap().clone();
        messages.iter().map(|message| message["id"].as_i64().unwrap()).collect()
    };
    assert_eq!(page(None, None).await, ids);
    assert_eq!(page(Some(3), None).await, ids[4..]);
    assert_eq!(page(Some(3), Some(ids[4])).await, ids[1..4]);
    assert_eq!(page(Some(3), Some(ids[1])).await, ids[..1]);
    let both = "query($id: Int, $before: Int) { chat(chatId: $id) {
        new: messages(last: 2) { id } old: messages(last: 2, before: $before) { id } } }";
    let both = ada.ask(both, json!({ "id": chat, "before": ids[2] })).await;
    assert_eq!(both.ok()["chat"]["new"], json!([{ "id": ids[5] }, { "id": ids[6] }]));
    assert_eq!(both.ok()["chat"]["old"], json!([{ "id": ids[0] }, { "id": ids[1] }]));
    let negative = ada.ask(query, json!({ "id": chat, "last": -1 })).await;
    assert_eq!(negative.code(), "BAD_USER_INPUT");
}

async fn chats_come_with_the_latest_first(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, ben, cem) =
        (server.join("ada").await, server.join("ben").await, server.join("cem").await);
    let second = std::time::Duration::from_secs(1);
    let with_ben = ada.chat_with(&[ben.id]).await;
    server.clock.advance(second);
    let with_cem = ada.chat_with(&[cem.id]).await;
    let order = async || {
        let answer = ada.ask("{ chats { id lastMessage { text } } }", json!({})).await;
        let chats = answer.ok()["chats"].as_array().unwrap().clone();
        chats.iter().map(|chat| chat["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(order().await, [with_cem, with_ben]);
    server.clock.advance(second);
    ben.say(with_ben, "here").await;
    assert_eq!(order().await, [with_ben, with_cem]);
    let page = ada.ask("{ chats(page: 1, limit: 1) { id } }", json!({})).await;
    assert_eq!(page.ok()["chats"], json!([{ "id": with_cem }]));
}
