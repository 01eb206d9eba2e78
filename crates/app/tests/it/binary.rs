//! The real `graphbook`, as a person or a container starts it.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::support::{TestDatabase, client, json};

migrate::on_every_database!(
    production_serves_migrates_and_stops_on_sigterm,
    the_schema_is_migrated_and_shown_by_the_binary,
);

/// What a container gets before it is killed, less a margin.
const STOP: Duration = Duration::from_secs(25);

const BINARY: &str = env!("CARGO_BIN_EXE_graphbook");

/// The binary in an empty environment and folder.
pub(crate) fn graphbook(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(arguments).current_dir(folder).env_clear().stdin(Stdio::null());
    command
}

fn output(command: &mut Command) -> Output {
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A server that runs until the test is over.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: String,
    /// What it has said since it listens.
    log: Arc<Mutex<Vec<String>>>,
}

impl Running {
    /// Starts a server and waits until it says where it listens: to people on the terminal, or
    /// in a log of JSON.
    pub(crate) fn start(command: &mut Command, json_logs: bool) -> Self {
        let (out, err) = if json_logs {
            (Stdio::piped(), Stdio::null())
        } else {
            (Stdio::null(), Stdio::piped())
        };
        let mut child = command.stdout(out).stderr(err).spawn().unwrap();
        let said: Box<dyn std::io::Read + Send> = match (child.stdout.take(), child.stderr.take()) {
            (Some(out), _) => Box::new(out),
            (_, err) => Box::new(err.unwrap()),
        };
        let mut lines = BufReader::new(said).lines().map(Result::unwrap);
        let address = lines.find_map(|line| {
            if json_logs {
                let entry: serde_json::Value = serde_json::from_str(&line).unwrap();
                let listening = entry["message"] == "listening";
                return listening.then(|| entry["address"].as_str().unwrap().to_owned());
            }
            let (_, rest) = line.split_once("Graphbook runs at http://")?;
            Some(rest.trim().trim_end_matches('/').to_owned())
        });
        // Goes on reading, so that the server never waits for us.
        let log = Arc::<Mutex<Vec<String>>>::default();
        let heard = Arc::clone(&log);
        std::thread::spawn(move || lines.for_each(|line| heard.lock().unwrap().push(line)));
        Self { child, address: address.expect("the server ended before it listened"), log }
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    fn signal(&self, name: &str) {
        // The shell's own `kill`: a bare machine has no program of that name.
        let kill = format!("kill -s {name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    async fn ended_within(&mut self, limit: Duration) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < limit, "the server did not stop");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn without_arguments_a_whole_demo_runs_and_its_data_survives() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--listen", "127.0.0.1:0"];
    let mut server = Running::start(&mut graphbook(folder.path(), &arguments), false);
    let client = client();
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
    let answer = ask(&server.address, "", &login).await;
    let token = answer["data"]["login"]["token"].as_str().unwrap().to_owned();
    let look = "{ currentUser { username avatar } chats { id lastMessage { text } }
        posts(limit: 100) { text user { avatar } } }";
    let before = ask(&server.address, &token, look).await;
    let data = &before["data"];
    assert_eq!(data["posts"].as_array().unwrap().len(), 100);
    assert!(data["chats"].as_array().unwrap().len() >= 4);
    let avatar = data["currentUser"]["avatar"].as_str().unwrap();
    let picture = client.get(format!("http://{}{avatar}", server.address)).send().await.unwrap();
    assert_eq!(picture.status(), 200);
    assert!(folder.path().join(".graphbook").is_dir());

    server.signal("INT");
    assert!(server.ended_within(STOP).await.success());
    let mut server = Running::start(&mut graphbook(folder.path(), &arguments), false);
    // The same data, not seeded twice, and the sign-in goes on.
    assert_eq!(ask(&server.address, &token, look).await, before);
    server.signal("INT");
    assert!(server.ended_within(STOP).await.success());
}

#[tokio::test]
async fn without_demo_the_database_is_empty_and_another_folder_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = graphbook(folder.path(), &["serve", "--no-demo", "--listen", "127.0.0.1:0"]);
    let command = command.env("GRAPHBOOK_DATA_DIR", "elsewhere");
    let server = Running::start(command, false);
    let address = &server.address;
    let health = graphbook(folder.path(), &["healthcheck", "--listen", address]).output().unwrap();
    assert!(health.status.success(), "{health:?}");
    assert!(folder.path().join("elsewhere").is_dir() && !folder.path().join(".graphbook").exists());
    let login = json!({ "query": format!(
        "mutation {{ login(email: \"{}\", password: \"{}\") {{ token }} }}",
        app::demo::SIGN_IN_EMAIL, app::demo::PASSWORD
    ) });
    let client = client();
    let request =
        client.post(format!("http://{address}/graphql")).header("content-type", "application/json");
    let answer = request.body(login.to_string()).send().await.unwrap().text().await.unwrap();
    assert!(answer.contains("UNAUTHENTICATED"), "{answer}");
}

#[tokio::test]
async fn a_taken_port_is_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = output(&mut graphbook(folder.path(), &["--listen", &address]));
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
        let refused = output(graphbook(folder.path(), &[]).env(name, value));
        assert_eq!(refused.status.code(), Some(1));
        let message = text(&refused.stderr);
        assert!(message.contains("DATABASE_URL") && message.contains("JWT_SECRET"), "{message}");
    }
    let mut command = graphbook(folder.path(), &[]);
    command.env("GRAPHBOOK_ENV", "production").env("DATABASE_URL", "mysql://a:hidden@127.0.0.1/b");
    let refused = output(command.env("JWT_SECRET", "too short"));
    let message = text(&refused.stderr);
    assert!(message.contains("JWT_SECRET") && message.contains("32"), "{message}");
    assert!(!message.contains("too short") && !message.contains("hidden"), "{message}");
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "it left something behind");
}

#[tokio::test]
async fn an_unwritable_data_folder_is_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "in the way").unwrap();
    let refused = output(&mut graphbook(folder.path(), &["--data-dir", "file/inside"]));
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
    let shown = output(&mut command);
    let shown = text(&shown.stdout);
    assert!(shown.contains("127.0.0.1:9") && shown.contains("db.example"), "{shown}");
    assert!(!shown.contains("swordfish") && !shown.contains("very secret"), "{shown}");
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
}

#[tokio::test]
async fn a_health_check_of_nothing_fails() {
    let folder = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let unwell = output(&mut graphbook(folder.path(), &["healthcheck", "--listen", &free]));
    assert_eq!(unwell.status.code(), Some(1));
    assert!(text(&unwell.stderr).contains(&free), "{unwell:?}");
}

#[tokio::test]
async fn the_demo_is_seeded_once_and_never_in_production() {
    let folder = tempfile::tempdir().unwrap();
    let seeded = output(&mut graphbook(folder.path(), &["seed"]));
    assert!(seeded.status.success(), "{seeded:?}");
    assert!(text(&seeded.stdout).contains(app::demo::SIGN_IN_EMAIL));
    let again = output(&mut graphbook(folder.path(), &["seed"]));
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("empty"), "{again:?}");
    let mut command = graphbook(folder.path(), &["seed", "--database-url", "sqlite://x.db"]);
    let refused = output(command.env("GRAPHBOOK_ENV", "production"));
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("production"), "{refused:?}");
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--no-demo", "--listen", "127.0.0.1:0"];
    let mut server = Running::start(&mut graphbook(folder.path(), &arguments), false);
    // A request that never ends keeps the server from stopping at the first signal.
    let mut stream = tokio::net::TcpStream::connect(&server.address).await.unwrap();
    let head = "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{";
    tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await.unwrap();
    sleep(Duration::from_millis(300)).await;
    server.signal("TERM");
    sleep(Duration::from_millis(500)).await;
    assert!(server.child.try_wait().unwrap().is_none(), "it did not wait for the request");
    server.signal("TERM");
    let ended = server.ended_within(Duration::from_secs(3)).await;
    assert_eq!(ended.code(), Some(130));
}

async fn production_serves_migrates_and_stops_on_sigterm(database: TestDatabase) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = graphbook(folder.path(), &["serve", "--migrate", "--listen", "127.0.0.1:0"]);
    command.env("GRAPHBOOK_ENV", "production").env("DATABASE_URL", &database.url);
    command.env("JWT_SECRET", "thirty-two bytes of secret, or more");
    let mut server = Running::start(&mut command, true);
    let address = server.address.clone();
    let client = client();
    let ready = client.get(format!("http://{address}/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 200);
    let sign_up = "mutation { signup(username: \"ada\", email: \"a@b.org\", password: \"correct horse\") { token } }";
    let request =
        client.post(format!("http://{address}/graphql")).header("content-type", "application/json");
    let response = request.body(json!({ "query": sign_up }).to_string()).send().await.unwrap();
    assert!(response.headers()["set-cookie"].to_str().unwrap().ends_with("; Secure"));
    server.signal("TERM");
    let ended = server.ended_within(STOP).await;
    assert_eq!(ended.code(), Some(0));
}

async fn the_schema_is_migrated_and_shown_by_the_binary(database: TestDatabase) {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        output(graphbook(folder.path(), arguments).env("DATABASE_URL", &database.url))
    };
    let pending = run(&["migrate", "status"]);
    assert_eq!(pending.status.code(), Some(3), "{pending:?}");
    assert!(text(&pending.stdout).contains("create_users"), "{pending:?}");
    let misplaced = run(&["migrate", "status", "--database-url", "sqlite://other.db"]);
    assert_eq!(misplaced.status.code(), Some(3), "{misplaced:?}");
    assert!(!folder.path().join("other.db").exists());
    let applied = run(&["migrate", "up"]);
    assert!(applied.status.success(), "{applied:?}");
    let current = run(&["migrate", "status", "--json"]);
    assert!(current.status.success(), "{current:?}");
    serde_json::from_slice::<serde_json::Value>(&current.stdout).unwrap();
}
