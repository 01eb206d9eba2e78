//! How far a table is altered, as far as the server counts it.

use std::time::{Duration, Instant};

use migrate::testing::{Engine, with_database};
use migrate::{Event, Migrations, Migrator, Target};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::own_server::Server;
use crate::support::run;

/// Long enough that a person hears of it twice.
const LONG: Duration = Duration::from_secs(12);

/// What takes a while for each row, whatever the table's size is.
const SLOW: &str = "SHA2(REPEAT('x', 4000000 + id), 512)";

/// How many rows make up [`LONG`] on this machine.
async fn rows(options: &MySqlConnectOptions) -> u128 {
    let mut connection = options.connect().await.unwrap();
    let mut fastest = LONG;
    for _ in 0..5 {
        let begun = Instant::now();
        let select = sqlx::AssertSqlSafe(format!("SELECT {SLOW} FROM (SELECT 1 AS id) one"));
        sqlx::raw_sql(select).fetch_all(&mut connection).await.unwrap();
        fastest = fastest.min(begun.elapsed());
    }
    connection.close().await.unwrap();
    (LONG.as_micros() / fastest.as_micros()).clamp(10, 900)
}

/// What is told while a table is altered by copying it.
async fn told(options: MySqlConnectOptions) -> Vec<Option<f64>> {
    let rows = rows(&options).await;
    let text = format!(
        "CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY);\n\
         INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \
         {rows}) SELECT i FROM n;\n\
         -- migrate: allow=copy reason=\"a test\"\n\
         ALTER TABLE t ADD COLUMN hash CHAR(128) GENERATED ALWAYS AS ({SLOW}) STORED;\n"
    );
    let files = [("1_t.mysql.up.sql", text.as_str()), ("1_t.sqlite.up.sql", "SELECT 1")];
    let migrations = Migrations::embedded(&files).unwrap();
    let mut told = Vec::new();
    let report = |event| {
        if let Event::Running { fraction, .. } = event {
            told.push(fraction);
        }
    };
    run(&Migrator::new(migrations, Target::MySql(options)), report).await.unwrap();
    assert!(!told.is_empty(), "{rows} rows took less than five seconds");
    told
}

#[track_caller]
fn assert_counted(told: &[Option<f64>]) {
    let is_part = |fraction: &Option<f64>| fraction.is_some_and(|part| part > 0.0 && part <= 1.0);
    assert!(told.iter().any(is_part), "{told:?}");
}

async fn on_mysql_with(options: &[&str]) -> Option<Vec<Option<f64>>> {
    let options = options.iter().map(ToString::to_string).collect();
    let server = Server::start("mysql", options).await?;
    server.execute("CREATE DATABASE shop").await.unwrap();
    Some(told(server.to("shop")).await)
}

#[tokio::test]
async fn how_far_an_alter_is_is_told_where_mysql_counts_it() {
    let options = ["--performance-schema-consumer-events-stages-current=ON"];
    if let Some(told) = on_mysql_with(&options).await {
        assert_counted(&told);
    }
}

#[tokio::test]
async fn nothing_is_lost_but_that_where_mysql_does_not_count() {
    if let Some(told) = on_mysql_with(&["--performance-schema=OFF"]).await {
        assert!(told.iter().all(Option::is_none), "{told:?}");
    }
}

#[tokio::test]
async fn how_far_an_alter_is_is_told_by_mariadb() {
    with_database(Engine::MariaDb, async |database| {
        let Target::MySql(options) = database.target else { panic!("no server") };
        assert_counted(&told(options).await);
    })
    .await;
}
