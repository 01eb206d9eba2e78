//! What the log of the real `graphbook` says, and what it never says.

use std::time::Duration;

use migrate::{
    Target,
    testing::{Engine, with_database},
};
use reqwest::RequestBuilder;
use sqlx::AssertSqlSafe;
use tokio::time::sleep;

use crate::{
    binary::{Running, graphbook},
    support::{Answer, BOUNDARY, TestDatabase, Value, client, json, multipart},
};

migrate::on_every_database!(
    an_internal_cause_is_logged_once_with_the_id_that_the_client_is_told,
    no_secret_and_nothing_private_is_ever_logged,
);

const SECRET: &str = "a secret of the log's own, thirty-two bytes";

/// A server that logs JSON.
struct Logging {
    server: Running,
    _folder: tempfile::TempDir,
}

impl Logging {
    fn start(database: &TestDatabase, filter: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["--no-demo", "--listen=127.0.0.1:0", "--log-format=json", "--log", filter];
        let mut command = graphbook(folder.path(), &arguments);
        command.env("DATABASE_URL", &database.url).env("JWT_SECRET", SECRET);
        Self { server: Running::start(&mut command, true), _folder: folder }
    }

    async fn send(&self, change: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Answer {
        let request = client().post(format!("http://{}/graphql", self.server.address));
        Answer::of(change(request).send().await.unwrap()).await
    }

    async fn ask(&self, token: &str, query: &str, variables: Value) -> Answer {
        let body = json!({ "query": query, "variables": variables }).to_string();
        self.send(|request| {
            request.header("content-type", "application/json").bearer_auth(token).body(body)
        })
        .await
    }

    async fn sign_up(&self, name: &str, email: &str, password: &str) -> Answer {
        let query = "mutation($name: String!, $email: String!, $password: String!) {
            signup(username: $name, email: $email, password: $password) { token } }";
        let variables = json!({ "name": name, "email": email, "password": password });
        self.ask("", query, variables).await
    }

    async fn join(&self, name: &str, password: &str) -> String {
        let answer = self.sign_up(name, &format!("{name}@example.org"), password).await;
        answer.ok()["signup"]["token"].as_str().unwrap().to_owned()
    }

    async fn login(&self, email: &str, password: &str) -> Answer {
        let query = "mutation($email: String!, $password: String!) {
            login(email: $email, password: $password) { token } }";
        self.ask("", query, json!({ "email": email, "password": password })).await
    }

    /// The log, once the request of this id is in it to its end.
    async fn told(&self, id: &str) -> Vec<Value> {
        for _ in 0..250 {
            let lines = self.server.log();
            let told: Vec<Value> =
                lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
            if told.iter().any(|line| line["message"] == "answered" && line["span"]["id"] == id) {
                return told;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("the log does not know of {id}: {:#?}", self.server.log());
    }

    /// Holds a request that failed here against the log: the client is told an id and
    /// nothing else, exactly one line in the log has the cause, and that id.
    async fn assert_told_once(&self, answer: &Answer, cause: &str) {
        let id = answer.header("x-request-id").unwrap();
        for error in answer.body["errors"].as_array().unwrap() {
            assert_eq!(error["message"], "Something went wrong on our side. Try again.");
            let known = json!({ "code": "INTERNAL_SERVER_ERROR", "requestId": id });
            assert_eq!(error["extensions"], known, "{answer:#?}");
        }
        let told = self.told(id).await;
        let errors: Vec<&Value> = told.iter().filter(|line| line["level"] == "ERROR").collect();
        let ours: Vec<_> = errors.iter().filter(|line| line["span"]["id"] == id).collect();
        assert_eq!((errors.len(), ours.len()), (1, 1), "{errors:#?}");
        assert!(errors[0].to_string().contains(cause), "{errors:#?}");
    }
}

/// Changes a database behind the server's back.
async fn run(target: &Target, statement: &str) {
    let sql = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()));
    match target {
        Target::Sqlite(options) => {
            let pool = sqlx::SqlitePool::connect_with(options.clone()).await.unwrap();
            sql.execute(&pool).await.unwrap();
            pool.close().await;
        }
        Target::MySql(options) => {
            let pool = sqlx::MySqlPool::connect_with(options.clone()).await.unwrap();
            sql.execute(&pool).await.unwrap();
            pool.close().await;
        }
    }
}

/// Twice, with a server each: its log must have one error and no other.
async fn an_internal_cause_is_logged_once_with_the_id_that_the_client_is_told(
    database: TestDatabase,
) {
    let server = Logging::start(&database, "info");
    let ada = server.join("ada", "correct horse").await;
    for name in ["ben", "cem", "dan"] {
        let other = server.join(name, "correct horse").await;
        let me = server.ask(&other, "{ currentUser { id } }", json!({})).await;
        let users = json!({ "users": [me.ok()["currentUser"]["id"]] });
        let start = "mutation($users: [Int]) { addChat(chat: { users: $users }) { id } }";
        let chat = server.ask(&ada, start, users).await.ok()["addChat"]["id"].clone();
        let say =
            "mutation($chat: Int!) { addMessage(message: { chatId: $chat, text: \"x\" }) { id } }";
        for _ in 0..2 {
            server.ask(&ada, say, json!({ "chat": chat })).await.ok();
        }
    }
    // A message that can't be read, in the first chat, where it is not the last one. The two
    // fields of the three chats wait for the one statement that stumbles over it.
    match &database.target {
        target @ Target::Sqlite(_) => {
            run(target, "UPDATE messages SET created_at = 'some day' WHERE id = 1").await;
        }
        target @ Target::MySql(_) => {
            run(target, "ALTER TABLE messages MODIFY created_at BIGINT NULL").await;
            run(target, "UPDATE messages SET created_at = NULL WHERE id = 1").await;
        }
    }
    let look = "{ chats { users { id } one: messages { id } two: messages { id text } } }";
    let answer = server.ask(&ada, look, json!({})).await;
    assert_eq!(answer.body["errors"].as_array().unwrap().len(), 6, "{answer:#?}");
    server.assert_told_once(&answer, "created_at").await;

    let server = Logging::start(&database, "info");
    run(&database.target, "ALTER TABLE posts RENAME TO gone").await;
    let answer = server.ask(&ada, "{ posts { id } }", json!({})).await;
    run(&database.target, "ALTER TABLE gone RENAME TO posts").await;
    server.assert_told_once(&answer, "posts").await;
}

#[tokio::test]
async fn a_database_file_that_is_removed_is_named_in_the_log() {
    with_database(Engine::Sqlite, async |database: TestDatabase| {
        let server = Logging::start(&database, "info");
        let ada = server.join("ada", "correct horse").await;
        let Target::Sqlite(options) = &database.target else { return };
        std::fs::remove_file(options.get_filename()).unwrap();
        let add = "mutation { addPost(post: { text: \"x\" }) { id } }";
        let answer = server.ask(&ada, add, json!({})).await;
        let cause = "test.db was removed or replaced while it was in use; restart";
        server.assert_told_once(&answer, cause).await;
    })
    .await;
}

async fn no_secret_and_nothing_private_is_ever_logged(database: TestDatabase) {
    let server = Logging::start(&database, "debug,sqlx=debug");
    let (password, wrong, fresh) = ("correct horse", "mistaken zebra", "different giraffe");
    let (post, message, searched) = ("words for the feed", "words for one", "adalb");
    let ada = server.join("adalbert", password).await;
    let taken = server.sign_up("adalbert2", "adalbert@example.org", password).await;
    assert_eq!(taken.code(), "CONFLICT");
    let again = server.login("adalbert@example.org", password).await;
    let again = again.ok()["login"]["token"].as_str().unwrap().to_owned();
    assert_eq!(server.login("adalbert@example.org", wrong).await.code(), "UNAUTHENTICATED");
    assert_eq!(server.login("nobody@example.org", wrong).await.code(), "UNAUTHENTICATED");

    let write = "mutation($text: String!) { addPost(post: { text: $text }) { id text } }";
    server.ask(&ada, write, json!({ "text": post })).await.ok();
    let chat =
        server.ask(&ada, "mutation { addChat(chat: { users: [] }) { id } }", json!({})).await;
    let say = "mutation($chat: Int!, $text: String!) {
        addMessage(message: { chatId: $chat, text: $text }) { id text } }";
    let said = json!({ "chat": chat.ok()["addChat"]["id"], "text": message });
    server.ask(&ada, say, said).await.ok();
    let look = "query($text: String!) { usersSearch(text: $text) { users { username } }
        posts { text } chats { messages { text } } }";
    server.ask(&ada, look, json!({ "text": searched })).await.ok();
    // Texts in documents that are refused, and a document in the address.
    server.ask(&ada, &format!("{{ nonsense(text: \"{post}\") }}"), json!({})).await.code();
    server.ask(&ada, &format!("{{ nonsense(text: \"{post}\" "), json!({})).await.code();
    let address = format!("http://{}/graphql", server.server.address);
    let query = [("query", format!("{{ usersSearch(text: \"{searched}\") {{ __typename }} }}"))];
    let address = url::Url::parse_with_params(&address, query).unwrap();
    let get = client().get(address.as_str()).bearer_auth(&ada);
    Answer::of(get.send().await.unwrap()).await.ok();
    let operations = json!({ "query": "mutation($f: Upload!) { uploadAvatar(file: $f) { url } }",
        "variables": { "f": null } });
    let body = multipart(&[
        ("operations", operations.to_string().as_bytes()),
        ("map", br#"{"0":["variables.f"]}"#),
        ("0", b"no picture"),
    ]);
    let form = format!("multipart/form-data; boundary={BOUNDARY}");
    let upload = server.send(|r| r.bearer_auth(&ada).header("content-type", form).body(body)).await;
    assert_eq!(upload.code(), "BAD_USER_INPUT");
    let change = "mutation($old: String!, $new: String!) {
        changePassword(currentPassword: $old, newPassword: $new) { token } }";
    let changed = server.ask(&ada, change, json!({ "old": password, "new": fresh })).await;
    let changed_token = changed.ok()["changePassword"]["token"].as_str().unwrap().to_owned();

    server.told(changed.header("x-request-id").unwrap()).await;
    let log = server.server.log().join("\n");
    assert!(log.contains("\"DEBUG\"") && log.contains("INSERT INTO posts"), "{log}");
    for hidden in [
        password,
        wrong,
        fresh,
        post,
        message,
        searched,
        SECRET,
        &ada,
        &again,
        &changed_token,
        "adalbert@",
        "nobody@",
        "Bearer",
        "argon2id",
        "no picture",
    ] {
        assert!(!log.contains(hidden), "{hidden} in {log}");
    }
}
