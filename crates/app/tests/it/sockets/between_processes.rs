//! What one process tells another, through a Valkey server of the test's own.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use app::{config::Config, events::Valkey};
use migrate::Target;
use redis::aio::MultiplexedConnection;
use tempfile::TempDir;
use tokio::time::sleep;

use super::client::Client;
use crate::{
    binary::{Running, graphbook},
    support::{Person, SECRET, TEMPLATE, TestDatabase, TestServer, json},
};

migrate::on_every_database!(
    from TEMPLATE:
    what_is_written_through_one_process_is_heard_once_in_each,
    a_session_that_ends_in_one_process_closes_its_sockets_in_another,
    without_valkey_each_process_goes_on_alone,
    nobody_waits_for_a_valkey_that_hangs,
    what_is_not_understood_harms_nothing,
    a_replica_is_not_published_to,
    what_is_written_during_the_end_is_told,
    valkey_is_reached_by_tls_with_a_password,
);

const MESSAGES: &str = "subscription { messageAdded { text user { username } chat { id } } }";
const POSTS: &str = "subscription { postAdded { text } }";

/// Ends with its value.
struct ValkeyServer {
    program: String,
    options: Vec<String>,
    folder: TempDir,
    port: u16,
    process: Child,
}

impl ValkeyServer {
    async fn start() -> Option<Self> {
        Self::start_with(&[]).await
    }

    /// With other options; nothing if tests have no servers of their own here.
    async fn start_with(options: &[String]) -> Option<Self> {
        let program = program()?;
        // Somebody else may take the port in between.
        for _ in 0..5 {
            let folder = tempfile::tempdir().unwrap();
            let (port, options) = (free_port(), options.to_vec());
            let process = spawn(&program, &options, folder.path(), port);
            let program = program.clone();
            let mut server = Self { program, options, folder, port, process };
            if server.answers().await {
                return Some(server);
            }
        }
        panic!("no Valkey server could be started");
    }

    async fn answers(&mut self) -> bool {
        let begun = Instant::now();
        while self.try_to_connect().await.is_none() {
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap();
            assert!(begun.elapsed() < Duration::from_secs(30), "{}", log());
            sleep(Duration::from_millis(20)).await;
        }
        true
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn signal(&self, name: &str) {
        // The shell's own `kill`: a bare machine has no program of that name.
        let kill = format!("kill -s {name} {}", self.process.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    async fn start_again(&mut self) {
        self.process = spawn(&self.program, &self.options, self.folder.path(), self.port);
        assert!(self.answers().await);
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn used_by(&self, config: &mut Config) {
        config.valkey = Some(Valkey::parse(&self.url()).unwrap());
    }

    async fn try_to_connect(&self) -> Option<MultiplexedConnection> {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.ok()?;
        redis::cmd("PING").exec_async(&mut connection).await.ok()?;
        Some(connection)
    }

    async fn command(&self, words: &[&str]) {
        let mut connection = self.try_to_connect().await.unwrap();
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]).exec_async(&mut connection).await.unwrap();
    }

    /// The channel that processes meet in, and how many of them are there.
    async fn meeting(&self) -> Option<(String, usize)> {
        let mut connection = self.try_to_connect().await?;
        let mut pubsub = redis::cmd("PUBSUB");
        let channels: Vec<String> =
            pubsub.arg("CHANNELS").query_async(&mut connection).await.unwrap();
        let channel = channels.first()?.clone();
        assert!(channels.len() == 1 && channel.starts_with("graphbook:"), "{channels:?}");
        let mut pubsub = redis::cmd("PUBSUB");
        let (_, count): (String, usize) =
            pubsub.arg("NUMSUB").arg(&channel).query_async(&mut connection).await.unwrap();
        Some((channel, count))
    }

    /// Waits until that many processes listen.
    async fn heard_by(&self, processes: usize) -> String {
        let begun = Instant::now();
        loop {
            let meeting = self.meeting().await;
            match meeting {
                Some((channel, count)) if count == processes => return channel,
                _ => assert!(begun.elapsed() < Duration::from_secs(30), "{meeting:?}"),
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for ValkeyServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(program: &str, options: &[String], folder: &Path, port: u16) -> Child {
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let mut server = Command::new(program);
    server.args(["--serve", "valkey"]).arg(folder).arg(port.to_string()).args(options);
    server.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    server.spawn().unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What becomes a server. Without it such a test prints a line and passes, unless `TEST_NO_SKIP` is
/// set.
#[expect(clippy::print_stderr, reason = "the test harness shows it beside the test's name")]
fn program() -> Option<String> {
    let program = std::env::var("TEST_SERVE").ok().filter(|value| !value.is_empty());
    if program.is_none() {
        assert!(
            std::env::var("TEST_NO_SKIP").is_err(),
            "TEST_SERVE is not set, and TEST_NO_SKIP forbids to skip the test: run dev/test"
        );
        eprintln!("skipped: TEST_SERVE is not set (dev/test sets it)");
    }
    program
}

/// Two processes on the same database and Valkey, which have found each other.
async fn pair(database: &TestDatabase, valkey: &ValkeyServer) -> (TestServer, TestServer) {
    let one = TestServer::start_with(database, |config| valkey.used_by(config)).await;
    let two = TestServer::start_with(database, |config| valkey.used_by(config)).await;
    valkey.heard_by(2).await;
    (one, two)
}

/// The same person, whose requests go elsewhere.
fn through<'a>(server: &'a TestServer, person: &Person<'_>) -> Person<'a> {
    let (username, token) = (person.username.clone(), person.token.clone());
    Person { server, id: person.id, username, token }
}

async fn listening(person: &Person<'_>, query: &str) -> Client {
    let mut client = Client::of(person).await;
    client.listen("l", query).await;
    client
}

/// Asserts that a post, and nothing else, is heard.
async fn hears(client: &mut Client, text: &str) {
    let payload = client.payload("next", "l").await;
    assert_eq!(payload, json!({ "data": { "postAdded": { "text": text } } }));
}

async fn what_is_written_through_one_process_is_heard_once_in_each(database: TestDatabase) {
    let Some(valkey) = ValkeyServer::start().await else { return };
    let (one, two) = pair(&database, &valkey).await;
    let (ada, ben, cleo) = (one.join("ada").await, one.join("ben").await, two.join("cleo").await);
    let chat = ada.chat_with(&[ben.id]).await;
    let mut members =
        [listening(&ben, MESSAGES).await, listening(&through(&two, &ben), MESSAGES).await];
    let mut others = [listening(&ada, MESSAGES).await, listening(&cleo, MESSAGES).await];
    let mut readers = [listening(&ada, POSTS).await, listening(&cleo, POSTS).await];
    for (author, text) in [(&ada, "hello"), (&through(&two, &ada), "hello again")] {
        author.say(chat, text).await;
        let expected =
            json!({ "text": text, "user": { "username": "ada" }, "chat": { "id": chat } });
        for client in &mut members {
            let payload = client.payload("next", "l").await;
            assert_eq!(payload, json!({ "data": { "messageAdded": expected } }));
        }
        author.post(text).await;
        for client in &mut readers {
            hears(client, text).await;
        }
    }
    sleep(Duration::from_millis(200)).await;
    for client in members.iter_mut().chain(&mut others).chain(&mut readers) {
        client.ping(1).await;
    }
}

async fn a_session_that_ends_in_one_process_closes_its_sockets_in_another(database: TestDatabase) {
    let Some(valkey) = ValkeyServer::start().await else { return };
    let (one, two) = pair(&database, &valkey).await;
    let (ada, ben) = (one.join("ada").await, one.join("ben").await);
    let mut kept = Client::of(&through(&two, &ben)).await;
    for mutation in ["mutation { logout { success } }", "mutation { logoutEverywhere { success } }"]
    {
        let answer = one.sign_in(&ada.email(), crate::support::PASSWORD).await;
        let token = answer.ok()["login"]["token"].as_str().unwrap().to_owned();
        let ada = Person { token, ..through(&one, &ada) };
        let mut client = Client::of(&through(&two, &ada)).await;
        let begun = Instant::now();
        ada.ask(mutation, json!({})).await.ok();
        assert_eq!(client.closed().await, (4403, "Session ended".to_owned()));
        assert!(begun.elapsed() < Duration::from_secs(5), "not by the look every minute");
    }
    kept.ping(1).await;
}

async fn without_valkey_each_process_goes_on_alone(database: TestDatabase) {
    let Some(mut valkey) = ValkeyServer::start().await else { return };
    let (one, two) = pair(&database, &valkey).await;
    let ada = one.join("ada").await;
    let mut here = listening(&ada, POSTS).await;
    let mut there = listening(&through(&two, &ada), POSTS).await;
    valkey.kill();
    for n in 0..3 {
        let begun = Instant::now();
        ada.post(&format!("alone {n}")).await;
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        hears(&mut here, &format!("alone {n}")).await;
    }
    let ready = one.client.get(one.url("/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 200);
    there.ping(1).await;
    // Nor does one that starts meanwhile wait for it.
    let three = TestServer::start_with(&database, |config| valkey.used_by(config)).await;
    let mut late = listening(&through(&three, &ada), POSTS).await;

    valkey.start_again().await;
    valkey.heard_by(3).await;
    ada.post("together").await;
    hears(&mut here, "together").await;
    for client in [&mut there, &mut late] {
        // What was not too old for it comes late.
        let mut heard = Vec::new();
        while heard.last().is_none_or(|text| text != "together") {
            let payload = client.payload("next", "l").await;
            heard.push(payload["data"]["postAdded"]["text"].as_str().unwrap().to_owned());
        }
        let expected = ["alone 0", "alone 1", "alone 2", "together"];
        assert!(
            expected.ends_with(&heard.iter().map(String::as_str).collect::<Vec<_>>()),
            "{heard:?}"
        );
        client.ping(2).await;
    }
    for server in [one, two, three] {
        server.stop().await;
    }
}

async fn nobody_waits_for_a_valkey_that_hangs(database: TestDatabase) {
    let Target::Sqlite(_) = database.target else { return };
    let Some(valkey) = ValkeyServer::start().await else { return };
    let (one, two) = pair(&database, &valkey).await;
    let ada = one.join("ada").await;
    let mut here = listening(&ada, POSTS).await;
    let mut there = listening(&through(&two, &ada), POSTS).await;
    valkey.signal("STOP");
    let begun = Instant::now();
    for _ in 0..5 {
        ada.post("so far").await;
        hears(&mut here, "so far").await;
    }
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    there.ping(1).await;
    valkey.signal("CONT");
    for _ in 0..5 {
        hears(&mut there, "so far").await;
    }
    // Longer than anybody's patience: given up and connected to again, once.
    valkey.signal("STOP");
    ada.post("lost").await;
    hears(&mut here, "lost").await;
    sleep(Duration::from_secs(12)).await;
    valkey.signal("CONT");
    valkey.heard_by(2).await;
    sleep(Duration::from_millis(500)).await;
    valkey.heard_by(2).await;
    ada.post("found").await;
    hears(&mut here, "found").await;
    let mut heard = there.payload("next", "l").await;
    // What Valkey had received when it was given up may have come late.
    if heard == json!({ "data": { "postAdded": { "text": "lost" } } }) {
        heard = there.payload("next", "l").await;
    }
    assert_eq!(heard, json!({ "data": { "postAdded": { "text": "found" } } }));
    there.ping(2).await;
}

async fn what_is_not_understood_harms_nothing(database: TestDatabase) {
    let Target::Sqlite(_) = database.target else { return };
    let Some(valkey) = ValkeyServer::start().await else { return };
    let (one, two) = pair(&database, &valkey).await;
    let ada = one.join("ada").await;
    let mut clients = [listening(&ada, POSTS).await, listening(&through(&two, &ada), POSTS).await];
    let channel = valkey.heard_by(2).await;
    let mut connection = valkey.try_to_connect().await.unwrap();
    let json = br#"{"post_added":{"id":1,"text":"forged","created_at":1,"user":{"id":1,"username":"x","avatar":null,"created_at":1}}}"#;
    let unsealed = [&[0; 48], &json[..]].concat();
    for garbage in [&b""[..], b"{}", &[0xff; 100], json, &unsealed, &vec![b'x'; 2_000_000]] {
        let mut publish = redis::cmd("PUBLISH");
        let heard: usize =
            publish.arg(&channel).arg(garbage).query_async(&mut connection).await.unwrap();
        assert_eq!(heard, 2);
    }
    ada.post("genuine").await;
    for client in &mut clients {
        hears(client, "genuine").await;
        client.ping(1).await;
    }
    assert_eq!(valkey.meeting().await, Some((channel, 2)));
}

async fn a_replica_is_not_published_to(database: TestDatabase) {
    let Target::Sqlite(_) = database.target else { return };
    let nowhere = ["--replicaof", "127.0.0.1", "1"].map(str::to_owned);
    let Some(valkey) = ValkeyServer::start_with(&nowhere).await else { return };
    let server = TestServer::start_with(&database, |config| valkey.used_by(config)).await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(valkey.meeting().await, None);
    valkey.command(&["REPLICAOF", "NO", "ONE"]).await;
    valkey.heard_by(1).await;
    // Found out at the next look, also about a connection that goes on.
    valkey.command(&["REPLICAOF", "127.0.0.1", "1"]).await;
    let begun = Instant::now();
    while valkey.meeting().await.is_some() {
        assert!(begun.elapsed() < Duration::from_secs(30));
        sleep(Duration::from_millis(100)).await;
    }
    server.stop().await;
}

async fn what_is_written_during_the_end_is_told(database: TestDatabase) {
    let Some(valkey) = ValkeyServer::start().await else { return };
    let ending = TestServer::start_with(&database, |config| {
        valkey.used_by(config);
        config.linger = Duration::from_millis(500);
    });
    let ending = ending.await;
    let other = TestServer::start_with(&database, |config| valkey.used_by(config)).await;
    valkey.heard_by(2).await;
    let ada = other.join("ada").await;
    let mut client = listening(&ada, POSTS).await;
    ending.state.lifecycle.stop();
    through(&ending, &ada).post("goodbye").await;
    ending.stop().await;
    hears(&mut client, "goodbye").await;
    valkey.heard_by(1).await;
}

async fn valkey_is_reached_by_tls_with_a_password(database: TestDatabase) {
    // Beside the authority of the databases' certificate is the certificate, for 127.0.0.1.
    let Ok(authority) = std::env::var("TEST_MYSQL_CA") else { return };
    let tls = Path::new(&authority).with_file_name("");
    let file = |name: &str| tls.join(name).display().to_string();
    if !Path::new(&file("server.key")).exists() {
        return;
    }
    let port = free_port().to_string();
    let options = [
        ["--tls-port", &port],
        ["--tls-auth-clients", "no"],
        ["--tls-cert-file", &file("server.pem")],
        ["--tls-key-file", &file("server.key")],
        ["--tls-ca-cert-file", &authority],
    ];
    let options: Vec<_> = options.concat().into_iter().map(str::to_owned).collect();
    let Some(valkey) = ValkeyServer::start_with(&options).await else { return };
    let here = TestServer::start_with(&database, |config| valkey.used_by(config)).await;
    valkey.heard_by(1).await;
    // Somebody with a password, and without the right to anything that is not needed.
    let rules = "ACL SETUSER graphbook on >s3#cret resetchannels &graphbook:* -@all +hello +auth +client +subscribe +publish";
    valkey.command(&rules.split(' ').collect::<Vec<_>>()).await;

    let start = |authority: &str, folder: &TempDir| {
        let arguments = ["--no-demo", "--listen=127.0.0.1:0", "--log-format=json"];
        let mut command = graphbook(folder.path(), &arguments);
        command
            .env("DATABASE_URL", &database.url)
            .env("JWT_SECRET", str::from_utf8(SECRET).unwrap());
        command.env("GRAPHBOOK_VALKEY_URL", format!("rediss://graphbook@127.0.0.1:{port}"));
        command.env("GRAPHBOOK_VALKEY_PASSWORD", "s3#cret").env("SSL_CERT_FILE", authority);
        Running::start(&mut command, true)
    };
    let folder = tempfile::tempdir().unwrap();
    let stranger = folder.path().join("stranger.pem");
    std::fs::write(&stranger, include_str!("../stranger.pem")).unwrap();
    let doubting = start(stranger.to_str().unwrap(), &folder);
    let begun = Instant::now();
    while !doubting.log().iter().any(|line| line.contains("UnknownIssuer")) {
        assert!(begun.elapsed() < Duration::from_secs(10), "{:#?}", doubting.log());
        sleep(Duration::from_millis(50)).await;
    }
    assert!(!doubting.log().concat().contains("s3#cret"));
    drop(doubting);
    let trusting = start(&authority, &folder);
    valkey.heard_by(2).await;
    let ada = here.join("ada").await;
    let mut client = listening(&ada, POSTS).await;
    let add = json!({ "query": "mutation { addPost(post: { text: \"by TLS\" }) { id } }" });
    let request = here.client.post(format!("http://{}/graphql", trusting.address));
    let request = request.bearer_auth(&ada.token).header("content-type", "application/json");
    assert_eq!(request.body(add.to_string()).send().await.unwrap().status(), 200);
    hears(&mut client, "by TLS").await;
}
