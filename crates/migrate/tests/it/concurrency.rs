//! Several runners at once.

use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use migrate::testing::{Engine, TestDatabase, with_database};
use migrate::{Event, Limits, MigrateError, Target};
use sqlx::ConnectOptions as _;

use crate::support::{Files, migrator, number, run, states};

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
            tokio::spawn(async move { run(&migrator, |_| {}).await.unwrap().count })
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

/// Processes, as containers that start at the same time are.
#[tokio::test]
async fn ten_runners_at_once_fifty_times_over() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in COUNTED {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    for engine in [Engine::Sqlite, Engine::MySql, Engine::MariaDb] {
        let rounds = (0..50).map(|_| {
            with_database(engine, async |database: TestDatabase| {
                let runners = (0..10).map(|_| {
                    let mut runner = std::process::Command::new(env!("CARGO_BIN_EXE_migrate"));
                    runner.env("DATABASE_URL", &database.url).arg("--source").arg(folder.path());
                    runner.args(["up", "--format", "text"]);
                    tokio::task::spawn_blocking(move || runner.output().unwrap())
                });
                for output in futures_util::future::join_all(runners).await {
                    let output = output.unwrap();
                    let text = String::from_utf8_lossy(&output.stderr);
                    assert!(output.status.success(), "{engine:?}: {text}");
                }
                assert_eq!(number(&database, "SELECT COUNT(*) FROM a").await, 3);
                assert_eq!(states(&database, COUNTED).await, "aaaa");
            })
        });
        stream::iter(rounds).buffer_unordered(2).collect::<()>().await;
    }
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
            run(&slow, report).await.unwrap().count
        }));
        has_begun.await.unwrap();
    }

    let mut waits = 0;
    let report = |event| waits += usize::from(matches!(event, Event::WaitingForLock { .. }));
    let impatient = migrator(&database, files)
        .limits(Limits { lock_timeout: Duration::from_secs(1), ..Limits::default() });
    let error = run(&impatient, report).await.unwrap_err();
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
