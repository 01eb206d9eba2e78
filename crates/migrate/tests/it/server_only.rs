//! What only MySQL and MariaDB need: sessions that keep settings, and locks that can be lost.

use migrate::testing::{Engine, with_database};
use migrate::{Event, MigrateError};

use crate::support::{Files, migrator, number, on_servers, run, states, tables, until_running, up};

#[tokio::test]
async fn a_migration_does_not_inherit_the_session_of_the_one_before() {
    on_servers(async |database| {
        let files = &[
            (
                "1_a.mysql.up.sql",
                "CREATE TABLE a (x INTEGER NOT NULL); SET SESSION sql_mode = '', autocommit = 0, \
             foreign_key_checks = 0, lock_wait_timeout = 99; INSERT INTO a VALUES (1)",
            ),
            ("1_a.sqlite.up.sql", "SELECT 1"),
            (
                "2_b.mysql.up.sql",
                "CREATE TABLE b (autocommit INTEGER, checks INTEGER, timeout INTEGER, \
                  pipes INTEGER, place VARCHAR(64)); INSERT INTO b SELECT @@autocommit, \
             @@foreign_key_checks, @@lock_wait_timeout, \
             @@sql_mode LIKE '%PIPES_AS_CONCAT%', DATABASE(); \
             START TRANSACTION; INSERT INTO a VALUES (2)",
            ),
            ("2_b.sqlite.up.sql", "SELECT 1"),
        ];
        assert_eq!(up(&database, files).await, 2);
        assert_eq!(number(&database, "SELECT COUNT(*) FROM a").await, 2);
        let fresh = "SELECT COUNT(*) FROM b WHERE autocommit = 1 AND checks = 1 AND timeout = 10 \
                 AND pipes = 1 AND place = DATABASE()";
        assert_eq!(number(&database, fresh).await, 1);
    })
    .await;
}

#[tokio::test]
async fn the_lock_is_asked_for_again_before_each_migration() {
    on_servers(async |database| {
        let lose = "CREATE TABLE a (x INTEGER); DO RELEASE_ALL_LOCKS()";
        let files = &[
            ("1_a.mysql.up.sql", lose),
            ("1_a.sqlite.up.sql", "SELECT 1"),
            ("2_b.mysql.up.sql", "INSERT INTO a VALUES (1)"),
            ("2_b.sqlite.up.sql", "SELECT 1"),
            ("3_c.mysql.up.sql", "DO RELEASE_ALL_LOCKS()"),
            ("3_c.sqlite.up.sql", "SELECT 1"),
            ("4_d.up.sql", "CREATE TABLE d (x INTEGER)"),
        ];
        // Before one that is a transaction, and before one that is not.
        for (left, rows, exist) in [("appp", 0, 0), ("aaap", 1, 0)] {
            let error = run(&migrator(&database, files), |_| {}).await.unwrap_err();
            assert!(matches!(error, MigrateError::LockLost { .. }), "{error}");
            assert_eq!(states(&database, files).await, left);
            assert_eq!(number(&database, "SELECT COUNT(*) FROM a").await, rows);
            assert_eq!(tables(&database, "d").await, exist);
        }
        assert_eq!(up(&database, files).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_runner_that_went_away_leaves_its_migration_marked() {
    on_servers(async |database| {
        let files: Files<'_> = &[
            (
                "1_a.mysql.up.sql",
                "SET autocommit = 0; CREATE TABLE a (x INTEGER); DO SLEEP(2); CREATE TABLE b (x INTEGER)",
            ),
            ("1_a.sqlite.up.sql", "SELECT 1"),
        ];
        let (begun, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
        let runner = migrator(&database, files);
        let runner = tokio::spawn(async move {
            let report = move |event| {
                if matches!(event, Event::Applying { .. }) {
                    begun.send(()).unwrap();
                }
            };
            run(&runner, report).await.map(drop)
        });
        has_begun.recv().await.unwrap();
        // Not the table before it: of a runner that goes away between the two, nothing is in doubt.
        until_running(&database, "DO SLEEP%", 1).await;
        runner.abort();
        assert!(runner.await.unwrap_err().is_cancelled());

        // What DO does can't be told, so that a person decides; the text says how.
        assert_eq!(states(&database, files).await, "f");
        let error = run(&migrator(&database, files), |_| {}).await.unwrap_err();
        assert!(matches!(error, MigrateError::InDoubt { statement: 3, .. }), "{error}");
        assert_eq!(tables(&database, "b").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_function_in_another_language_is_made_as_it_was_written() {
    let body = " // it's ; $$ -- `\n return \"a;b\"; ";
    with_database(Engine::MySql, async |database| {
        if number(&database, "SELECT CAST(VERSION() AS SIGNED)").await < 9 {
            return;
        }
        let text = format!(
            "CREATE FUNCTION f() RETURNS TEXT DETERMINISTIC LANGUAGE JAVASCRIPT AS $js${body}$js$;\n\
             CREATE TABLE a (x INTEGER);"
        );
        let files: Files<'_> = &[("1_a.mysql.up.sql", &text), ("1_a.sqlite.up.sql", "SELECT 1")];
        assert_eq!(up(&database, files).await, 1);
        let same = format!(
            "SELECT COUNT(*) FROM information_schema.routines WHERE routine_schema = DATABASE() AND \
             routine_definition = '{}'",
            body.replace('\'', "''")
        );
        assert_eq!(number(&database, &same).await, 1);
        assert_eq!(tables(&database, "a").await, 1);
    })
    .await;
}
