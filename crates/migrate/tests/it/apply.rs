//! What a run does when nothing is in its way.

use migrate::testing::{Engine, TestDatabase};
use migrate::{Event, State, Target};

use crate::support::{Files, execute, migrator, number, run, states, status, tables, up};

const FILES: Files<'_> = &[
    (
        "0001_users.up.sql",
        "CREATE TABLE users (\n  id INTEGER NOT NULL PRIMARY KEY /*! AUTO_INCREMENT */,\n  \
         name VARCHAR(50) NOT NULL\n);\nINSERT INTO users (name) VALUES ('a;b');\n",
    ),
    ("0002_more.up.sql", "INSERT INTO users (name) SELECT name FROM users;\n-- the end\n"),
];

migrate::on_every_database! {
    migrations_are_applied_in_order_and_status_shows_them,
    a_second_run_does_nothing,
    what_is_new_is_applied_later,
    a_checkout_with_other_line_ends_is_the_same,
    a_database_newer_than_the_files_is_fine,
    status_creates_nothing,
    several_statements_and_their_results_are_run_to_the_end,
    the_dialect_s_own_file_is_applied,
}

async fn migrations_are_applied_in_order_and_status_shows_them(database: TestDatabase) {
    assert_eq!(states(&database, FILES).await, "pp");
    let mut events = Vec::new();
    let applied = run(&migrator(&database, FILES), |event| events.push(event)).await.unwrap();
    assert_eq!(applied.count, 2);
    let order: Vec<(char, i64, usize)> = events
        .iter()
        .map(|event| match event {
            Event::Applying { version, index, total, .. } => ('b', *version, index * 10 + total),
            Event::Applied { version, .. } => ('e', *version, 0),
            Event::Statement { version, number, total, .. } => ('s', *version, number * 10 + total),
            Event::StatementDone { version, number, .. } => ('d', *version, *number),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        order,
        [
            ('b', 1, 12),
            ('s', 1, 12),
            ('d', 1, 1),
            ('s', 1, 22),
            ('d', 1, 2),
            ('e', 1, 0),
            ('b', 2, 22),
            ('s', 2, 11),
            ('d', 2, 1),
            ('e', 2, 0)
        ]
    );
    assert_eq!(number(&database, "SELECT COUNT(*) FROM users").await, 2);

    let status = status(&database, FILES).await;
    assert!(status.is_current());
    assert_eq!(status.pending(), 0);
    let State::Applied { at_unix_micros, duration_ms } = status.entries[0].state else {
        panic!("{status:?}");
    };
    assert!(at_unix_micros > 1_700_000_000_000_000, "{at_unix_micros}");
    assert!(duration_ms < 60_000, "{duration_ms}");
}

async fn a_second_run_does_nothing(database: TestDatabase) {
    assert_eq!(up(&database, FILES).await, 2);
    let mut events = Vec::new();
    let applied = run(&migrator(&database, FILES), |event| events.push(event)).await.unwrap();
    assert_eq!(applied.count, 0);
    assert_eq!(events, [Event::UpToDate]);
    assert_eq!(number(&database, "SELECT COUNT(*) FROM users").await, 2);
}

async fn what_is_new_is_applied_later(database: TestDatabase) {
    assert_eq!(up(&database, &FILES[..1]).await, 1);
    assert_eq!(states(&database, FILES).await, "ap");
    assert_eq!(up(&database, FILES).await, 1);
    assert_eq!(states(&database, FILES).await, "aa");
}

async fn a_checkout_with_other_line_ends_is_the_same(database: TestDatabase) {
    up(&database, FILES).await;
    let texts: Vec<(&str, String)> = FILES
        .iter()
        .map(|(name, text)| (*name, format!("\u{feff}{}", text.replace('\n', "\r\n"))))
        .collect();
    let other: Vec<(&str, &str)> = texts.iter().map(|(n, t)| (*n, t.as_str())).collect();
    assert_eq!(states(&database, &other).await, "aa");
    assert_eq!(up(&database, &other).await, 0);
    // And it can be applied as it is.
    execute(&database, "DROP TABLE _migrations; DROP TABLE _migration_texts; DROP TABLE users")
        .await;
    assert_eq!(up(&database, &other).await, 2);
    assert_eq!(states(&database, FILES).await, "aa");
}

async fn a_database_newer_than_the_files_is_fine(database: TestDatabase) {
    up(&database, FILES).await;
    let older = &FILES[..1];
    assert_eq!(up(&database, older).await, 0);
    assert_eq!(states(&database, older).await, "au");
    let status = status(&database, older).await;
    assert!(status.is_current());
    assert_eq!(status.entries[1].name, "more");
}

async fn status_creates_nothing(database: TestDatabase) {
    assert_eq!(status(&database, FILES).await.pending(), 2);
    let Target::Sqlite(options) = &database.target else {
        assert_eq!(tables(&database, "_migrations").await, 0);
        return;
    };
    let file = options.get_filename();
    assert!(!file.exists());
    // Nor in a file that is there, whose journal mode stays as it is.
    std::fs::write(file, "").unwrap();
    assert_eq!(status(&database, FILES).await.pending(), 2);
    assert_eq!(std::fs::metadata(file).unwrap().len(), 0);
    assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
}

async fn several_statements_and_their_results_are_run_to_the_end(database: TestDatabase) {
    let files = &[(
        "1_a.up.sql",
        "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1), (2), (3); SELECT x FROM a; \
         SELECT x FROM a WHERE x > 5; INSERT INTO a SELECT x + 3 FROM a; -- a; comment\n\
         SELECT x FROM a;\n",
    )];
    assert_eq!(up(&database, files).await, 1);
    assert_eq!(number(&database, "SELECT COUNT(*) FROM a").await, 6);
}

async fn the_dialect_s_own_file_is_applied(database: TestDatabase) {
    let files = &[
        ("1_a.mysql.up.sql", "CREATE TABLE for_mysql (x INTEGER)"),
        ("1_a.sqlite.up.sql", "CREATE TABLE for_sqlite (x INTEGER)"),
    ];
    up(&database, files).await;
    let (mysql, sqlite) = if database.engine == Engine::Sqlite { (0, 1) } else { (1, 0) };
    assert_eq!(tables(&database, "for_mysql").await, mysql);
    assert_eq!(tables(&database, "for_sqlite").await, sqlite);
}
