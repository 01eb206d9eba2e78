//! A server that is killed in the middle of a migration, and comes back.

use std::time::Duration;

use migrate::{MigrateError, Migrations, Migrator, Target};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::own_server::Server;
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

async fn killed_while_a_table_is_altered(kind: &'static str) {
    let Some(mut server) = Server::start(kind, vec![]).await else { return };
    server.execute("CREATE DATABASE shop").await.unwrap();
    let mut connection = server.to("shop").connect().await.unwrap();

    let target = Target::MySql(server.to("shop"));
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
    server.kill();
    let error = runner.await.unwrap().unwrap_err();
    assert!(matches!(error, MigrateError::ConnectionLost { statement: 4, .. }), "{error:?}");

    server.start_again(vec![]).await;
    run(&migrator, |_| {}).await.unwrap();
    assert!(migrator.status().await.unwrap().is_current());
    let mut connection = server.to("shop").connect().await.unwrap();
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
}

#[tokio::test]
async fn mysql_is_killed_while_a_table_is_altered() {
    killed_while_a_table_is_altered("mysql").await;
}

#[tokio::test]
async fn mariadb_is_killed_while_a_table_is_altered() {
    killed_while_a_table_is_altered("mariadb").await;
}
