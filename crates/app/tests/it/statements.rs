//! SQL: what every database understands, that an index serves it, and how little of it a
//! request takes.

use app::{migrations, store::Store};
use migrate::{Migrator, testing::Engine};
use sqlx::{AssertSqlSafe, Row as _};

use crate::support::{Answer, Person, TestDatabase, TestServer, json};

migrate::on_every_database!(
    every_database_prepares_every_statement,
    the_feed_takes_two_statements,
    the_chats_take_four_statements,
    a_chat_with_a_hundred_messages_takes_four_statements,
    an_index_serves_every_statement,
);

async fn every_database_prepares_every_statement(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let prepared = server.store().prepare_every_statement().await;
    let statements = Store::every_statement().len();
    assert!(statements > 30);
    assert_eq!(prepared.unwrap(), 3 * statements);
}

/// Asks, and says how many statements that took, finding out who asks included.
async fn counted(person: &Person<'_>, query: &str, variables: serde_json::Value) -> (Answer, u64) {
    let before = person.server.store().statements();
    let answer = person.ask(query, variables).await;
    answer.ok();
    (answer, person.server.store().statements() - before)
}

async fn the_feed_takes_two_statements(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let people = [server.join("ada").await, server.join("ben").await, server.join("cem").await];
    for number in 0..60 {
        people[number % 3].post(&number.to_string()).await;
    }
    for size in [1, 10, 60] {
        let feed = "query($first: Int) { feed(first: $first) {
            edges { node { id text createdAt user { id username avatar createdAt } } }
            pageInfo { hasNextPage } } }";
        let (answer, statements) = counted(&people[0], feed, json!({ "first": size })).await;
        assert_eq!(answer.ok()["feed"]["edges"].as_array().unwrap().len(), size);
        assert!(statements <= 2, "{statements} statements for {size} posts");
        let old = "query($limit: Int) { postsFeed(page: 0, limit: $limit, username: \"ben\") {
            posts { id text user { id username avatar } } } }";
        let (_, statements) = counted(&people[0], old, json!({ "limit": size })).await;
        assert!(statements <= 2, "{statements} statements for {size} posts");
    }
}

async fn the_chats_take_four_statements(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let mut others = Vec::new();
    for number in 0..12 {
        others.push(server.join(&format!("other{number}")).await);
    }
    for other in &others {
        let chat = ada.chat_with(&[other.id]).await;
        ada.say(chat, "hello").await;
        other.say(chat, "hello you").await;
    }
    for size in [1, 12] {
        let chats = "query($limit: Int) { chats(limit: $limit) { id createdAt
            users { id username avatar }
            lastMessage { id text user { username } chat { id } }
            messages { id text user { username } chat { id } } } }";
        let (answer, statements) = counted(&ada, chats, json!({ "limit": size })).await;
        assert_eq!(answer.ok()["chats"].as_array().unwrap().len(), size);
        assert_eq!(answer.ok()["chats"][0]["lastMessage"]["text"], "hello you");
        assert_eq!(answer.ok()["chats"][0]["messages"].as_array().unwrap().len(), 2);
        assert!(statements <= 4, "{statements} statements for {size} chats");
    }
}

async fn a_chat_with_a_hundred_messages_takes_four_statements(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, ben) = (server.join("ada").await, server.join("ben").await);
    let id = ada.chat_with(&[ben.id]).await;
    for number in 0..100 {
        [&ada, &ben][number % 2].say(id, &number.to_string()).await;
    }
    let chat = "query($id: Int) { chat(chatId: $id) { id users { username avatar }
        lastMessage { text }
        messages(last: 100) { id text createdAt user { id username avatar } chat { id } } } }";
    let (answer, statements) = counted(&ada, chat, json!({ "id": id })).await;
    assert_eq!(answer.ok()["chat"]["messages"].as_array().unwrap().len(), 100);
    assert!(statements <= 4, "{statements} statements");
}

/// Fills the tables so far that scanning them would be the wrong plan, and asks MySQL, and the
/// others in their own way, for the plan of every statement.
async fn an_index_serves_every_statement(database: TestDatabase) {
    let migrator = Migrator::new(migrations::embedded().unwrap(), database.target.clone());
    migrator.up(migrate::UpOptions::default(), |_| {}).await.unwrap();
    match &database.target {
        migrate::Target::Sqlite(options) => {
            let pool = sqlx::SqlitePool::connect_with(options.clone()).await.unwrap();
            for statement in fill().into_iter().chain(["ANALYZE".to_owned()]) {
                sqlx::raw_sql(AssertSqlSafe(statement)).execute(&pool).await.unwrap();
            }
            for (name, text) in explained() {
                let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"));
                for row in sqlx::query(explain).fetch_all(&pool).await.unwrap() {
                    let step: String = row.get("detail");
                    let reads_a_table = step.starts_with("SCAN ")
                        // What a part of the statement has found already.
                        && !["found", "newest", "m", "CONSTANT ROW"].iter().any(|part| step == format!("SCAN {part}"));
                    let in_order = step.contains("USING") && step.contains("INDEX");
                    assert!(!reads_a_table || in_order || by_key(name), "{name}: {step}\n{text}");
                }
            }
        }
        migrate::Target::MySql(options) => {
            let pool = sqlx::MySqlPool::connect_with(options.clone()).await.unwrap();
            for statement in fill() {
                sqlx::raw_sql(AssertSqlSafe(statement)).execute(&pool).await.unwrap();
            }
            let analyze = "ANALYZE TABLE users, username_suffixes, sessions, posts, chats, chat_members, messages";
            sqlx::raw_sql(analyze).fetch_all(&pool).await.unwrap();
            for (name, text) in explained() {
                let explain = AssertSqlSafe(match database.engine {
                    Engine::MySql => format!("EXPLAIN FORMAT=TRADITIONAL {text}"),
                    _ => format!("EXPLAIN {text}"),
                });
                for row in sqlx::raw_sql(explain).fetch_all(&pool).await.unwrap() {
                    let table: Option<String> = row.get("table");
                    let kind: Option<String> = row.get("type");
                    let key: Option<String> = row.get("key");
                    let (table, kind) = (table.unwrap_or_default(), kind.unwrap_or_default());
                    // What a part of the statement has found already; a plan without a table.
                    let derived = table.starts_with('<') || table == "newest" || kind.is_empty();
                    // `index` walks an index in order, and LIMIT ends the walk.
                    let served = key.is_some() && (kind != "index" || text.contains("LIMIT"));
                    let inserted = text.starts_with("INSERT");
                    assert!(
                        derived || served || inserted,
                        "{name}: {kind} on {table} with {key:?}\n{text}"
                    );
                }
            }
        }
    }
}

/// Statements that `SQLite` walks in the order of the primary key until LIMIT ends the walk.
fn by_key(name: &str) -> bool {
    ["ANY_USER", "POSTS_BEFORE"].contains(&name)
}

/// Every statement with its placeholders filled in: plans depend on the values.
fn explained() -> Vec<(&'static str, String)> {
    let statements = Store::every_statement().into_iter().filter(|(name, _)| *name != "PING");
    statements
        .map(|(name, text)| {
            // A number that is one of each table's ids, a text where a text belongs.
            let text = text
                .replace(
                    "suffix >= ? AND s.suffix < ?",
                    "suffix >= 'name30' AND s.suffix < 'name31'",
                )
                .replace("_key = ?", "_key = 'name300'")
                .replace("password_hash = ?", "password_hash = 'x'")
                .replace("s.id = ?", "s.id = '300'")
                .replace("sessions WHERE id = ?", "sessions WHERE id = '300'")
                .replace("SET expires_at = ? WHERE id = ?", "SET expires_at = 1 WHERE id = '300'")
                .replace("expires_at <= ?", "expires_at <= 5")
                .replace("LIMIT ? OFFSET ?", "LIMIT 10 OFFSET 0")
                .replace("LIMIT ?", "LIMIT 10")
                .replace('?', "300");
            (name, text)
        })
        .collect()
}

/// 2,000 people, posts, chats and sessions, 4,000 memberships, 8,000 messages.
fn fill() -> Vec<String> {
    let rows = |count: usize, row: &dyn Fn(usize) -> String| {
        (1..=count).map(row).collect::<Vec<_>>().join(", ")
    };
    let users = rows(2_000, &|id| {
        format!("('name{id}', 'name{id}', '{id}@x.org', '{id}@x.org', 'x', NULL, {id})")
    });
    let suffixes = rows(2_000, &|id| format!("('name{id}', {id}), ('ame{id}', {id})"));
    let sessions = rows(2_000, &|id| format!("('{id}', {id}, {id}, {id})"));
    let posts = rows(2_000, &|id| format!("({}, 'text', {id})", id % 500 + 1));
    let chats = rows(2_000, &|id| format!("('{id}:{id}', {id})"));
    let members = rows(2_000, &|id| format!("({id}, {id}), ({id}, {})", id % 2_000 + 1));
    let messages =
        rows(8_000, &|id| format!("({}, {}, 'text', {id})", id % 2_000 + 1, id % 2_000 + 1));
    [
        (
            "users (username, username_key, email, email_key, password_hash, avatar, created_at)",
            users,
        ),
        ("username_suffixes (suffix, user_id)", suffixes),
        ("sessions (id, user_id, created_at, expires_at)", sessions),
        ("posts (user_id, text, created_at)", posts),
        ("chats (pair_key, created_at)", chats),
        ("chat_members (chat_id, user_id)", members),
        ("messages (chat_id, user_id, text, created_at)", messages),
    ]
    .map(|(table, rows)| format!("INSERT INTO {table} VALUES {rows}"))
    .into()
}
