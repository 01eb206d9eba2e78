//! The feed: writing, reading, deleting, paging.

use std::collections::HashSet;

use crate::support::{Answer, Person, TEMPLATE, TestDatabase, TestServer, Value, json};

migrate::on_every_database!(
    from TEMPLATE:
    a_post_belongs_to_whoever_wrote_it,
    a_post_is_deleted_by_its_author_only,
    a_post_with_a_key_is_written_once_however_often_it_is_sent,
    a_mutation_that_is_selected_twice_runs_once,
    an_id_is_not_given_again_after_the_newest_post_is_deleted,
    texts_are_checked,
    any_script_survives,
    pages_count_from_zero_newest_first,
    wrong_pages_are_told,
    the_feed_of_one_person,
    the_feed_neither_repeats_nor_skips_while_others_post,
    lists_have_a_largest_size,
);

const FEED: &str = "query($first: Int, $after: String, $username: String) {
    feed(first: $first, after: $after, username: $username) {
        edges { cursor node { id text user { username } } }
        pageInfo { hasNextPage hasPreviousPage endCursor } } }";

async fn a_post_with_a_key_is_written_once_however_often_it_is_sent(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, ben) = (server.join("ada").await, server.join("ben").await);
    let write = async |person: &Person<'_>, key: &str| {
        let mutation =
            "mutation($key: String) { addPost(post: { text: \"hello\", key: $key }) { id } }";
        person.ask(mutation, json!({ "key": key })).await
    };
    let first = write(&ada, "one").await.ok()["addPost"].clone();
    assert_eq!(write(&ada, "one").await.ok()["addPost"], first);
    assert_ne!(write(&ada, "two").await.ok()["addPost"], first);
    assert_ne!(write(&ben, "one").await.ok()["addPost"], first);
    let posts = ada.ask("{ posts { id } }", json!({})).await;
    assert_eq!(posts.ok()["posts"].as_array().unwrap().len(), 3);
    assert_eq!(write(&ada, "").await.code(), "BAD_USER_INPUT");
}

async fn a_post_belongs_to_whoever_wrote_it(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (_first, ben) = (server.join("ada").await, server.join("ben").await);
    let mutation = "mutation { addPost(post: { text: \"  Hello there \" }) {
        id text createdAt user { id username avatar } } }";
    let post = ben.ask(mutation, json!({})).await;
    let post = &post.ok()["addPost"];
    assert_eq!(post["text"], "Hello there");
    assert_eq!(post["user"], json!({ "id": ben.id, "username": "ben", "avatar": null }));
    let at = post["createdAt"].as_str().unwrap();
    assert!(at.starts_with("20") && (at.ends_with('Z') || at.ends_with("+00:00")), "{at}");
    let posts = ben.ask("{ posts { id text } }", json!({})).await;
    assert_eq!(posts.ok()["posts"], json!([{ "id": post["id"], "text": "Hello there" }]));
}

async fn delete(person: &Person<'_>, id: i64) -> Answer {
    let mutation = "mutation($id: Int!) { deletePost(postId: $id) { success } }";
    person.ask(mutation, json!({ "id": id })).await
}

async fn a_mutation_that_is_selected_twice_runs_once(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let mutation = "mutation { addPost(post: { text: \"one\" }) { id }
        other: addPost(post: { text: \"two\" }) { text }
        addPost(post: { text: \"one\" }) { text } }";
    let answer = ada.ask(mutation, json!({})).await;
    assert!(answer.ok()["addPost"]["id"].is_number());
    assert_eq!(answer.ok()["addPost"]["text"], "one");
    assert_eq!(answer.ok()["other"]["text"], "two");
    let posts = ada.ask("{ posts { text } }", json!({})).await;
    assert_eq!(posts.ok()["posts"], json!([{ "text": "two" }, { "text": "one" }]));
    // What can't be one is refused, and nothing runs.
    let conflict = "mutation { addPost(post: { text: \"one\" }) { id }
        addPost(post: { text: \"two\" }) { id } }";
    assert_eq!(ada.ask(conflict, json!({})).await.code(), "GRAPHQL_VALIDATION_FAILED");
    let posts = ada.ask("{ posts { text } }", json!({})).await;
    assert_eq!(posts.ok()["posts"].as_array().unwrap().len(), 2);
}

async fn a_post_is_deleted_by_its_author_only(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, ben) = (server.join("ada").await, server.join("ben").await);
    let id = ada.post("mine").await;
    assert_eq!(delete(&ben, id).await.code(), "FORBIDDEN");
    let nobody = server.ask("mutation { deletePost(postId: 1) { success } }", json!({})).await;
    assert_eq!(nobody.code(), "UNAUTHENTICATED");
    let left = ben.ask("{ posts { id } }", json!({})).await;
    assert_eq!(left.ok()["posts"], json!([{ "id": id }]));
    assert_eq!(delete(&ada, id).await.ok()["deletePost"]["success"], true);
    assert_eq!(delete(&ada, id).await.ok()["deletePost"]["success"], false);
    let left = ben.ask("{ posts { id } }", json!({})).await;
    assert_eq!(left.ok()["posts"], json!([]));
}

async fn an_id_is_not_given_again_after_the_newest_post_is_deleted(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let id = ada.post("gone soon").await;
    delete(&ada, id).await.ok();
    assert!(ada.post("another").await > id);
}

async fn texts_are_checked(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let add = "mutation($text: String!) { addPost(post: { text: $text }) { text } }";
    for text in [String::new(), " \n\t ".to_owned(), "x".repeat(10_001)] {
        let answer = ada.ask(add, json!({ "text": text })).await;
        assert_eq!(answer.code(), "BAD_USER_INPUT");
        assert_eq!(answer.body["errors"][0]["extensions"]["field"], "text");
    }
    let longest = "🙂".repeat(10_000);
    let answer = ada.ask(add, json!({ "text": format!(" {longest} ") })).await;
    assert_eq!(answer.ok()["addPost"]["text"], longest);
}

async fn any_script_survives(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let texts = [
        "שלום עולם",
        "مرحبا بالعالم",
        "こんにちは 世界",
        "नमस्ते",
        "👩‍👩‍👧‍👦 🏳️‍🌈",
        "a\u{0301} ≠ á",
        "'; DROP TABLE posts; --",
        "<script>alert(1)</script>",
        "back\\slash \"quotes\" `ticks`",
        "two\nlines\ttab",
        "nul \u{0} inside",
        "𐍈 \u{10ffff}",
    ];
    for text in texts {
        ada.post(text).await;
    }
    let answer = ada.ask("{ posts { text } }", json!({})).await;
    let stored: Vec<&str> = answer.ok()["posts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|post| post["text"].as_str().unwrap())
        .collect();
    let expected: Vec<&str> = texts.into_iter().rev().collect();
    assert_eq!(stored, expected);
}

async fn page(person: &Person<'_>, variables: Value) -> Vec<String> {
    let query = "query($page: Int, $limit: Int, $username: String) {
        postsFeed(page: $page, limit: $limit, username: $username) { posts { text } } }";
    let answer = person.ask(query, variables).await;
    answer.ok()["postsFeed"]["posts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|post| post["text"].as_str().unwrap().to_owned())
        .collect()
}

async fn pages_count_from_zero_newest_first(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    for number in 0..5 {
        ada.post(&number.to_string()).await;
    }
    assert_eq!(page(&ada, json!({ "page": 0, "limit": 2 })).await, ["4", "3"]);
    assert_eq!(page(&ada, json!({ "page": 2, "limit": 2 })).await, ["0"]);
    assert_eq!(page(&ada, json!({ "page": 3, "limit": 2 })).await, [""; 0]);
    assert_eq!(page(&ada, json!({ "limit": 0 })).await.len(), 5);
    assert_eq!(page(&ada, json!({})).await.len(), 5);
}

async fn wrong_pages_are_told(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    for arguments in ["page: -1", "limit: -1", "page: 2000000000, limit: 100"] {
        let query = format!("{{ postsFeed({arguments}) {{ posts {{ id }} }} }}");
        assert_eq!(ada.ask(&query, json!({})).await.code(), "BAD_USER_INPUT", "{arguments}");
    }
    for cursor in ["", "nonsense", "bnVsbA", "IngiCg"] {
        let answer = ada.ask(FEED, json!({ "after": cursor })).await;
        assert_eq!(answer.code(), "BAD_USER_INPUT", "{cursor}");
    }
    assert_eq!(ada.ask(FEED, json!({ "first": -1 })).await.code(), "BAD_USER_INPUT");
}

async fn the_feed_of_one_person(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, ben) = (server.join("Ada").await, server.join("ben").await);
    ada.post("one").await;
    ben.post("two").await;
    ada.post("three").await;
    assert_eq!(page(&ben, json!({ "username": "aDA" })).await, ["three", "one"]);
    assert_eq!(page(&ben, json!({ "username": "nobody" })).await, [""; 0]);
    let feed = ben.ask(FEED, json!({ "username": "ada", "first": 1 })).await;
    let feed = &feed.ok()["feed"];
    assert_eq!(feed["edges"][0]["node"]["text"], "three");
    let next =
        ben.ask(FEED, json!({ "username": "ada", "after": feed["pageInfo"]["endCursor"] })).await;
    assert_eq!(next.ok()["feed"]["edges"][0]["node"]["text"], "one");
    assert_eq!(next.ok()["feed"]["pageInfo"]["hasNextPage"], false);
}

async fn the_feed_neither_repeats_nor_skips_while_others_post(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let mut written = HashSet::new();
    for number in 0..25 {
        written.insert(ada.post(&number.to_string()).await);
    }
    let mut seen = Vec::new();
    let mut after = Value::Null;
    loop {
        let answer = ada.ask(FEED, json!({ "first": 4, "after": after })).await;
        let feed = &answer.ok()["feed"];
        for edge in feed["edges"].as_array().unwrap() {
            seen.push(edge["node"]["id"].as_i64().unwrap());
        }
        ada.post("meanwhile").await;
        if feed["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = feed["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(seen.len(), 25, "{seen:?}");
    assert!(seen.is_sorted_by(|a, b| a > b), "{seen:?}");
    assert_eq!(seen.into_iter().collect::<HashSet<_>>(), written);
}

async fn lists_have_a_largest_size(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    for number in 0..101 {
        server.store().add_post(&user(&ada), &number.to_string(), 0, None).await.unwrap();
    }
    assert_eq!(page(&ada, json!({ "limit": 1_000_000 })).await.len(), 100);
    assert_eq!(page(&ada, json!({ "limit": 0 })).await.len(), 100);
    assert_eq!(page(&ada, json!({})).await.len(), 50);
    let posts = ada.ask("{ posts { id } }", json!({})).await;
    assert_eq!(posts.ok()["posts"].as_array().unwrap().len(), 50);
    let feed = ada.ask(FEED, json!({ "first": 1_000_000 })).await;
    assert_eq!(feed.ok()["feed"]["edges"].as_array().unwrap().len(), 100);
    let feed = ada.ask(FEED, json!({})).await;
    assert_eq!(feed.ok()["feed"]["edges"].as_array().unwrap().len(), 20);
}

fn user(person: &Person<'_>) -> app::store::User {
    let username = person.username.clone();
    app::store::User { id: person.id, username, avatar: None, created_at: 0 }
}
