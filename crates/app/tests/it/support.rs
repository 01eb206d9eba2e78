//! A Graphbook server for a test, and people who use it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use app::{
    clock::Clock,
    config::{Config, DatabaseConfig, Mode, Uploads},
    server::Server,
    state::SharedState,
    store::Store,
    telemetry::{LogConfig, LogFormat},
};
use migrate::testing::Template;
pub(crate) use migrate::testing::TestDatabase;
use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    header::{HeaderMap, HeaderName},
};
pub(crate) use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;

pub(crate) const SECRET: &[u8] = b"a secret of thirty-two bytes, at least";
pub(crate) const PASSWORD: &str = "correct horse";

/// What the migrations make of an empty database, for tests that are not about that.
pub(crate) static TEMPLATE: Template = Template::new(|| app::migrations::embedded().unwrap());

/// A server of the test's own: an empty, migrated database, a clock that stands still, and a
/// folder for uploads. It stops when the test's runtime does.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Clock,
    pub(crate) client: Client,
    pub(crate) state: SharedState,
    _folder: TempDir,
    running: JoinHandle<()>,
}

impl TestServer {
    pub(crate) async fn start(database: &TestDatabase) -> Self {
        Self::start_with(database, |_| {}).await
    }

    /// With another configuration.
    pub(crate) async fn start_with(
        database: &TestDatabase,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = configuration(database, folder.path().to_owned());
        change(&mut config);
        let clock = Clock::manual();
        let server = Server::build(&config, clock.clone()).await.unwrap();
        let (address, state) = (server.address(), server.state().clone());
        let running = tokio::spawn(server.run());
        Self { address, clock, client: client(), state, _folder: folder, running }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.state.store
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Asks for the end and waits for it.
    pub(crate) async fn stop(self) {
        self.state.lifecycle.stop();
        tokio::time::timeout(Duration::from_secs(25), self.running).await.unwrap().unwrap();
    }

    /// Asks as nobody.
    pub(crate) async fn ask(&self, query: &str, variables: Value) -> Answer {
        self.ask_with(query, variables, |request| request).await
    }

    /// Asks with whatever else the request has.
    pub(crate) async fn ask_with(
        &self,
        query: &str,
        variables: Value,
        change: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Answer {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let request = self
            .client
            .post(self.url("/graphql"))
            .header("content-type", "application/json")
            .body(body);
        Answer::of(change(request).send().await.unwrap()).await
    }

    /// Signs somebody up.
    pub(crate) async fn join(&self, username: &str) -> Person<'_> {
        let answer = self.sign_up(username).await;
        let token = answer.ok()["signup"]["token"].as_str().unwrap().to_owned();
        let mut person = Person { server: self, id: 0, username: username.to_owned(), token };
        let me = person.ask("{ currentUser { id } }", json!({})).await;
        person.id = me.ok()["currentUser"]["id"].as_i64().unwrap();
        person
    }

    pub(crate) async fn sign_up(&self, username: &str) -> Answer {
        let email = format!("{username}@example.org");
        self.sign_up_as(username, &email, PASSWORD).await
    }

    pub(crate) async fn sign_up_as(&self, username: &str, email: &str, password: &str) -> Answer {
        let mutation = "mutation($username: String!, $email: String!, $password: String!) {
            signup(username: $username, email: $email, password: $password) { token } }";
        let variables = json!({ "username": username, "email": email, "password": password });
        self.ask(mutation, variables).await
    }

    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> Answer {
        let mutation = "mutation($email: String!, $password: String!) {
            login(email: $email, password: $password) { token } }";
        self.ask(mutation, json!({ "email": email, "password": password })).await
    }
}

/// A valid configuration for tests to start from.
pub(crate) fn configuration(database: &TestDatabase, data_dir: PathBuf) -> Config {
    Config {
        mode: Mode::Development,
        listen: ([127, 0, 0, 1], 0).into(),
        uploads: Uploads::Folder(data_dir.join("uploads")),
        data_dir,
        database: DatabaseConfig { target: database.target.clone(), connections: 5 },
        jwt_secret: SECRET.to_vec().into(),
        demo: false,
        migrate: true,
        linger: Duration::ZERO,
        secure_cookies: false,
        introspection: true,
        trusted_proxies: 0,
        valkey: None,
        log: LogConfig { filter: "warn".to_owned(), format: LogFormat::Text },
    }
}

/// A client that goes to the server without detours.
pub(crate) fn client() -> Client {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        // Another test's server may have been faster.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap()
}

/// Somebody who is signed in.
pub(crate) struct Person<'a> {
    pub(crate) server: &'a TestServer,
    pub(crate) id: i64,
    pub(crate) username: String,
    pub(crate) token: String,
}

impl Person<'_> {
    pub(crate) fn email(&self) -> String {
        format!("{}@example.org", self.username)
    }

    /// Asks with the token in the `Authorization` header.
    pub(crate) async fn ask(&self, query: &str, variables: Value) -> Answer {
        self.server.ask_with(query, variables, |request| request.bearer_auth(&self.token)).await
    }

    /// Writes a post; gives its id.
    pub(crate) async fn post(&self, text: &str) -> i64 {
        let mutation = "mutation($text: String!) { addPost(post: { text: $text }) { id } }";
        let answer = self.ask(mutation, json!({ "text": text })).await;
        answer.ok()["addPost"]["id"].as_i64().unwrap()
    }

    /// Starts a chat; gives its id.
    pub(crate) async fn chat_with(&self, others: &[i64]) -> i64 {
        let mutation = "mutation($users: [Int]) { addChat(chat: { users: $users }) { id } }";
        let answer = self.ask(mutation, json!({ "users": others })).await;
        answer.ok()["addChat"]["id"].as_i64().unwrap()
    }

    /// Says something; gives the message's id.
    pub(crate) async fn say(&self, chat_id: i64, text: &str) -> i64 {
        let answer = self.try_say(chat_id, text).await;
        answer.ok()["addMessage"]["id"].as_i64().unwrap()
    }

    pub(crate) async fn try_say(&self, chat_id: i64, text: &str) -> Answer {
        let mutation = "mutation($chat: Int!, $text: String!) {
            addMessage(message: { chatId: $chat, text: $text }) { id text } }";
        self.ask(mutation, json!({ "chat": chat_id, "text": text })).await
    }

    /// Uploads a picture as the multipart request specification has it.
    pub(crate) async fn upload(&self, content: &[u8]) -> Answer {
        let mutation = "mutation($file: Upload!) { uploadAvatar(file: $file) {
            filename mimetype encoding url } }";
        let operations = json!({ "query": mutation, "variables": { "file": null } }).to_string();
        let body = multipart(&[
            ("operations", operations.as_bytes()),
            ("map", br#"{"0":["variables.file"]}"#),
            ("0", content),
        ]);
        let request = self
            .server
            .client
            .post(self.server.url("/graphql"))
            .bearer_auth(&self.token)
            .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
            .body(body);
        Answer::of(request.send().await.unwrap()).await
    }
}

pub(crate) const BOUNDARY: &str = "graphbook-test-boundary";

/// A multipart body of these parts.
pub(crate) fn multipart(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, content) in parts {
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"x.png\"\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The body as JSON, or as a string where it is none.
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Self { status, headers, body }
    }

    /// The data of an answer without errors.
    #[track_caller]
    pub(crate) fn ok(&self) -> &Value {
        assert!(self.body.get("errors").is_none(), "{self:#?}");
        assert_eq!(self.status, StatusCode::OK, "{self:#?}");
        &self.body["data"]
    }

    /// The code of the only error.
    #[track_caller]
    pub(crate) fn code(&self) -> &str {
        let errors = self.body["errors"].as_array().unwrap_or_else(|| panic!("{self:#?}"));
        assert_eq!(errors.len(), 1, "{self:#?}");
        assert!(errors[0]["extensions"]["requestId"].is_string(), "{self:#?}");
        errors[0]["extensions"]["code"].as_str().unwrap()
    }

    /// The message of the only error.
    #[track_caller]
    pub(crate) fn message(&self) -> &str {
        self.code();
        self.body["errors"][0]["message"].as_str().unwrap()
    }

    pub(crate) fn header(&self, name: &'static str) -> Option<&str> {
        self.headers.get(HeaderName::from_static(name)).map(|value| value.to_str().unwrap())
    }
}
