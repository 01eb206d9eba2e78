//! Clients that hang up while the server is at work for them.

use std::time::Duration;

use app::events::{Event, SessionsEnded};
use migrate::Target;
use sqlx::{MySql, Sqlite, Transaction};
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::support::{Person, TEMPLATE, TestDatabase, TestServer, json};

migrate::on_every_database!(
    from TEMPLATE:
    others_hear_of_a_post_whose_author_hung_up,
    others_hear_of_a_message_whose_author_hung_up,
    sockets_hear_of_a_session_that_was_ended_by_somebody_who_hung_up,
);

/// Keeps every write waiting until it is dropped, and no read.
#[expect(dead_code, reason = "they are held")]
enum Lock {
    Sqlite(Transaction<'static, Sqlite>),
    MySql(Transaction<'static, MySql>),
}

impl Lock {
    async fn take(database: &TestDatabase) -> Self {
        match &database.target {
            Target::Sqlite(options) => {
                let pool = sqlx::SqlitePool::connect_with(options.clone()).await.unwrap();
                Self::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await.unwrap())
            }
            Target::MySql(options) => {
                let pool = sqlx::MySqlPool::connect_with(options.clone()).await.unwrap();
                let mut lock = pool.begin().await.unwrap();
                for table in ["posts", "messages", "sessions"] {
                    // All rows, and the place where new ones would come.
                    let rows = format!("SELECT * FROM {table} FOR UPDATE");
                    let rows = sqlx::query(sqlx::AssertSqlSafe(rows));
                    rows.fetch_all(&mut *lock).await.unwrap();
                }
                Self::MySql(lock)
            }
        }
    }
}

/// Asks for a mutation whose write has to wait, and hangs up meanwhile. Returns when the server
/// has let go of the connection and the write can go on.
async fn ask_and_hang_up(person: &Person<'_>, database: &TestDatabase, mutation: &str, reads: u64) {
    let server = person.server;
    let lock = Lock::take(database).await;
    let statements = server.store().statements();
    let body = json!({ "query": mutation }).to_string();
    let request = format!(
        "POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        person.token,
        body.len()
    );
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    until(|| server.store().statements() == statements + reads + 1).await;
    let tasks = server.state.lifecycle.tasks();
    let with_the_connection = tasks.len();
    drop(stream);
    until(|| tasks.len() < with_the_connection).await;
    drop(lock);
}

async fn until(condition: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if condition() {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not come to that");
}

/// How long something may take that happens if it happens at all.
const SOON: Duration = Duration::from_secs(10);

async fn others_hear_of_a_post_whose_author_hung_up(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let mut listener = server.state.events.listen();
    let add = "mutation { addPost(post: { text: \"bye\" }) { id } }";
    ask_and_hang_up(&ada, &database, add, 1).await;
    let event = timeout(SOON, listener.next()).await.expect("nobody heard of it").unwrap();
    assert!(matches!(event, Event::PostAdded(post) if post.text == "bye"));
    let posts = ada.ask("{ posts { text } }", json!({})).await;
    assert_eq!(posts.ok()["posts"], json!([{ "text": "bye" }]));
}

async fn others_hear_of_a_message_whose_author_hung_up(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let chat = ada.chat_with(&[]).await;
    let mut listener = server.state.events.listen();
    let add =
        format!("mutation {{ addMessage(message: {{ chatId: {chat}, text: \"bye\" }}) {{ id }} }}");
    ask_and_hang_up(&ada, &database, &add, 2).await;
    let event = timeout(SOON, listener.next()).await.expect("nobody heard of it").unwrap();
    assert!(matches!(event, Event::MessageAdded { message, .. } if message.text == "bye"));
}

async fn sockets_hear_of_a_session_that_was_ended_by_somebody_who_hung_up(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let mut ended = server.state.events.sessions_ended();
    let logout = "mutation { logout { success } }";
    ask_and_hang_up(&ada, &database, logout, 1).await;
    let event = timeout(SOON, ended.recv()).await.expect("nobody heard of it").unwrap();
    assert!(matches!(event, SessionsEnded::One(_)));
    let me = ada.ask("{ currentUser { id } }", json!({})).await;
    assert_eq!(me.code(), "UNAUTHENTICATED");
}
