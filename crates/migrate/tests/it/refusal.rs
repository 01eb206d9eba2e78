//! What a run refuses before it does anything.

use migrate::testing::TestDatabase;
use migrate::{Choice, Decision};

use crate::support::{execute, migrator, states, tables, up, up_fails};

const A: (&str, &str) = ("1_a.up.sql", "CREATE TABLE a (x INTEGER)");
const B: (&str, &str) = ("2_b.up.sql", "CREATE TABLE b (x INTEGER)");
const C: (&str, &str) = ("3_c.up.sql", "CREATE TABLE c (x INTEGER)");

migrate::on_every_database! {
    a_file_without_a_statement_is_still_to_be_written,
    an_edited_file_is_refused_and_nothing_is_applied,
    a_file_older_than_the_newest_applied_is_refused,
    an_unfinished_migration_of_the_first_release_is_for_a_person,
}

async fn an_edited_file_is_refused_and_nothing_is_applied(database: TestDatabase) {
    up(&database, &[A]).await;
    let edited = (A.0, "CREATE TABLE a (x INTEGER, y INTEGER)");
    let error = up_fails(&database, &[edited, B]).await;
    assert!(error.contains("edited after being applied: 1_a.up.sql"), "{error}");
    assert_eq!(tables(&database, "b").await, 0);
    assert_eq!(states(&database, &[edited, B]).await, "ep");
    // The file as it was is accepted again, so the refusal left nothing behind.
    assert_eq!(up(&database, &[A, B]).await, 1);
}

async fn a_file_older_than_the_newest_applied_is_refused(database: TestDatabase) {
    up(&database, &[A, C]).await;
    let error = up_fails(&database, &[A, B, C]).await;
    assert!(error.contains("out of order: 2_b.up.sql"), "{error}");
    assert!(error.contains("version above 3"), "{error}");
    assert_eq!(tables(&database, "b").await, 0);
    assert_eq!(states(&database, &[A, B, C]).await, "apa");
}

async fn an_unfinished_migration_of_the_first_release_is_for_a_person(database: TestDatabase) {
    // As the first release left it: without a word about how far it came.
    execute(
        &database,
        "CREATE TABLE _migrations (version BIGINT NOT NULL PRIMARY KEY, name VARCHAR(255) NOT NULL, \
         checksum CHAR(64) NOT NULL, started_at BIGINT NOT NULL, finished_at BIGINT NULL)",
    )
    .await;
    execute(&database, "INSERT INTO _migrations VALUES (1, 'a', 'x', 1, NULL)").await;
    assert_eq!(states(&database, &[A, B]).await, "fp");
    let error = up_fails(&database, &[A, B]).await;
    assert!(error.contains("1_a.up.sql began earlier and did not finish"), "{error}");
    assert!(error.contains("`migrate repair --retry 1 --reason"), "{error}");
    assert_eq!(tables(&database, "b").await, 0);

    let decision = Decision { by: "me".to_owned(), reason: "looked".to_owned() };
    let step = "1".parse().unwrap();
    migrator(&database, &[A, B]).repair(step, Choice::Retry, decision).await.unwrap();
    assert_eq!(up(&database, &[A, B]).await, 2);
    assert_eq!(states(&database, &[A, B]).await, "aa");
}

/// Applied, it would count as edited as soon as somebody writes it.
async fn a_file_without_a_statement_is_still_to_be_written(database: TestDatabase) {
    let created = [A, ("2_b.up.sql", "-- What to do\n")];
    let text = up_fails(&database, &created).await;
    assert!(text.contains("2_b.up.sql"), "{text}");
    assert!(text.contains("no statement in it: write one, or SELECT 1;"), "{text}");
    assert_eq!(states(&database, &created).await, "pp", "nothing is done before");
    let written = [A, ("2_b.up.sql", "-- What to do\nCREATE TABLE b (x INTEGER);\n")];
    assert_eq!(up(&database, &written).await, 2);
}
