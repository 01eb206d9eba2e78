//! What happens when the database goes, comes back, is locked or changes hands, and when the
//! server itself stops.

use std::sync::Arc;
use std::time::Duration;

use migrate::{Target, testing::Engine};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::sleep,
};

use crate::support::{PASSWORD, Person, TestDatabase, TestServer, configuration, json};

migrate::on_every_database!(
    a_restart_keeps_everything,
    a_database_that_goes_and_comes_back,
    a_database_without_a_schema_is_not_ready,
    a_stop_finishes_what_is_under_way,
    a_stop_is_told_before_connections_are_refused,
    a_locked_database_loses_nothing,
    a_full_database_loses_nothing,
    a_database_file_that_goes_loses_nothing,
    mysql_is_reached_by_tls_with_a_ca_file,
);

async fn a_restart_keeps_everything(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let token = {
        let (ada, ben) = (server.join("ada").await, server.join("ben").await);
        ada.post("still here").await;
        let chat = ada.chat_with(&[ben.id]).await;
        ada.say(chat, "see you").await;
        ada.token.clone()
    };
    server.stop().await;
    let server = TestServer::start(&database).await;
    let ada = Person { server: &server, id: 0, username: "ada".into(), token };
    let all = ada
        .ask(
            "{ currentUser { username } posts { text } chats { lastMessage { text } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        all.ok(),
        &json!({
            "currentUser": { "username": "ada" },
            "posts": [{ "text": "still here" }],
            "chats": [{ "lastMessage": { "text": "see you" } }],
        })
    );
    server.sign_in("ben@example.org", PASSWORD).await.ok();
}

/// Stands between a server and its database, and can be cut.
struct Wire {
    port: u16,
    whole: watch::Sender<bool>,
}

impl Wire {
    async fn to(host: String, port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own_port = listener.local_addr().unwrap().port();
        let (whole, watched) = watch::channel(true);
        tokio::spawn(async move {
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let mut watched = watched.clone();
                let target = (host.clone(), port);
                tokio::spawn(async move {
                    if !*watched.borrow_and_update() {
                        return;
                    }
                    let mut far = TcpStream::connect(target).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        _ = watched.changed() => {}
                    }
                });
            }
        });
        Self { port: own_port, whole }
    }
}

async fn a_database_that_goes_and_comes_back(mut database: TestDatabase) {
    let Target::MySql(options) = database.target.clone() else { return };
    let wire = Wire::to(options.get_host().to_owned(), options.get_port()).await;
    database.target = Target::MySql(options.host("127.0.0.1").port(wire.port));
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    ada.post("before").await;
    let status = async |path| server.client.get(server.url(path)).send().await.unwrap().status();
    until_ready_says(&server, 200, "ready").await;

    wire.whole.send(false).unwrap();
    until_ready_says(&server, 503, "the database does not answer").await;
    assert_eq!(status("/healthz").await, 200);
    for _ in 0..3 {
        let answer = ada.ask("{ posts { text } }", json!({})).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (503, "INTERNAL_SERVER_ERROR"));
        assert_eq!(answer.message(), "Something went wrong on our side. Try again.");
        let answer = server.sign_in("ada@example.org", PASSWORD).await;
        assert_eq!(answer.code(), "INTERNAL_SERVER_ERROR");
        assert!(!answer.body.to_string().contains("127.0.0.1"), "{answer:?}");
    }

    wire.whole.send(true).unwrap();
    until_ready_says(&server, 200, "ready").await;
    let posts = ada.ask("{ posts { text } }", json!({})).await;
    assert_eq!(posts.ok()["posts"], json!([{ "text": "before" }]));
    ada.post("after").await;
}

async fn a_database_without_a_schema_is_not_ready(database: TestDatabase) {
    let server = TestServer::start_with(&database, |config| config.migrate = false).await;
    until_ready_says(&server, 503, "migrations are not applied").await;
    assert_eq!(server.sign_up("ada").await.code(), "INTERNAL_SERVER_ERROR");
    // Somebody migrates: no restart is needed.
    TestServer::start(&database).await.stop().await;
    until_ready_says(&server, 200, "ready").await;
    server.join("ada").await;
}

/// Waits for an answer: it is remembered for a second, and a machine under load may not get one
/// from the database in time.
async fn until_ready_says(server: &TestServer, status: u16, text: &str) {
    let mut said = String::new();
    for _ in 0..50 {
        let ready = server.client.get(server.url("/readyz")).send().await.unwrap();
        said = format!("{} ", ready.status()) + &ready.text().await.unwrap();
        if said.starts_with(&status.to_string()) && said.contains(text) {
            return;
        }
        sleep(Duration::from_millis(200)).await;
    }
    panic!("expected {status} {text}, and it was {said}");
}

async fn a_stop_finishes_what_is_under_way(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    // A request whose body is still on its way when the stop is asked for.
    let body =
        json!({ "query": "mutation { addPost(post: { text: \"late\" }) { text } }" }).to_string();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        ada.token,
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // An idle connection does not hold it up.
    let _idle = TcpStream::connect(server.address).await.unwrap();
    sleep(Duration::from_millis(200)).await;
    let readiness = Arc::clone(&server.state);
    let stopping = tokio::spawn(server_stop(server));
    sleep(Duration::from_millis(200)).await;
    assert!(readiness.lifecycle.is_stopping());
    assert!(!readiness.lifecycle.tasks().is_empty());
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 200") && response.contains("late"), "{response}");
    let (took, address) = stopping.await.unwrap();
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(TcpStream::connect(address).await.is_err());
}

async fn a_stop_is_told_before_connections_are_refused(database: TestDatabase) {
    let linger = Duration::from_millis(800);
    let server = TestServer::start_with(&database, |config| config.linger = linger).await;
    server.state.lifecycle.stop();
    sleep(Duration::from_millis(100)).await;
    let (url, alive) = (server.url("/readyz"), server.url("/healthz"));
    let ready = server.client.get(&url).send().await.unwrap();
    assert_eq!(
        (ready.status().as_u16(), ready.text().await.unwrap().as_str()),
        (503, "not ready: stopping\n")
    );
    assert_eq!(server.client.get(alive).send().await.unwrap().status(), 200);
    server.sign_up("late").await.ok();
    let client = server.client.clone();
    server.stop().await;
    assert!(client.get(url).send().await.is_err());
}

async fn server_stop(server: TestServer) -> (Duration, std::net::SocketAddr) {
    let (started, address) = (std::time::Instant::now(), server.address);
    server.stop().await;
    (started.elapsed(), address)
}

async fn a_locked_database_loses_nothing(database: TestDatabase) {
    let Target::Sqlite(options) = &database.target else { return };
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let other = sqlx::SqlitePool::connect_with(options.clone()).await.unwrap();
    let lock = other.begin_with("BEGIN EXCLUSIVE").await.unwrap();
    let add = "mutation { addPost(post: { text: \"while locked\" }) { id } }";
    let answer = ada.ask(add, json!({})).await;
    assert_eq!(answer.code(), "INTERNAL_SERVER_ERROR");
    assert!(!answer.body.to_string().contains("lock"), "{answer:?}");
    // Who only reads does not wait.
    assert_eq!(ada.ask("{ posts { id } }", json!({})).await.ok()["posts"], json!([]));
    lock.rollback().await.unwrap();
    ada.post("afterwards").await;
}

async fn a_full_database_loses_nothing(mut database: TestDatabase) {
    let Target::Sqlite(options) = database.target.clone() else { return };
    // As a full disk: the file may not grow beyond this many pages.
    database.target = Target::Sqlite(options.pragma("max_page_count", "60"));
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let add = "mutation($text: String!) { addPost(post: { text: $text }) { id } }";
    let mut written = 0;
    let refused = loop {
        let answer = ada.ask(add, json!({ "text": "x".repeat(9_000) })).await;
        if answer.body.get("errors").is_some() {
            break answer;
        }
        written += 1;
        assert!(written < 200, "the database did not become full");
    };
    assert_eq!(refused.code(), "INTERNAL_SERVER_ERROR");
    assert!(!refused.body.to_string().contains("full"), "{refused:?}");
    let posts = ada.ask("{ posts(limit: 100) { id } }", json!({})).await;
    assert_eq!(posts.ok()["posts"].as_array().unwrap().len(), written);
}

async fn a_database_file_that_goes_loses_nothing(database: TestDatabase) {
    let Target::Sqlite(options) = &database.target else { return };
    let file = options.get_filename();
    let aside = file.with_extension("aside");
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    ada.post("before").await;
    until_ready_says(&server, 200, "ready").await;
    let gone = "the database file was removed or replaced";
    let write = async |text: &str| {
        let add = "mutation($text: String!) { addPost(post: { text: $text }) { id } }";
        ada.ask(add, json!({ "text": text })).await
    };

    std::fs::rename(file, &aside).unwrap();
    assert_eq!(write("into nothing").await.code(), "INTERNAL_SERVER_ERROR");
    assert_eq!(server.sign_up("ben").await.code(), "INTERNAL_SERVER_ERROR");
    until_ready_says(&server, 503, gone).await;
    assert!(!file.exists(), "a new file was begun");
    std::fs::copy(&aside, file).unwrap();
    assert_eq!(write("into another file").await.code(), "INTERNAL_SERVER_ERROR");
    until_ready_says(&server, 503, gone).await;

    // Its own file again, which has whatever was acknowledged and nothing else.
    std::fs::rename(&aside, file).unwrap();
    until_ready_says(&server, 200, "ready").await;
    write("after").await.ok();
    let posts = ada.ask("{ posts { text } }", json!({})).await;
    assert_eq!(posts.ok()["posts"], json!([{ "text": "after" }, { "text": "before" }]));

    // One that waits for its turn while the file goes is not acknowledged either.
    let other = sqlx::SqlitePool::connect_with(options.clone()).await.unwrap();
    let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let statements = server.store().statements();
    let release = async {
        while server.store().statements() < statements + 2 {
            sleep(Duration::from_millis(5)).await;
        }
        std::fs::remove_file(file).unwrap();
        lock.rollback().await.unwrap();
    };
    let (answer, ()) = tokio::join!(write("too late"), release);
    assert_eq!(answer.code(), "INTERNAL_SERVER_ERROR");
    assert!(!answer.body.to_string().contains("test.db"), "{answer:?}");
}

async fn mysql_is_reached_by_tls_with_a_ca_file(database: TestDatabase) {
    // The server that dev/test starts has a certificate of this authority for 127.0.0.1.
    let Ok(authority) = std::env::var("TEST_MYSQL_CA") else { return };
    let (Engine::MySql, Target::MySql(options)) = (database.engine, database.target.clone()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let verified = |authority: String| {
        let mode = sqlx::mysql::MySqlSslMode::VerifyIdentity;
        Target::MySql(options.clone().ssl_mode(mode).ssl_ca(authority))
    };
    let mut trusting = database.clone();
    trusting.target = verified(authority);
    let server = TestServer::start(&trusting).await;
    server.join("ada").await;

    // Another authority: openssl is not needed to have one that did not sign the server's.
    let stranger = folder.path().join("stranger.pem");
    std::fs::write(&stranger, include_str!("stranger.pem")).unwrap();
    let mut doubting = database.clone();
    doubting.target = verified(stranger.display().to_string());
    let config = configuration(&doubting, folder.path().to_owned());
    let refused = app::server::Server::build(&config, app::clock::Clock::system()).await;
    let error = refused.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("certificate") || error.contains("UnknownIssuer"), "{error}");
}
