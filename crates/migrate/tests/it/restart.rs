//! A server that is killed in the middle of a migration, and comes back.
//!
//! Such a server is the test's own: `TEST_SERVE` is the program that becomes one. Without it these
//! tests print a line and pass, unless `TEST_NO_SKIP` is set.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use migrate::{MigrateError, Migrations, Migrator, Target};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, MySqlConnection};

use crate::support::{Files, run};

const FILES: Files<'_> = &[(
    "1_big.up.sql",
    "CREATE TABLE big (id INTEGER NOT NULL PRIMARY KEY, x VARCHAR(50));\n\
     INSERT INTO big WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999) \
     SELECT i, 'some text in a row' FROM n;\n\
     INSERT INTO big SELECT b.id * 1000 + a.id + 1000, a.x FROM big a, big b WHERE b.id < 300;\n\
     -- migrate: allow=copy reason=\"a test\"\n\
     ALTER TABLE big MODIFY COLUMN x VARCHAR(50) CHARACTER SET utf16;\n\
     ALTER TABLE big ADD COLUMN y INTEGER;\n",
)];

#[expect(clippy::print_stderr, reason = "the test harness shows it beside the test's name")]
fn serve() -> Option<String> {
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

/// Starts a server, or starts it again, and waits until it answers.
async fn start(program: &str, kind: &str, folder: &Path, port: u16) -> Child {
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let mut server = Command::new(program);
    server.args(["--serve", kind]).arg(folder).arg(port.to_string()).stdin(Stdio::null());
    server.stdout(log.try_clone().unwrap()).stderr(log);
    let mut server = server.spawn().unwrap();
    let begun = Instant::now();
    while connect(port, None).await.is_err() {
        let ended = server.try_wait().unwrap();
        let log = || std::fs::read_to_string(folder.join("log")).unwrap();
        assert!(ended.is_none() && begun.elapsed() < Duration::from_secs(90), "{}", log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    server
}

fn options(port: u16) -> MySqlConnectOptions {
    MySqlConnectOptions::new().host("127.0.0.1").port(port).username("root")
}

async fn connect(port: u16, database: Option<&str>) -> sqlx::Result<MySqlConnection> {
    match database {
        Some(database) => options(port).database(database).connect().await,
        None => options(port).connect().await,
    }
}

async fn killed_while_a_table_is_altered(kind: &str) {
    let Some(program) = serve() else { return };
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = start(&program, kind, folder.path(), port).await;
    let mut connection = connect(port, None).await.unwrap();
    sqlx::raw_sql("CREATE DATABASE shop").execute(&mut connection).await.unwrap();

    let target = Target::MySql(options(port).database("shop"));
    let migrator = Migrator::new(Migrations::embedded(FILES).unwrap(), target);
    let first = migrator.clone();
    let runner = tokio::spawn(async move { run(&first, |_| {}).await.map(drop) });
    loop {
        let altering: (i64,) = sqlx::query_as(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE db = 'shop' AND info LIKE \
             'ALTER TABLE big MODIFY%' AND info NOT LIKE '%ALGORITHM%'",
        )
        .fetch_one(&mut connection)
        .await
        .unwrap();
        if altering.0 > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    server.kill().unwrap();
    server.wait().unwrap();
    let error = runner.await.unwrap().unwrap_err();
    assert!(matches!(error, MigrateError::ConnectionLost { statement: 4, .. }), "{error:?}");

    let mut server = start(&program, kind, folder.path(), port).await;
    run(&migrator, |_| {}).await.unwrap();
    assert!(migrator.status().await.unwrap().is_current());
    let mut connection = connect(port, Some("shop")).await.unwrap();
    let columns: (i64,) = sqlx::query_as(
        "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = 'shop' AND \
         table_name = 'big' AND (column_name = 'y' OR character_set_name = 'utf16')",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    let rows: (i64,) =
        sqlx::query_as("SELECT COUNT(*) FROM big").fetch_one(&mut connection).await.unwrap();
    assert_eq!((columns.0, rows.0), (2, 301_000));
    connection.close().await.unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
}

#[tokio::test]
async fn mysql_is_killed_while_a_table_is_altered() {
    killed_while_a_table_is_altered("mysql").await;
}

#[tokio::test]
async fn mariadb_is_killed_while_a_table_is_altered() {
    killed_while_a_table_is_altered("mariadb").await;
}
