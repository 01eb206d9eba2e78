//! SQL: what every database understands, that an index serves it, and how little of it a
//! request takes.

use app::{migrations, store::Store};
use migrate::{Migrator, testing::Engine};
use sqlx::{AssertSqlSafe, Row as _};

use crate::support::{Answer, Person, TEMPLATE, TestDatabase, TestServer, json};

migrate::on_every_database!(
    from TEMPLATE:
    every_database_prepares_every_statement,
    the_feed_takes_two_statements,
    the_chats_take_four_statements,
    a_chat_with_a_hundred_messages_takes_four_statements,
    an_index_serves_every_statement,
);

async fn every_database_prepares_every_statement(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let prepared = server.store().prepare_every_statement().await;
    let statements = Store::every_statement(1).len();
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
                    let scanned = step.strip_prefix("SCAN ").unwrap_or_default();
                    let alias = scanned.split(' ').next().unwrap_or_default();
                    // Also walks over an index, and not what an INSERT brings along.
                    let scans_a_table = !scanned.is_empty()
                        && !scanned.contains("CONSTANT ROW")
                        && !scanned.ends_with("VALUES CLAUSE")
                        && !is_derived(&text, alias);
                    assert!(!scans_a_table || walks(name), "{name}: {step}\n{text}");
                    let sorts = step.starts_with("USE TEMP B-TREE") && step.contains("ORDER BY");
                    assert!(!sorts || sorts_little(name, &text), "{name}: {step}\n{text}");
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
                    let column = |name| row.get::<Option<String>, _>(name).unwrap_or_default();
                    let (table, kind, key) = (column("table"), column("type"), column("key"));
                    let plan = format!("{name}: {kind} on {table} by {key:?}, {}", column("Extra"));
                    // What a part of the statement has found already; a plan without a table.
                    let derived = table.starts_with('<') || is_derived(&text, &table);
                    let served = !key.is_empty() && (kind != "index" || walks(name));
                    let nothing = kind.is_empty() || column("select_type") == "INSERT";
                    assert!(derived || served || nothing, "{plan}\n{text}");
                    let sorts = column("Extra").contains("Using filesort");
                    assert!(!sorts || derived && sorts_little(name, &text), "{plan}\n{text}");
                    // It would not have been planned at all.
                    let missed = ["Impossible WHERE", "no matching row"];
                    let missed = missed.iter().any(|part| column("Extra").contains(part));
                    assert!(!missed, "{plan}: the test asks for rows that are not there\n{text}");
                }
            }
        }
    }
}

/// Whether an alias stands for what a part of the statement has found already, not for a table.
fn is_derived(text: &str, alias: &str) -> bool {
    let named = format!(") {alias}");
    let mut ends = text.split(&named).skip(1);
    !alias.is_empty() && ends.any(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
}

/// Statements that walk a whole key: until LIMIT ends it, at the first row.
fn walks(name: &str) -> bool {
    name == "ANY_USER"
}

/// Statements that sort, and what keeps them from sorting more than some thousands of rows, however
/// large the tables are.
fn sorts_little(name: &str, text: &str) -> bool {
    [
        // By their latest activity, which stands in two tables.
        ("CHATS_OF_USER", "LIMIT 10000) mine"),
        // By when they came, after an index has found them by name.
        ("SEARCH_USERS", "LIMIT 10000) found"),
        // A page of messages, 100 at most, of each of the chats of a page, 100 at most.
        ("NEWEST_MESSAGES", "LIMIT 10) newest"),
    ]
    .iter()
    .any(|(known, bound)| *known == name && text.contains(bound))
}

/// Every statement, lists in two lengths, with its placeholders filled in: plans depend on the
/// values, which are those of rows that are there.
fn explained() -> Vec<(&'static str, String)> {
    let statements = [1, 16].into_iter().flat_map(Store::every_statement);
    statements
        .filter(|(name, _)| *name != "PING")
        .map(|(name, text)| {
            let text = text
                .replace(
                    "suffix >= ? AND s.suffix < ?",
                    "suffix >= 'name30' AND s.suffix < 'name31'",
                )
                .replace("m.id = ? AND m.chat_id", "m.id = 299 AND m.chat_id")
                .replace("pair_key = ?", "pair_key = '300:300'")
                .replace("email_key = ?", "email_key = '300@x.org'")
                .replace("_key = ?", "_key = 'name300'")
                .replace("password_hash = ?", "password_hash = 'x'")
                .replace("s.id = ? AND s.expires_at > ?", "s.id = '300' AND s.expires_at > 1")
                .replace("sessions WHERE id = ?", "sessions WHERE id = '300'")
                .replace("SET expires_at = ? WHERE id = ?", "SET expires_at = 1 WHERE id = '300'")
                .replace("expires_at <= ?", "expires_at <= 5")
                .replace("LIMIT ? OFFSET ?", "LIMIT 10 OFFSET 0")
                .replace("LIMIT ?", "LIMIT 10");
            // An id of each table, and in lists one after the other.
            let mut id = 300;
            let mut parts = text.split('?');
            let mut filled = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                filled.extend([&id.to_string(), part]);
                id = if part == ", " { id + 1 } else { 300 };
            }
            (name, filled)
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
    let posts = rows(2_000, &|id| {
        let user = id % 500 + 1;
        let key = if id > 1_500 { format!("'name{user}'") } else { "NULL".to_owned() };
        format!("({user}, 'text', {id}, {key})")
    });
    let chats = rows(2_000, &|id| format!("('{id}:{id}', {id})"));
    let members = rows(2_000, &|id| format!("({id}, {id}), ({id}, {})", id % 2_000 + 1));
    let messages = rows(8_000, &|id| {
        let user = id % 2_000 + 1;
        // Old ones have no key.
        let key = if id > 6_000 { format!("'name{user}'") } else { "NULL".to_owned() };
        format!("({user}, {user}, 'text', {id}, {key})")
    });
    [
        (
            "users (username, username_key, email, email_key, password_hash, avatar, created_at)",
            users,
        ),
        ("username_suffixes (suffix, user_id)", suffixes),
        ("sessions (id, user_id, created_at, expires_at)", sessions),
        ("posts (user_id, text, created_at, sender_key)", posts),
        ("chats (pair_key, created_at)", chats),
        ("chat_members (chat_id, user_id)", members),
        ("messages (chat_id, user_id, text, created_at, sender_key)", messages),
    ]
    .map(|(table, rows)| format!("INSERT INTO {table} VALUES {rows}"))
    .into()
}
