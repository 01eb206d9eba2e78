//! Old and new releases side by side, and the way back.

use migrate::testing::TestDatabase;
use migrate::{DownOptions, MigrateError, OutOfOrder, UpOptions};

use crate::support::{Files, migrator, run, states, status, tables, up};

const A: (&str, &str) = ("1_a.up.sql", "CREATE TABLE a (x INTEGER)");
const B: (&str, &str) = ("2_b.up.sql", "CREATE TABLE b (x INTEGER)");
const C: (&str, &str) = ("3_c.up.sql", "CREATE TABLE c (x INTEGER)");
const A_DOWN: (&str, &str) = ("1_a.down.sql", "DROP TABLE a");
const B_DOWN: (&str, &str) = ("2_b.down.sql", "DROP TABLE b");
const C_DOWN: (&str, &str) = ("3_c.down.sql", "DROP TABLE c");
const ALL: Files<'_> = &[A, A_DOWN, B, B_DOWN, C, C_DOWN];

migrate::on_every_database! {
    a_release_that_is_too_old_for_the_schema_is_told_so_and_touches_nothing,
    late_files_are_applied_where_that_is_allowed,
    a_row_without_a_file_among_newer_files_is_told,
    a_run_ends_at_the_version_that_was_asked_for,
    migrations_are_taken_back_newest_first_and_applied_again,
    there_is_no_way_back_without_a_file,
    one_file_for_both_ways_works,
    an_edit_is_shown_and_comments_are_none,
    what_would_be_done_is_shown_and_nothing_is_written,
}

async fn a_release_that_is_too_old_for_the_schema_is_told_so_and_touches_nothing(
    database: TestDatabase,
) {
    let contract = ("3_c.up.sql", "-- migrate: min-version 2\nCREATE TABLE c (x INTEGER)");
    up(&database, &[A, B, contract]).await;
    // Carries 2, as is asked for.
    assert_eq!(up(&database, &[A, B]).await, 0);
    assert!(status(&database, &[A, B]).await.is_current());
    let error = run(&migrator(&database, &[A]), |_| {}).await.unwrap_err();
    assert!(matches!(error, MigrateError::TooOld { needed: 2, newest: 1 }), "{error}");
    assert!(!status(&database, &[A]).await.is_current());
    assert_eq!(migrate::cli::CliError::from(error).exit_code(), 32);
}

async fn late_files_are_applied_where_that_is_allowed(database: TestDatabase) {
    up(&database, &[A, C]).await;
    let allow = UpOptions { out_of_order: OutOfOrder::Allow, ..UpOptions::default() };
    let applied = migrator(&database, &[A, B, C]).up(allow, |_| {}).await.unwrap();
    assert_eq!(applied.count, 1);
    assert_eq!(states(&database, &[A, B, C]).await, "aaa");
}

async fn a_row_without_a_file_among_newer_files_is_told(database: TestDatabase) {
    up(&database, &[A, B]).await;
    let error = run(&migrator(&database, &[A, C]), |_| {}).await.unwrap_err();
    assert!(matches!(error, MigrateError::Missing { .. }), "{error}");
    assert!(error.to_string().contains("2_b"), "{error}");
    assert_eq!(tables(&database, "c").await, 0);
    let allow = UpOptions { out_of_order: OutOfOrder::Allow, ..UpOptions::default() };
    assert_eq!(migrator(&database, &[A, C]).up(allow, |_| {}).await.unwrap().count, 1);
}

async fn a_run_ends_at_the_version_that_was_asked_for(database: TestDatabase) {
    let to = UpOptions { to: Some(2), ..UpOptions::default() };
    assert_eq!(migrator(&database, ALL).up(to, |_| {}).await.unwrap().count, 2);
    assert_eq!(states(&database, ALL).await, "aap");
}

async fn migrations_are_taken_back_newest_first_and_applied_again(database: TestDatabase) {
    up(&database, ALL).await;
    let migrator = migrator(&database, ALL);
    let back = |options| migrator.down(options, |_| {});
    assert_eq!(back(DownOptions::Steps(1)).await.unwrap().count, 1);
    assert_eq!(states(&database, ALL).await, "aap");
    assert_eq!(tables(&database, "c").await, 0);
    assert_eq!(back(DownOptions::To(0)).await.unwrap().count, 2);
    assert_eq!(states(&database, ALL).await, "ppp");
    assert_eq!(back(DownOptions::Steps(1)).await.unwrap().count, 0);
    assert_eq!(up(&database, ALL).await, 3);
    assert_eq!(tables(&database, "a").await + tables(&database, "c").await, 2);
}

async fn there_is_no_way_back_without_a_file(database: TestDatabase) {
    up(&database, &[A, A_DOWN, B]).await;
    let options = DownOptions::To(0);
    let error = migrator(&database, &[A, A_DOWN, B]).down(options, |_| {}).await.unwrap_err();
    assert!(matches!(error, MigrateError::NoDown { .. }), "{error}");
    assert_eq!(tables(&database, "b").await, 1);
}

async fn one_file_for_both_ways_works(database: TestDatabase) {
    let files: Files<'_> = &[(
        "1_a.sql",
        "-- migrate:up\nCREATE TABLE a (x INTEGER);\n\n-- migrate:down\nDROP TABLE a;\n",
    )];
    assert_eq!(up(&database, files).await, 1);
    let back = migrator(&database, files).down(DownOptions::Steps(1), |_| {}).await.unwrap();
    assert_eq!((back.count, tables(&database, "a").await), (1, 0));
}

async fn an_edit_is_shown_and_comments_are_none(database: TestDatabase) {
    let file = |text| [("1_a.up.sql", text)];
    up(&database, &file("-- A table.\nCREATE TABLE a (\n  x INTEGER\n);\n")).await;
    let commented = file("-- The table.\n\nCREATE TABLE a (\n  x INTEGER\n);\n-- end\n");
    assert_eq!(states(&database, &commented).await, "a");
    assert_eq!(up(&database, &commented).await, 0);
    let edited = file("-- A table.\nCREATE TABLE a (\n  x BIGINT\n);\n");
    let error = run(&migrator(&database, &edited), |_| {}).await.unwrap_err().to_string();
    assert!(error.contains("-  x INTEGER\n+  x BIGINT\n"), "{error}");
}

async fn what_would_be_done_is_shown_and_nothing_is_written(database: TestDatabase) {
    let plan = migrator(&database, ALL).plan(UpOptions::default()).await.unwrap();
    let listing = plan.listing();
    assert_eq!(listing.len(), 3);
    assert_eq!(listing[2].file, "3_c.up.sql");
    assert_eq!(listing[2].steps[0].statement, "CREATE TABLE c (x INTEGER)");
    assert_eq!(tables(&database, "_migrations").await, 0);
}
