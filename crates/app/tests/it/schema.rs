//! The GraphQL schema, and the schema of the database.

use std::collections::BTreeMap;
use std::path::Path;

use app::{graphql, migrations};
use migrate::{Migrator, Target};
use sqlx::Row as _;

use crate::support::{TestDatabase, TestServer, json};

migrate::on_every_database!(
    every_database_has_the_same_schema,
    the_migrations_can_be_taken_back_and_applied_again,
    introspection_can_be_switched_off,
);

#[test]
fn the_schema_is_the_published_one() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql");
    let published = std::fs::read_to_string(file).unwrap_or_default().replace("\r\n", "\n");
    assert!(
        published == graphql::schema::sdl(),
        "the schema changed. If that is meant, publish it:\n\
         cargo run -p app -- schema > crates/app/schema.graphql"
    );
}

async fn the_migrations_can_be_taken_back_and_applied_again(database: TestDatabase) {
    let migrations = migrations::embedded().unwrap();
    let found = migrate::scratch::trial(&database.target, &migrations).await.unwrap();
    assert_eq!(found.problems, [""; 0]);
    assert_eq!(
        (found.applied, found.taken_back),
        (migrations.iter().len(), migrations.iter().len())
    );
}

#[test]
fn the_migrations_break_no_release_and_stop_nobody() {
    let migrations = migrations::embedded().unwrap();
    let findings =
        migrate::lint::lint(&migrations, &migrate::lint::LintOptions::default()).unwrap();
    let text = migrate::lint::render(&findings, migrate::lint::Format::Text, "");
    assert!(!migrate::lint::has_errors(&findings), "{text}");
}

#[test]
fn the_schema_keeps_the_contract() {
    // What clients of the first Graphbook rely on; nullability of outputs may grow stricter.
    let sdl = graphql::schema::sdl();
    let block = |head: &str| {
        let start = sdl.find(&format!("\n{head} {{")).unwrap_or_else(|| panic!("{head}"));
        let rest = &sdl[start..];
        rest[..rest.find("\n}").unwrap()].to_owned()
    };
    for (head, fields) in [
        (
            "type File",
            &["filename: String!", "mimetype: String!", "encoding: String!", "url: String!"][..],
        ),
        ("type Post", &["id: Int", "text: String", "user: User"]),
        ("type User", &["id: Int", "avatar(", "username: String"]),
        ("type Message", &["id: Int", "text: String", "chat: Chat", "user: User"]),
        ("type Chat", &["id: Int", "messages(", "lastMessage: Message", "users: [User"]),
        ("type PostFeed", &["posts: [Post"]),
        ("type UsersSearch", &["users: [User"]),
        ("type Response", &["success: Boolean"]),
        ("type Auth", &["token: String"]),
        ("input PostInput", &["text: String!"]),
        ("input ChatInput", &["users: [Int]"]),
        ("input MessageInput", &["text: String!", "chatId: Int!"]),
        (
            "type RootQuery",
            &[
                "user(",
                "currentUser: User",
                "posts(",
                "chats(",
                "chat(",
                "postsFeed(",
                "usersSearch(",
            ],
        ),
        (
            "type RootMutation",
            &[
                "addPost(",
                "addChat(",
                "addMessage(",
                "deletePost(",
                "login(",
                "signup(",
                "uploadAvatar(",
                "logout: Response",
            ],
        ),
        ("type RootSubscription", &["messageAdded("]),
    ] {
        let block = block(head);
        for field in fields {
            assert!(block.contains(field), "{field} in {block}");
        }
    }
    assert!(sdl.contains("\nschema {\n") && sdl.contains("query: RootQuery"));
}

#[test]
fn everything_in_the_schema_is_described() {
    let sdl = graphql::schema::sdl();
    let (mut described, mut inside, mut checked) = (false, false, 0);
    for line in sdl.lines() {
        let text = line.trim();
        if text == "\"\"\"" {
            inside = !inside;
        }
        if inside || text.starts_with('"') {
            described = true;
            continue;
        }
        let kinds = ["type ", "input ", "enum ", "scalar "];
        let head = kinds.iter().any(|kind| line.starts_with(kind));
        let roots = ["query: ", "mutation: ", "subscription: "];
        let member = line.starts_with('\t')
            && !text.starts_with(')')
            && !roots.iter().any(|root| text.starts_with(root));
        if head || member {
            assert!(described, "no description: {line}");
            checked += 1;
        }
        described = false;
    }
    assert!(checked > 100, "{checked}");
}

async fn introspection_can_be_switched_off(database: TestDatabase) {
    let query = "{ __schema { queryType { name } } }";
    let open = TestServer::start(&database).await;
    assert_eq!(open.ask(query, json!({})).await.ok()["__schema"]["queryType"]["name"], "RootQuery");
    let closed = TestServer::start_with(&database, |config| config.introspection = false).await;
    let answer = closed.ask(query, json!({})).await;
    assert!(!answer.body.to_string().contains("RootQuery"), "{answer:?}");
    let name = closed.ask("{ __typename }", json!({})).await;
    assert_eq!(name.ok()["__typename"], "RootQuery");
}

/// Columns with their nullability, keys and references, in words that all databases share.
type Described = BTreeMap<String, Vec<String>>;

fn expected() -> Described {
    [
        (
            "users",
            "id! username! username_key! email! email_key! password_hash! avatar created_at! \
            primary(id) unique(email_key) unique(username_key)",
        ),
        (
            "username_suffixes",
            "suffix! user_id! primary(suffix,user_id) index(user_id) \
            references(user_id>users.id)",
        ),
        (
            "sessions",
            "id! user_id! created_at! expires_at! primary(id) index(expires_at) \
            index(user_id) references(user_id>users.id)",
        ),
        (
            "posts",
            "id! user_id! text! created_at! sender_key primary(id) unique(user_id,sender_key) \
            index(user_id,id) references(user_id>users.id)",
        ),
        ("chats", "id! pair_key created_at! primary(id) unique(pair_key)"),
        (
            "chat_members",
            "chat_id! user_id! read_up_to! primary(chat_id,user_id) index(user_id,chat_id) \
            references(chat_id>chats.id) references(user_id>users.id)",
        ),
        (
            "messages",
            "id! chat_id! user_id! text! created_at! sender_key primary(id) \
            unique(user_id,sender_key) index(chat_id,id) index(user_id) references(chat_id>chats.id) references(user_id>users.id)",
        ),
    ]
    .into_iter()
    .map(|(table, parts)| (table.to_owned(), parts.split_whitespace().map(str::to_owned).collect()))
    .collect()
}

async fn every_database_has_the_same_schema(database: TestDatabase) {
    let migrator = Migrator::new(migrations::embedded().unwrap(), database.target.clone());
    migrator.up(migrate::UpOptions::default(), |_| {}).await.unwrap();
    let found = match &database.target {
        Target::Sqlite(options) => {
            describe_sqlite(&sqlx::SqlitePool::connect_with(options.clone()).await.unwrap()).await
        }
        Target::MySql(options) => {
            describe_mysql(&sqlx::MySqlPool::connect_with(options.clone()).await.unwrap()).await
        }
    };
    assert_eq!(found, expected());
}

fn column(name: &str, required: bool) -> String {
    format!("{name}{}", if required { "!" } else { "" })
}

async fn describe_mysql(pool: &sqlx::MySqlPool) -> Described {
    let mut tables = Described::new();
    let columns = "SELECT CAST(table_name AS CHAR) AS t, CAST(column_name AS CHAR) AS c, \
        is_nullable = 'NO' AS required FROM information_schema.columns \
        WHERE table_schema = DATABASE() AND table_name NOT LIKE '\\_%' \
        ORDER BY table_name, ordinal_position";
    for row in sqlx::query(columns).fetch_all(pool).await.unwrap() {
        let required: i64 = row.get("required");
        let name = column(row.get("c"), required == 1);
        tables.entry(row.get("t")).or_default().push(name);
    }
    let keys = "SELECT CAST(table_name AS CHAR) AS t, CAST(index_name AS CHAR) AS k, \
        CAST(MIN(non_unique) AS SIGNED) AS several, \
        CAST(GROUP_CONCAT(column_name ORDER BY seq_in_index) AS CHAR) AS c \
        FROM information_schema.statistics \
        WHERE table_schema = DATABASE() AND table_name NOT LIKE '\\_%' \
        GROUP BY table_name, index_name";
    for row in sqlx::query(keys).fetch_all(pool).await.unwrap() {
        let several: i64 = row.get("several");
        let kind = match (row.get::<String, _>("k").as_str(), several) {
            ("PRIMARY", _) => "primary",
            (_, 0) => "unique",
            _ => "index",
        };
        let key = format!("{kind}({})", row.get::<String, _>("c"));
        tables.entry(row.get("t")).or_default().push(key);
    }
    let references = "SELECT CAST(table_name AS CHAR) AS t, CAST(column_name AS CHAR) AS c, \
        CAST(referenced_table_name AS CHAR) AS rt, CAST(referenced_column_name AS CHAR) AS rc \
        FROM information_schema.key_column_usage \
        WHERE table_schema = DATABASE() AND referenced_table_name IS NOT NULL";
    for row in sqlx::query(references).fetch_all(pool).await.unwrap() {
        let [c, rt, rc] = ["c", "rt", "rc"].map(|name| row.get::<String, _>(name));
        tables.entry(row.get("t")).or_default().push(format!("references({c}>{rt}.{rc})"));
    }
    sorted(tables)
}

async fn describe_sqlite(pool: &sqlx::SqlitePool) -> Described {
    let mut tables = Described::new();
    let names = "SELECT name FROM sqlite_master WHERE type = 'table' \
        AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_%' ESCAPE '\\'";
    for row in sqlx::query(names).fetch_all(pool).await.unwrap() {
        let table: String = row.get("name");
        let mut parts = Vec::new();
        let mut primary = Vec::new();
        let columns =
            sqlx::query("SELECT name, \"notnull\" AS required, pk FROM pragma_table_info(?)");
        for row in columns.bind(&table).fetch_all(pool).await.unwrap() {
            let required: i64 = row.get("required");
            parts.push(column(row.get("name"), required == 1));
            let place: i64 = row.get("pk");
            if place > 0 {
                primary.push((place, row.get::<String, _>("name")));
            }
        }
        primary.sort();
        let primary: Vec<String> = primary.into_iter().map(|(_, name)| name).collect();
        parts.push(format!("primary({})", primary.join(",")));
        let keys =
            sqlx::query("SELECT name, \"unique\" AS is_unique, origin FROM pragma_index_list(?)");
        for row in keys.bind(&table).fetch_all(pool).await.unwrap() {
            if row.get::<String, _>("origin") == "pk" {
                continue;
            }
            let columns = sqlx::query("SELECT name FROM pragma_index_info(?) ORDER BY seqno");
            let columns = columns.bind(row.get::<String, _>("name")).fetch_all(pool).await.unwrap();
            let columns: Vec<String> = columns.iter().map(|row| row.get("name")).collect();
            let kind = if row.get::<i64, _>("is_unique") == 1 { "unique" } else { "index" };
            parts.push(format!("{kind}({})", columns.join(",")));
        }
        let references = sqlx::query(
            "SELECT \"from\" AS c, \"table\" AS rt, \"to\" AS rc FROM pragma_foreign_key_list(?)",
        );
        for row in references.bind(&table).fetch_all(pool).await.unwrap() {
            let [c, rt, rc] = ["c", "rt", "rc"].map(|name| row.get::<String, _>(name));
            parts.push(format!("references({c}>{rt}.{rc})"));
        }
        tables.insert(table, parts);
    }
    sorted(tables)
}

/// Columns in their order, then the keys by kind and name.
fn sorted(mut tables: Described) -> Described {
    for parts in tables.values_mut() {
        let rank = |part: &str| {
            ["primary(", "unique(", "index(", "references("]
                .iter()
                .position(|kind| part.starts_with(kind))
                .map_or(0, |place| place + 1)
        };
        parts.sort_by(|one, other| {
            rank(one).cmp(&rank(other)).then_with(|| {
                if rank(one) == 0 { std::cmp::Ordering::Equal } else { one.cmp(other) }
            })
        });
    }
    tables
}
