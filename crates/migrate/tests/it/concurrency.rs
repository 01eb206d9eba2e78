//! Several runners at once.

use std::time::Duration;

use migrate::testing::{Engine, TestDatabase};
use migrate::{Event, MigrateError, Target};
use sqlx::ConnectOptions as _;

use crate::support::{Files, migrator, number, states};

migrate::on_every_database! {
    five_runners_at_once_apply_each_migration_once,
    a_runner_that_waited_too_long_says_so_and_applies_nothing,
}

const COUNTED: Files<'_> = &[
    ("1_a.up.sql", "CREATE TABLE a (x INTEGER)"),
    ("2_b.up.sql", "INSERT INTO a VALUES (2)"),
    ("3_c.up.sql", "INSERT INTO a VALUES (3)"),
    ("4_d.up.sql", "INSERT INTO a VALUES (4)"),
];

async fn five_runners_at_once_apply_each_migration_once(database: TestDatabase) {
    let runners: Vec<_> = (0..5)
        .map(|_| {
            let migrator = migrator(&database, COUNTED);
            // Spawned, which also shows that the future may move between threads.
            tokio::spawn(async move { migrator.up(|_| {}).await.unwrap().count })
        })
        .collect();
    let mut applied = 0;
    for runner in runners {
        applied += runner.await.unwrap();
    }
    assert_eq!(applied, 4);
    assert_eq!(number(&database, "SELECT COUNT(*) FROM a").await, 3);
    assert_eq!(states(&database, COUNTED).await, "aaaa");
}

async fn a_runner_that_waited_too_long_says_so_and_applies_nothing(database: TestDatabase) {
    let files: Files<'_> = &[
        ("1_slow.mysql.up.sql", "CREATE TABLE a (x INTEGER); DO SLEEP(3)"),
        ("1_slow.sqlite.up.sql", "CREATE TABLE a (x INTEGER)"),
    ];
    // Somebody else at work: a slow migration, or a writer on SQLite.
    let mut writer = None;
    let mut other = None;
    if let Target::Sqlite(options) = &database.target {
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
        writer = Some(connection);
    } else {
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let mut begun = Some(begun);
        let slow = migrator(&database, files);
        other = Some(tokio::spawn(async move {
            let report = |event| {
                if matches!(event, Event::Applying { .. }) {
                    begun.take().unwrap().send(()).unwrap();
                }
            };
            slow.up(report).await.unwrap().count
        }));
        has_begun.await.unwrap();
    }

    let mut waits = 0;
    let report = |event| waits += usize::from(matches!(event, Event::WaitingForLock { .. }));
    let impatient = migrator(&database, files).lock_timeout(Duration::from_secs(1));
    let error = impatient.up(report).await.unwrap_err();
    let MigrateError::LockTimeout { holder, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(holder.is_some(), database.engine != Engine::Sqlite);
    if database.engine != Engine::Sqlite {
        assert!(waits > 0);
    }

    drop(writer);
    match other {
        Some(other) => assert_eq!(other.await.unwrap(), 1),
        None => assert_eq!(states(&database, files).await, "p"),
    }
}
