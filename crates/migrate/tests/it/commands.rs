//! The commands as a person calls them: through the library, and as the program.

use std::process::Command;

use clap::Parser as _;
use migrate::UpOptions;
use migrate::cli::{NOT_CURRENT, TOO_OLD, Verb, run};
use migrate::testing::{Engine, TestDatabase, with_database};

use crate::support::{Files, migrator, on_servers};

const FILES: Files<'_> = &[("0001_a.up.sql", "CREATE TABLE a (x INTEGER)")];

migrate::on_every_database! {
    up_and_status_print_what_they_did,
    a_test_s_database_is_empty_and_its_url_works,
}

#[derive(clap::Parser)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

/// Runs a command line.
async fn say(database: &TestDatabase, line: &str) -> (u8, String) {
    let words = std::iter::once("migrate").chain(line.split_whitespace());
    let Arguments { verb } = Arguments::parse_from(words);
    let mut out = anstream::StripStream::new(Vec::new());
    let code = run(&verb, &migrator(database, FILES), &mut out).await.unwrap();
    (code, String::from_utf8(out.into_inner()).unwrap())
}

async fn up_and_status_print_what_they_did(database: TestDatabase) {
    let (code, text) = say(&database, "status").await;
    assert_eq!(code, NOT_CURRENT);
    assert!(text.contains("1  a     pending") && text.ends_with("1 pending\n"), "{text}");

    let (code, text) = say(&database, "up --format text").await;
    assert_eq!(code, 0);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "applying  1_a  (1 of 1)", "{text}");
    assert_eq!(lines[1].trim(), "1 of 1, line 1: CREATE TABLE a (x INTEGER)", "{text}");
    assert!(lines[2].starts_with("applied   1_a  "), "{text}");
    assert!(text.contains("\n1 migration applied in "), "{text}");
    let (code, text) = say(&database, "up --format text").await;
    assert_eq!((code, text.as_str()), (0, "nothing to do: the database is up to date\n"));

    let (code, text) = say(&database, "status --json").await;
    assert_eq!(code, 0);
    let status: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(status["current"], true);
    assert_eq!(status["entries"][0]["state"], "applied");

    let newer = ("0002_b.up.sql", "-- migrate: min-version 2\nCREATE TABLE b (x INTEGER)");
    migrator(&database, &[FILES[0], newer]).up(UpOptions::default(), |_| {}).await.unwrap();
    assert_eq!(say(&database, "status").await.0, TOO_OLD);
}

async fn a_test_s_database_is_empty_and_its_url_works(database: TestDatabase) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILES[0].0), FILES[0].1).unwrap();
    let call = |verb: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_migrate"));
        command.env("DATABASE_URL", &database.url).arg("--source").arg(folder.path()).arg(verb);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(call("status").0, Some(i32::from(NOT_CURRENT)));
    let (code, text) = call("up");
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains('\u{1b}'), "no styles in a pipe: {text:?}");
    assert_eq!(call("status").0, Some(0));
}

#[tokio::test]
async fn a_decision_is_recorded_from_the_command_line() {
    on_servers(async |database| {
        let files: Files<'_> = &[
            ("0001_a.mysql.up.sql", "CREATE TABLE a (x INTEGER); DROP TABLE absent"),
            ("0001_a.sqlite.up.sql", "SELECT 1"),
        ];
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let call = |line: &str| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_migrate"));
            command.env("DATABASE_URL", &database.url).arg("--source").arg(folder.path());
            command.args(line.split_whitespace()).output().unwrap()
        };
        assert_eq!(call("up").status.code(), Some(40));
        assert_eq!(call("repair --reason looked").status.code(), Some(2));
        assert_eq!(call("repair --skip 1:2").status.code(), Some(2));
        let output = call("repair --skip 1:2 --reason looked --by ada");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(call("resume").status.success());
        assert!(call("status").status.success());
    })
    .await;
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..3_000 {
        let name = format!("{number:04}_a_name_that_is_rather_long_to_fill_the_pipe.up.sql");
        std::fs::write(folder.path().join(name), "SELECT 1").unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_migrate"));
    command.env("DATABASE_URL", format!("sqlite://{}/x.db", folder.path().display()));
    command.arg("--source").arg(folder.path()).arg("status");
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.is_empty(), "{text}");
}

#[test]
fn files_are_judged_and_made_without_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let call = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_migrate"));
        command.env_remove("DATABASE_URL").env_remove("GITHUB_ACTIONS");
        let output = command.arg("--source").arg(folder.path()).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, text) = call(&["create", "add users"]);
    assert_eq!(code, Some(0), "{text}");
    let files: Vec<&str> = text.lines().collect();
    assert!(files.len() == 2 && files[0].ends_with("_add_users.up.sql"), "{text}");
    std::fs::write(files[0], "CREATE TABLE u (id BIGINT NOT NULL PRIMARY KEY);\n").unwrap();
    std::fs::write(files[1], "DROP TABLE u;\n").unwrap();
    assert_eq!(call(&["lint"]).0, Some(0));

    std::fs::write(files[0], "ALTER TABLE t DROP COLUMN c;\n").unwrap();
    let (code, text) = call(&["lint"]);
    assert_eq!(code, Some(50), "{text}");
    assert!(text.contains("_add_users.up.sql:1: error BC01"), "{text}");
    let (_, json) = call(&["lint", "--format", "json"]);
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
    let (code, text) = call(&["lint", "--explain", "BC01"]);
    assert!(code == Some(0) && text.contains("ALTER TABLE"), "{text}");
}

#[test]
fn the_program_says_what_is_missing() {
    let call = |url: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_migrate"));
        command.env_remove("DATABASE_URL").args(["--source", "/nonexistent", "up"]);
        command.args(url.map(|url| format!("--database-url={url}")));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(call(None).contains("set DATABASE_URL"));
    assert!(call(Some("sqlite://x.db")).contains("/nonexistent cannot be read"));
    let error = call(Some("oracle://u:s3cret@h/d"));
    assert!(error.contains("must begin with") && !error.contains("s3cret"), "{error}");
}

#[tokio::test]
async fn a_test_s_database_is_removed_also_after_a_panic() {
    for engine in [Engine::Sqlite, Engine::MySql, Engine::MariaDb] {
        let (sender, receiver) = std::sync::mpsc::channel();
        let test = tokio::spawn(with_database(engine, async move |database: TestDatabase| {
            sender.send(database).unwrap();
            panic!("on purpose");
        }));
        let ended = test.await;
        let Ok(database) = receiver.recv() else {
            continue; // Skipped: no server.
        };
        assert!(ended.unwrap_err().is_panic());
        match &database.target {
            migrate::Target::Sqlite(options) => {
                assert!(!options.get_filename().parent().unwrap().exists());
            }
            migrate::Target::MySql(_) => {
                let error = migrator(&database, FILES).status().await.unwrap_err().to_string();
                assert!(error.contains("Unknown database"), "{error}");
            }
        }
    }
}
