//! A server that runs out of space in the middle of a migration, at whichever point that is.
//!
//! Its tables share one file that may not grow beyond a limit, which needs no rights and no disk of
//! its own. Space is made by a greater limit: `MariaDB` can't drop a table when that file is full.

use migrate::{Migrations, Migrator, Target};

use crate::own_server::Server;
use crate::support::{run, seen};

fn options(megabytes: usize) -> Vec<String> {
    vec![
        "--innodb-file-per-table=0".to_owned(),
        format!("--innodb-data-file-path=ibdata1:12M:autoextend:max:{megabytes}M"),
    ]
}

fn migrator(server: &Server, database: &str) -> Migrator {
    // Statements and texts that are long, so that the journal needs space, too.
    let long = "some text ".repeat(150_000);
    let second = format!(
        "CREATE TABLE b (id INTEGER NOT NULL PRIMARY KEY, x VARCHAR(2000) /* {long} */);\n\
         INSERT INTO b SELECT id, x FROM a;\n\
         -- migrate: allow=copy reason=\"a test\"\n\
         ALTER TABLE b MODIFY COLUMN x VARCHAR(2100) CHARACTER SET utf16 /* {long} */;\n\
         ALTER TABLE a ADD COLUMN y INTEGER /* {long} */;\n\
         UPDATE b SET x = UPPER(x);\n\
         CREATE INDEX b_x ON b (x(100)) /* {long} */;\n"
    );
    let files = [
        (
            "1_a.mysql.up.sql",
            "CREATE TABLE a (id INTEGER NOT NULL PRIMARY KEY, x VARCHAR(2000));\n\
             INSERT INTO a WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < \
             999) SELECT i, REPEAT('some text ', 50) FROM n;\n",
        ),
        ("1_a.sqlite.up.sql", "SELECT 1"),
        ("2_b.mysql.up.sql", &second),
        ("2_b.sqlite.up.sql", "SELECT 1"),
    ];
    let target = Target::MySql(server.to(database));
    Migrator::new(Migrations::embedded(&files).unwrap(), target)
}

/// Adds rows of a megabyte, which is what the server takes at once, until there is no space.
async fn fill(server: &Server) {
    let table = "CREATE TABLE IF NOT EXISTS undisturbed.filler (x LONGBLOB)";
    server.execute(table).await.unwrap();
    let insert = "INSERT INTO undisturbed.filler VALUES (REPEAT('x', 1000000))";
    while server.execute(insert).await.is_ok() {}
}

async fn the_next_run_ends_as_if_there_had_been_space(kind: &'static str) {
    let mut limit = 40;
    let Some(mut server) = Server::start(kind, options(limit)).await else { return };
    server.execute("CREATE DATABASE undisturbed").await.unwrap();
    run(&migrator(&server, "undisturbed"), |_| {}).await.unwrap();
    let expected = seen(&server.to("undisturbed")).await;

    // Where it happens is left to the server, so this goes on until all kinds were there.
    let mut kinds = vec!["could not create the journal", "failed on", "could not record statement"];
    for (round, more) in [2, 3, 1].into_iter().cycle().take(12).enumerate() {
        if kinds.is_empty() {
            break;
        }
        let database = format!("shop_{round}");
        server.execute(&format!("CREATE DATABASE {database}")).await.unwrap();
        fill(&server).await;
        let migrator = migrator(&server, &database);
        while let Err(error) = run(&migrator, |_| {}).await {
            let text = error.to_string();
            // MariaDB sometimes says no more than "Internal error".
            let told = text.to_lowercase().contains("make space") || text.contains("(1815)");
            assert!(told, "{error:?}");
            kinds.retain(|kind| !text.contains(kind));
            server.kill();
            limit += more;
            server.start_again(options(limit)).await;
        }
        assert_eq!(seen(&server.to(&database)).await, expected, "{more} MB at a time");
    }
    assert!(kinds.is_empty(), "never: {kinds:?}");
}

#[tokio::test]
async fn the_next_run_ends_as_if_there_had_been_space_on_mysql() {
    the_next_run_ends_as_if_there_had_been_space("mysql").await;
}

#[tokio::test]
async fn the_next_run_ends_as_if_there_had_been_space_on_mariadb() {
    the_next_run_ends_as_if_there_had_been_space("mariadb").await;
}
