//! A server that one test has for itself: it may be killed, or has options that others must not have.
//!
//! `TEST_SERVE` is the program that becomes one. Without it such a test prints a line and passes,
//! unless `TEST_NO_SKIP` is set.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tempfile::TempDir;

/// Ends with its value.
pub(crate) struct Server {
    program: String,
    kind: &'static str,
    folder: TempDir,
    port: u16,
    process: Child,
}

impl Server {
    /// Starts `mysql` or `mariadb` with no data, and waits until it answers.
    pub(crate) async fn start(kind: &'static str, options: Vec<String>) -> Option<Self> {
        let program = program()?;
        let mut server = loop {
            let folder = tempfile::tempdir().unwrap();
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let process = spawn(&program, kind, &options, &folder, port);
            let mut server = Self { program: program.clone(), kind, folder, port, process };
            if server.has_its_port().await {
                break server;
            }
        };
        server.answers().await;
        Some(server)
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// With the data that it had when it was killed.
    pub(crate) async fn start_again(&mut self, options: Vec<String>) {
        self.process = spawn(&self.program, self.kind, &options, &self.folder, self.port);
        self.answers().await;
    }

    pub(crate) fn to(&self, database: &str) -> MySqlConnectOptions {
        self.to_none().database(database)
    }

    fn to_none(&self) -> MySqlConnectOptions {
        MySqlConnectOptions::new().host("127.0.0.1").port(self.port).username("root")
    }

    /// Runs statements over a connection of their own, which has no database.
    pub(crate) async fn execute(&self, sql: &str) -> sqlx::Result<()> {
        let mut connection = self.to_none().connect().await?;
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await;
        connection.close().await?;
        done.map(drop)
    }

    /// Whether nobody took the port between the look for a free one and the server's own start.
    async fn has_its_port(&mut self) -> bool {
        let begun = Instant::now();
        while self.execute("DO 1").await.is_err() && begun.elapsed() < Duration::from_secs(90) {
            if self.process.try_wait().unwrap().is_some() {
                let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
                return !log.contains("Address already in use");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        true
    }

    async fn answers(&mut self) {
        let begun = Instant::now();
        while self.execute("DO 1").await.is_err() {
            let ended = self.process.try_wait().unwrap();
            let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap();
            assert!(ended.is_none() && begun.elapsed() < Duration::from_secs(90), "{}", log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(program: &str, kind: &str, options: &[String], folder: &TempDir, port: u16) -> Child {
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    let mut server = Command::new(program);
    server.args(["--serve", kind]).arg(folder.path()).arg(port.to_string()).args(options);
    server.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    server.spawn().unwrap()
}

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
