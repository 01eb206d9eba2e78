//! The real `graphbook`, as a person or a container starts it.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
    process::{Child, Command},
    time::timeout,
};

use crate::support::{TestDatabase, json};

migrate::testing::on_every_database!(
    production_serves_migrates_and_stops_on_sigterm,
    the_schema_is_migrated_and_shown_by_the_binary,
);

const BINARY: &str = env!("CARGO_BIN_EXE_graphbook");

/// The binary in an empty environment and folder.
fn graphbook(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(arguments).current_dir(folder).env_clear().kill_on_drop(true).stdin(Stdio::null());
    command
}

async fn output(command: &mut Command) -> Output {
    timeout(Duration::from_secs(60), command.output()).await.unwrap().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Starts a server and waits until it says where it listens.
async fn start(
    command: &mut Command,
    json_logs: bool,
) -> (Child, String, BufReader<tokio::process::ChildStderr>) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = timeout(Duration::from_secs(60), async {
        loop {
            let mut line = String::new();
            if json_logs {
                line = lines.next_line().await.unwrap().expect("the log ended early");
                let entry: serde_json::Value = serde_json::from_str(&line).unwrap();
                if entry["message"] == "listening" {
                    return entry["address"].as_str().unwrap().to_owned();
                }
            } else {
                assert!(errors.read_line(&mut line).await.unwrap() > 0, "the log ended early");
                if let Some((_, rest)) = line.split_once("Graphbook runs at http://") {
                    return rest.trim().trim_end_matches('/').to_owned();
                }
            }
        }
    });
    let address = address.await.unwrap();
    // Keeps reading, so that the server never waits for us.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, address, errors)
}

fn signal(child: &Child, name: &str) {
    let id = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
}

#[tokio::test]
async fn without_arguments_a_whole_demo_runs_and_its_data_survives() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--listen", "127.0.0.1:0"];
    let (mut child, address, _errors) =
        start(&mut graphbook(folder.path(), &arguments), false).await;
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.unwrap_or_else(|_| unreachable!());
    let ask = async |address: &str, token: &str, query: &str| {
        let request = client
            .post(format!("http://{address}/graphql"))
            .header("content-type", "application/json")
            .header("authorization", token)
            .body(json!({ "query": query }).to_string());
        let text = request.send().await.unwrap().text().await.unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    let login = format!(
        "mutation {{ login(email: \"{}\", password: \"{}\") {{ token }} }}",
        app::demo::SIGN_IN_EMAIL,
        app::demo::PASSWORD
    );
    let answer = ask(&address, "", &login).await;
    let token = answer["data"]["login"]["token"].as_str().unwrap().to_owned();
    let look = "{ currentUser { username avatar } chats { id lastMessage { text } }
        posts(limit: 100) { text user { avatar } } }";
    let before = ask(&address, &token, look).await;
    let data = &before["data"];
    assert_eq!(data["posts"].as_array().unwrap().len(), 100);
    assert!(data["chats"].as_array().unwrap().len() >= 4);
    let avatar = data["currentUser"]["avatar"].as_str().unwrap();
    let picture = client.get(format!("http://{address}{avatar}")).send().await.unwrap();
    assert_eq!(picture.status(), 200);
    assert!(folder.path().join(".graphbook").is_dir());

    signal(&child, "INT");
    assert!(timeout(Duration::from_secs(25), child.wait()).await.unwrap().unwrap().success());
    let (child, address, _errors) = start(&mut graphbook(folder.path(), &arguments), false).await;
    // The same data, not seeded twice, and the sign-in goes on.
    assert_eq!(ask(&address, &token, look).await, before);
    signal(&child, "INT");
}

#[tokio::test]
async fn without_demo_the_database_is_empty_and_another_folder_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = graphbook(folder.path(), &["serve", "--no-demo", "--listen", "127.0.0.1:0"]);
    let command = command.env("GRAPHBOOK_DATA_DIR", "elsewhere");
    let (_child, address, _errors) = start(command, false).await;
    let health =
        graphbook(folder.path(), &["healthcheck", "--listen", &address]).output().await.unwrap();
    assert!(health.status.success(), "{health:?}");
    assert!(folder.path().join("elsewhere").is_dir() && !folder.path().join(".graphbook").exists());
    let login = json!({ "query": format!(
        "mutation {{ login(email: \"{}\", password: \"{}\") {{ token }} }}",
        app::demo::SIGN_IN_EMAIL, app::demo::PASSWORD
    ) });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request =
        client.post(format!("http://{address}/graphql")).header("content-type", "application/json");
    let answer = request.body(login.to_string()).send().await.unwrap().text().await.unwrap();
    assert!(answer.contains("UNAUTHENTICATED"), "{answer}");
}

#[tokio::test]
async fn a_taken_port_is_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = output(&mut graphbook(folder.path(), &["--listen", &address])).await;
    assert_eq!(refused.status.code(), Some(1));
    let message = text(&refused.stderr);
    assert_eq!(message.lines().count(), 1, "{message}");
    let port = taken.local_addr().unwrap().port().to_string();
    assert!(message.contains(&port) && message.contains("--listen"), "{message}");
}

#[tokio::test]
async fn production_refuses_to_start_without_what_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    for (name, value) in [("GRAPHBOOK_ENV", "production"), ("NODE_ENV", "production")] {
        let refused = output(graphbook(folder.path(), &[]).env(name, value)).await;
        assert_eq!(refused.status.code(), Some(1));
        let message = text(&refused.stderr);
        assert!(message.contains("DATABASE_URL") && message.contains("JWT_SECRET"), "{message}");
    }
    let mut command = graphbook(folder.path(), &[]);
    command.env("GRAPHBOOK_ENV", "production").env("DATABASE_URL", "mysql://a:hidden@127.0.0.1/b");
    let refused = output(command.env("JWT_SECRET", "too short")).await;
    let message = text(&refused.stderr);
    assert!(message.contains("JWT_SECRET") && message.contains("32"), "{message}");
    assert!(!message.contains("too short") && !message.contains("hidden"), "{message}");
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "it left something behind");
}

#[tokio::test]
async fn an_unwritable_data_folder_is_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "in the way").unwrap();
    let refused = output(&mut graphbook(folder.path(), &["--data-dir", "file/inside"])).await;
    assert_eq!(refused.status.code(), Some(1));
    let message = text(&refused.stderr);
    assert!(message.contains("file/inside") && message.contains("--data-dir"), "{message}");
    assert!(!message.contains("panicked"), "{message}");
}

#[tokio::test]
async fn the_configuration_is_shown_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let mut command =
        graphbook(folder.path(), &["serve", "--print-config", "--listen", "127.0.0.1:9"]);
    command.env("JWT_SECRET", "a very secret secret of many bytes");
    command.env("DATABASE_URL", "mysql://ada:swordfish@db.example/graphbook");
    let shown = output(&mut command).await;
    let shown = text(&shown.stdout);
    assert!(shown.contains("127.0.0.1:9") && shown.contains("db.example"), "{shown}");
    assert!(!shown.contains("swordfish") && !shown.contains("very secret"), "{shown}");
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
}

#[tokio::test]
async fn a_health_check_of_nothing_fails() {
    let folder = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let unwell = output(&mut graphbook(folder.path(), &["healthcheck", "--listen", &free])).await;
    assert_eq!(unwell.status.code(), Some(1));
    assert!(text(&unwell.stderr).contains(&free), "{unwell:?}");
}

#[tokio::test]
async fn the_demo_is_seeded_once_and_never_in_production() {
    let folder = tempfile::tempdir().unwrap();
    let seeded = output(&mut graphbook(folder.path(), &["seed"])).await;
    assert!(seeded.status.success(), "{seeded:?}");
    assert!(text(&seeded.stdout).contains(app::demo::SIGN_IN_EMAIL));
    let again = output(&mut graphbook(folder.path(), &["seed"])).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("empty"), "{again:?}");
    let mut command = graphbook(folder.path(), &["seed", "--database-url", "sqlite://x.db"]);
    let refused = output(command.env("GRAPHBOOK_ENV", "production")).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("production"), "{refused:?}");
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--no-demo", "--listen", "127.0.0.1:0"];
    let (mut child, address, _errors) =
        start(&mut graphbook(folder.path(), &arguments), false).await;
    // A request that never ends keeps the server from stopping at the first signal.
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{";
    tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    signal(&child, "TERM");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(child.try_wait().unwrap().is_none(), "it did not wait for the request");
    signal(&child, "TERM");
    let ended = timeout(Duration::from_secs(3), child.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(130));
}

async fn production_serves_migrates_and_stops_on_sigterm(database: TestDatabase) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = graphbook(folder.path(), &["serve", "--migrate", "--listen", "127.0.0.1:0"]);
    command.env("GRAPHBOOK_ENV", "production").env("DATABASE_URL", &database.url);
    command.env("JWT_SECRET", "thirty-two bytes of secret, or more");
    let (mut child, address, _errors) = start(&mut command, true).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ready = client.get(format!("http://{address}/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 200);
    let sign_up = "mutation { signup(username: \"ada\", email: \"a@b.org\", password: \"correct horse\") { token } }";
    let request =
        client.post(format!("http://{address}/graphql")).header("content-type", "application/json");
    let response = request.body(json!({ "query": sign_up }).to_string()).send().await.unwrap();
    assert!(response.headers()["set-cookie"].to_str().unwrap().ends_with("; Secure"));
    signal(&child, "TERM");
    let ended = timeout(Duration::from_secs(25), child.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0));
}

async fn the_schema_is_migrated_and_shown_by_the_binary(database: TestDatabase) {
    let folder = tempfile::tempdir().unwrap();
    let run = async |arguments: &[&str]| {
        output(graphbook(folder.path(), arguments).env("DATABASE_URL", &database.url)).await
    };
    let pending = run(&["migrate", "status"]).await;
    assert_eq!(pending.status.code(), Some(3), "{pending:?}");
    assert!(text(&pending.stdout).contains("create_users"), "{pending:?}");
    let applied = run(&["migrate", "up"]).await;
    assert!(applied.status.success(), "{applied:?}");
    let current = run(&["migrate", "status", "--json"]).await;
    assert!(current.status.success(), "{current:?}");
    serde_json::from_slice::<serde_json::Value>(&current.stdout).unwrap();
}
