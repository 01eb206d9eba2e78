//! What is left after a statement failed.

use std::time::Duration;

use migrate::testing::{Engine, TestDatabase};
use migrate::{Limits, MigrateError};

use crate::support::{Files, migrator, number, run, states, tables, up};

const FILES: Files<'_> = &[
    ("1_a.up.sql", "CREATE TABLE a (x INTEGER)"),
    ("2_b.up.sql", "CREATE TABLE b (x INTEGER); INSERT INTO absent VALUES (1); SELECT 1;"),
    ("3_c.up.sql", "CREATE TABLE c (x INTEGER)"),
];
const CORRECTED: Files<'_> =
    &[FILES[0], ("2_b.up.sql", "CREATE TABLE b (x INTEGER); SELECT 1;"), FILES[2]];

migrate::on_every_database! {
    a_failing_statement_is_reported_and_the_rest_is_not_run,
    a_failed_run_keeps_no_lock,
    a_text_that_is_not_sql_is_reported,
}

async fn a_failing_statement_is_reported_and_the_rest_is_not_run(database: TestDatabase) {
    let error = run(&migrator(&database, FILES), |_| {}).await.unwrap_err();
    let MigrateError::Failed { statement, undone, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(statement, 2);
    let text = error.to_string();
    assert!(text.starts_with("2_b.up.sql failed on "), "{text}");
    assert!(text.contains("absent"), "{text}");
    assert_eq!(tables(&database, "a").await, 1);
    assert_eq!(tables(&database, "c").await, 0);

    if database.engine == Engine::Sqlite {
        assert!(undone);
        assert_eq!(tables(&database, "b").await, 0);
        assert_eq!(states(&database, FILES).await, "app");
    } else {
        assert!(!undone);
        assert_eq!(tables(&database, "b").await, 1);
        assert_eq!(states(&database, FILES).await, "afp");
        assert_eq!(number(&database, "SELECT COUNT(*) FROM b").await, 0);
    }
    assert_eq!(up(&database, CORRECTED).await, 2);
}

async fn a_failed_run_keeps_no_lock(database: TestDatabase) {
    let first = run(&migrator(&database, FILES), |_| {}).await;
    assert!(matches!(first, Err(MigrateError::Failed { .. })));
    let impatient = Limits { lock_timeout: Duration::ZERO, ..Limits::default() };
    let second = run(&migrator(&database, FILES).limits(impatient), |_| {}).await;
    let error = second.unwrap_err();
    assert!(!matches!(error, MigrateError::LockTimeout { .. }), "{error}");
}

async fn a_text_that_is_not_sql_is_reported(database: TestDatabase) {
    let files = &[("1_a.up.sql", "CREATE TABEL a (x INTEGER)")];
    let error = run(&migrator(&database, files), |_| {}).await.unwrap_err();
    assert!(matches!(error, MigrateError::Failed { statement: 1, .. }), "{error}");
    assert!(error.to_string().contains("TABEL"), "{error}");
}
