//! What a run refuses before it does anything.

use migrate::testing::TestDatabase;

use crate::support::{execute, states, tables, up, up_fails};

const A: (&str, &str) = ("1_a.up.sql", "CREATE TABLE a (x INTEGER)");
const B: (&str, &str) = ("2_b.up.sql", "CREATE TABLE b (x INTEGER)");
const C: (&str, &str) = ("3_c.up.sql", "CREATE TABLE c (x INTEGER)");

migrate::on_every_database! {
    an_edited_file_is_refused_and_nothing_is_applied,
    a_file_older_than_the_newest_applied_is_refused,
    an_unfinished_migration_is_refused_and_can_be_settled_by_hand,
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

async fn an_unfinished_migration_is_refused_and_can_be_settled_by_hand(database: TestDatabase) {
    up(&database, &[A]).await;
    execute(&database, "UPDATE _migrations SET finished_at = NULL").await;
    assert_eq!(states(&database, &[A, B]).await, "fp");
    let error = up_fails(&database, &[A, B]).await;
    assert!(error.contains("1_a.up.sql began earlier and did not finish"), "{error}");
    assert_eq!(tables(&database, "b").await, 0);
    // With the very statement that the error proposes.
    let (_, statement) = error.rsplit_once("run `").unwrap();
    execute(&database, statement.trim_end_matches('`')).await;
    assert_eq!(up(&database, &[A, B]).await, 1);
}
