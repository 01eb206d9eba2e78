//! What other tools left behind: their own programs migrate a database, and it is read afterwards.
//!
//! The programs are in the folder `TEST_PEERS`. Without it these tests print a line and pass, unless
//! `TEST_NO_SKIP` is set. Flyway is not among them, being Java: its table is made here as it makes
//! it.

use std::path::{Path, PathBuf};
use std::process::Command;

use migrate::adopt::{self, AdoptError, Adoption, History, Tool};
use migrate::testing::{Engine, TestDatabase, with_database};
use migrate::{MigrateError, Migrations, Target};
use tempfile::TempDir;

use crate::support::{Files, execute, migrator, number, run, tables};

const A: (&str, &str) = ("20210101000000_create_a.up.sql", "CREATE TABLE a (x INTEGER);\n");
const B: (&str, &str) = ("20210102000000_create_b.up.sql", "CREATE TABLE b (x INTEGER);\n");
const C: (&str, &str) = ("20210103000000_create_c.up.sql", "CREATE TABLE c (x INTEGER);\n");

const D: (&str, &str) = ("20210104000000_create_d.up.sql", "CREATE TABLE d (x INTEGER);\n");

const VERSION_A: i64 = 20_210_101_000_000;
const VERSION_B: i64 = 20_210_102_000_000;
const VERSION_C: i64 = 20_210_103_000_000;

migrate::on_every_database! {
    what_sqlx_applied_is_read,
    what_failed_under_sqlx_is_a_problem_where_it_was_not_rolled_back,
    checkouts_and_edits_are_told_apart_by_what_sqlx_recorded,
    what_dbmate_applied_is_read_also_from_another_table,
    what_flyway_applied_is_read,
    a_table_that_is_not_there_is_an_error_that_names_the_one_that_is,
    a_table_of_another_tool_is_an_error,
}

/// The program of another tool, or `None` to skip the test.
#[expect(clippy::print_stderr, reason = "the test harness shows it beside the test's name")]
fn peer(name: &str) -> Option<PathBuf> {
    let is_set = |variable| std::env::var_os(variable).filter(|value| !value.is_empty());
    let folder = is_set("TEST_PEERS");
    if folder.is_none() {
        assert!(
            is_set("TEST_NO_SKIP").is_none(),
            "TEST_PEERS is not set, and TEST_NO_SKIP forbids to skip the test: run dev/test, which \
             fetches {name}"
        );
        eprintln!("skipped: TEST_PEERS is not set (dev/test fetches {name})");
    }
    Some(PathBuf::from(folder?).join("bin").join(name))
}

/// A folder with these files.
fn folder(files: Files<'_>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Runs a program in a folder, and gives whether it succeeded and what it said.
fn call(program: &Path, folder: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(program);
    let output = command.current_dir(folder).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[track_caller]
fn succeeds((success, text): (bool, String)) {
    assert!(success, "{text}");
}

/// Lets sqlx-cli apply these files.
fn sqlx(program: &Path, database: &TestDatabase, files: Files<'_>) -> (bool, String) {
    let folder = folder(files);
    let url = format!("--database-url={}", database.url);
    succeeds(call(program, folder.path(), &["database", "create", "--no-dotenv", &url]));
    call(program, folder.path(), &["migrate", "run", "--no-dotenv", "--source", ".", &url])
}

/// Reads a history and compares it with these files. That nothing changes is looked at every time.
async fn read(database: &TestDatabase, history: impl Into<History>, files: Files<'_>) -> Adoption {
    let migrations = Migrations::embedded(files).unwrap();
    let before = all_tables(database).await;
    let adoption = adopt::read(&database.target, &migrations, &history.into()).await.unwrap();
    assert_eq!(all_tables(database).await, before);
    assert_eq!(tables(database, "_migrations").await, 0);
    adoption
}

async fn read_fails(database: &TestDatabase, history: impl Into<History>) -> AdoptError {
    let migrations = Migrations::embedded(&[A]).unwrap();
    adopt::read(&database.target, &migrations, &history.into()).await.unwrap_err()
}

async fn all_tables(database: &TestDatabase) -> i64 {
    let count = match &database.target {
        Target::MySql(_) => {
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()"
        }
        Target::Sqlite(_) => "SELECT COUNT(*) FROM sqlite_schema",
    };
    number(database, count).await
}

fn versions(adoption: &Adoption) -> Vec<i64> {
    adoption.applied.iter().map(|adopted| adopted.version).collect()
}

fn texts<T: ToString>(findings: &[T]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

/// Adopted these versions, and there is nothing to say.
#[track_caller]
fn assert_plain(adoption: &Adoption, adopted: &[i64]) {
    assert_eq!(texts(&adoption.notes), [""; 0]);
    assert_eq!(texts(&adoption.problems), [""; 0]);
    assert_eq!(versions(adoption), adopted);
}

/// Takes over what a tool applied, goes on with what it did not, and lets no one do that twice.
async fn goes_on(database: &TestDatabase, tool: Tool, files: Files<'_>, adopted: usize) {
    let adoption = read(database, tool, files).await;
    let migrator = migrator(database, files);
    assert_eq!(migrator.adopt(&adoption.applied, tool).await.unwrap(), adopted);
    let status = migrator.status().await.unwrap();
    assert_eq!(status.pending(), files.len() - adopted);
    assert_eq!(status.entries[0].origin, Some(tool.to_string()));
    let again = migrator.adopt(&adoption.applied, tool).await.unwrap_err();
    assert!(matches!(again, MigrateError::HasHistory { .. }), "{again}");
    assert_eq!(run(&migrator, |_| {}).await.unwrap().count, files.len() - adopted);
    assert!(migrator.status().await.unwrap().is_current());
}

async fn what_sqlx_applied_is_read(database: TestDatabase) {
    let Some(program) = peer("sqlx") else { return };
    succeeds(sqlx(&program, &database, &[A, C]));
    let adoption = read(&database, Tool::Sqlx, &[A, C]).await;
    assert_plain(&adoption, &[VERSION_A, VERSION_C]);
    assert_eq!(adoption.applied[0].name, "create_a");
    // The databases' clocks are this machine's, and their time zones are not trusted.
    let recorded = adoption.applied[0].applied_at.unwrap() / 1_000_000;
    let now = match &database.target {
        Target::MySql(_) => "SELECT UNIX_TIMESTAMP()",
        Target::Sqlite(_) => "SELECT CAST(strftime('%s', 'now') AS INTEGER)",
    };
    assert!((0..600).contains(&(number(&database, now).await - recorded)), "{recorded}");

    let adoption = read(&database, Tool::Sqlx, &[A, B, C]).await;
    assert_eq!(versions(&adoption), [VERSION_A, VERSION_C]);
    let notes = texts(&adoption.notes);
    assert!(notes.len() == 1 && notes[0].contains(B.0), "{notes:?}");

    let adoption = read(&database, Tool::Sqlx, &[A]).await;
    let problems = texts(&adoption.problems);
    assert!(
        problems.len() == 1 && problems[0].contains("20210103000000 (create c)"),
        "{problems:?}"
    );
    goes_on(&database, Tool::Sqlx, &[A, C, D], 2).await;
    assert_eq!(tables(&database, "d").await, 1);
}

async fn what_failed_under_sqlx_is_a_problem_where_it_was_not_rolled_back(database: TestDatabase) {
    let Some(program) = peer("sqlx") else { return };
    let files = &[A, (B.0, "CREATE TABLE b (x INTEGER); CREATE TABLE b (x INTEGER);")];
    let (success, text) = sqlx(&program, &database, files);
    assert!(!success, "{text}");
    let adoption = read(&database, Tool::Sqlx, files).await;
    assert_eq!(versions(&adoption), [VERSION_A]);
    let problems = texts(&adoption.problems);
    if database.engine == Engine::Sqlite {
        assert_eq!(problems, [""; 0]);
    } else {
        assert!(problems.len() == 1 && problems[0].contains("recorded as failed"), "{problems:?}");
    }
}

async fn checkouts_and_edits_are_told_apart_by_what_sqlx_recorded(database: TestDatabase) {
    let Some(program) = peer("sqlx") else { return };
    let on_windows = "CREATE TABLE a (\r\n  x INTEGER\r\n);\r\n";
    succeeds(sqlx(&program, &database, &[(A.0, on_windows)]));
    let here = on_windows.replace("\r\n", "\n");
    assert_plain(&read(&database, Tool::Sqlx, &[(A.0, &here)]).await, &[VERSION_A]);

    let edited = here.replace("INTEGER", "BIGINT");
    let adoption = read(&database, Tool::Sqlx, &[(A.0, &edited)]).await;
    assert_eq!(versions(&adoption), [VERSION_A]);
    let notes = texts(&adoption.notes);
    assert!(notes.len() == 1 && notes[0].contains("checksum differs"), "{notes:?}");
}

async fn what_dbmate_applied_is_read_also_from_another_table(database: TestDatabase) {
    let Some(program) = peer("dbmate") else { return };
    for table in ["schema_migrations", "applied_here"] {
        let text = |name: &str| {
            format!(
                "-- migrate:up\nCREATE TABLE {name}_{table} (x INTEGER);\n\n\
                 -- migrate:down\nDROP TABLE {name}_{table};\n"
            )
        };
        let (a, b) = (text("a"), text("b"));
        let files: Files<'_> =
            &[("20210101000000_create_a.sql", &a), ("20210102000000_create_b.sql", &b)];
        let folder = folder(files);
        let url = format!("--url={}", database.url);
        let kept_in = format!("--migrations-table={table}");
        let arguments = [&url, &kept_in, "--migrations-dir=.", "--no-dump-schema", "up"];
        succeeds(call(&program, folder.path(), &arguments));

        let history = History { tool: Tool::Dbmate, table: Some(table.to_owned()) };
        let adoption = read(&database, history, &[files[0], files[1], C]).await;
        assert_plain(&adoption, &[VERSION_A, VERSION_B]);
        assert_eq!(adoption.applied[0].applied_at, None);
    }
    assert_plain(&read(&database, Tool::Dbmate, &[A, B]).await, &[VERSION_A, VERSION_B]);
    goes_on(&database, Tool::Dbmate, &[A, B, D], 2).await;
}

#[tokio::test]
async fn what_sequelize_applied_is_read() {
    // Not on SQLite, for which it needs a package that is compiled while it is installed.
    for engine in [Engine::MySql, Engine::MariaDb] {
        with_database(engine, async |database| {
            let Some(program) = peer("sequelize-cli") else { return };
            let code = |table: &str| {
                format!(
                    "module.exports = {{\n  up: (query, types) =>\n    \
                     query.createTable('{table}', {{ x: types.INTEGER }}),\n  \
                     down: query => query.dropTable('{table}'),\n}};\n"
                )
            };
            let (a, b) = (code("a"), code("b"));
            let folder =
                folder(&[("20210101000000-create-a.js", &a), ("20210102000000-make-b.js", &b)]);
            let arguments = ["db:migrate", "--url", &database.url, "--migrations-path", "."];
            succeeds(call(&program, folder.path(), &arguments));

            let adoption = read(&database, Tool::Sequelize, &[A, B, C]).await;
            assert_eq!(versions(&adoption), [VERSION_A, VERSION_B]);
            assert_eq!(texts(&adoption.problems), [""; 0]);
            let notes = texts(&adoption.notes);
            assert!(notes.len() == 1 && notes[0].contains("20210102000000-make-b.js"), "{notes:?}");
            goes_on(&database, Tool::Sequelize, &[A, B, C], 2).await;
            assert_eq!(tables(&database, "c").await, 1);
        })
        .await;
    }
}

async fn what_flyway_applied_is_read(database: TestDatabase) {
    let text = "CREATE TABLE flyway_schema_history (\
                installed_rank INT NOT NULL PRIMARY KEY, version VARCHAR(50), \
                description VARCHAR(200) NOT NULL, type VARCHAR(20) NOT NULL, \
                script VARCHAR(1000) NOT NULL, checksum INT, installed_by VARCHAR(100) NOT NULL, \
                installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, \
                execution_time INT NOT NULL, success BOOLEAN NOT NULL)";
    execute(&database, text).await;
    // The second checksum is that of "SELECT 1;".
    let rows = "INSERT INTO flyway_schema_history \
                (installed_rank, version, description, type, script, checksum, installed_by, \
                 installed_on, execution_time, success) VALUES \
                (1, '1', '<< Flyway Baseline >>', 'BASELINE', '<< Flyway Baseline >>', NULL, \
                 'root', '2021-01-01 00:00:00', 0, 1), \
                (2, '2', 'create b', 'SQL', 'V2__create_b.sql', 78787420, 'root', \
                 '2021-01-02 00:00:00', 3, 1), \
                (3, '3', 'create c', 'SQL', 'V3__create_c.sql', 7, 'root', \
                 '2021-01-03 00:00:00', 3, 0)";
    execute(&database, rows).await;
    let files = &[
        ("1_create_a.up.sql", "SELECT 1;"),
        ("2_create_b.up.sql", "SELECT 1;\n"),
        ("3_create_c.up.sql", "SELECT 1;"),
    ];
    let adoption = read(&database, Tool::Flyway, files).await;
    assert_eq!(versions(&adoption), [1, 2]);
    assert_eq!(adoption.applied[1].applied_at, Some(1_609_545_600_000_000));
    let (notes, problems) = (texts(&adoption.notes), texts(&adoption.problems));
    assert!(notes.len() == 1 && notes[0].contains("up to version 1 counts"), "{notes:?}");
    assert!(problems.len() == 1 && problems[0].contains("3 (create c)"), "{problems:?}");
}

async fn a_table_that_is_not_there_is_an_error_that_names_the_one_that_is(database: TestDatabase) {
    let error = read_fails(&database, Tool::Sqlx).await;
    assert!(matches!(error, AdoptError::NoTable { .. }), "{error}");
    assert!(error.to_string().contains("no table _sqlx_migrations"), "{error}");
    if let Target::Sqlite(options) = &database.target {
        assert!(!options.get_filename().exists());
    }
    execute(&database, "CREATE TABLE SequelizeMeta (name VARCHAR(255) NOT NULL PRIMARY KEY)").await;
    let error = read_fails(&database, Tool::Sqlx).await.to_string();
    assert!(error.contains("sequelize (SequelizeMeta)"), "{error}");
}

async fn a_table_of_another_tool_is_an_error(database: TestDatabase) {
    // golang-migrate's: its single row is the newest version, whatever came before.
    let text =
        "CREATE TABLE schema_migrations (version BIGINT NOT NULL PRIMARY KEY, dirty BOOLEAN)";
    execute(&database, text).await;
    let error = read_fails(&database, Tool::Dbmate).await;
    assert!(matches!(error, AdoptError::OtherTable { .. }), "{error}");
    assert!(error.to_string().contains("the columns version, dirty"), "{error}");
    let history = History { tool: Tool::Dbmate, table: Some(String::new()) };
    assert!(matches!(read_fails(&database, history).await, AdoptError::TableName { .. }));
}
