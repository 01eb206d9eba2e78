//! Starting on a database that is there already, and seeing whether migrations are sound.

use std::process::Command;

use migrate::scratch::trial;
use migrate::testing::TestDatabase;
use migrate::{MigrateError, Migrations, State};

use crate::support::{Files, execute, migrator, number, run, states, status, tables, up};

const A: (&str, &str) = ("1_a.up.sql", "CREATE TABLE a (x INTEGER)");
const A_DOWN: (&str, &str) = ("1_a.down.sql", "DROP TABLE a");
const B: (&str, &str) = ("2_b.up.sql", "CREATE TABLE b (x INTEGER)");
const B_DOWN: (&str, &str) = ("2_b.down.sql", "DROP TABLE b");

migrate::on_every_database! {
    a_database_that_is_there_already_is_gone_on_with,
    what_is_edited_or_unfinished_does_not_verify,
    migrations_that_do_not_undo_what_they_did_are_found_out,
    a_trial_leaves_nothing_behind,
    the_program_becomes_another_one_once_all_is_applied,
    a_large_statement_and_bodies_with_delimiters_run,
}

async fn a_database_that_is_there_already_is_gone_on_with(database: TestDatabase) {
    execute(&database, A.1).await;
    let unknown = migrator(&database, &[A, B]).baseline(7).await.unwrap_err();
    assert!(matches!(unknown, MigrateError::NoSuchVersion { version: 7 }), "{unknown}");
    assert_eq!(migrator(&database, &[A, B]).baseline(1).await.unwrap(), 1);
    assert_eq!(states(&database, &[A, B]).await, "ap");
    let entry = status(&database, &[A, B]).await.entries.remove(0);
    assert_eq!(entry.origin.as_deref(), Some("baseline"));
    assert!(matches!(entry.state, State::Applied { duration_ms: 0, .. }));
    assert_eq!(up(&database, &[A, B]).await, 1);
    let again = migrator(&database, &[A, B]).baseline(1).await.unwrap_err();
    assert!(matches!(again, MigrateError::HasHistory { version: 1, .. }), "{again}");
}

async fn what_is_edited_or_unfinished_does_not_verify(database: TestDatabase) {
    up(&database, &[A, B]).await;
    assert_eq!(migrator(&database, &[A, B]).verify().await.unwrap(), [""; 0]);
    let edited = (A.0, "CREATE TABLE a (x BIGINT)");
    let found = migrator(&database, &[edited, B]).verify().await.unwrap();
    assert!(found.len() == 1 && found[0].contains("+CREATE TABLE a (x BIGINT)"), "{found:?}");
    execute(&database, "UPDATE _migrations SET finished_at = NULL WHERE version = 2").await;
    let found = migrator(&database, &[A, B]).verify().await.unwrap();
    assert!(found.len() == 1 && found[0].contains("2_b was begun"), "{found:?}");
}

async fn migrations_that_do_not_undo_what_they_did_are_found_out(database: TestDatabase) {
    let sound = Migrations::embedded(&[A, A_DOWN, B, B_DOWN]).unwrap();
    let found = trial(&database.target, &sound).await.unwrap();
    assert_eq!((found.applied, found.taken_back, found.problems.len()), (2, 2, 0), "{found:?}");
    assert!(found.schema.contains("CREATE TABLE"), "{}", found.schema);

    let forgets = ("2_b.down.sql", "SELECT 1");
    let create = ("2_b.up.sql", "CREATE TABLE IF NOT EXISTS b (x INTEGER)");
    let unsound = Migrations::embedded(&[A, A_DOWN, create, forgets]).unwrap();
    let found = trial(&database.target, &unsound).await.unwrap();
    assert!(found.problems.len() == 1 && found.problems[0].contains("is left"), "{found:?}");

    let no_way_back = Migrations::embedded(&[A, B, B_DOWN]).unwrap();
    let found = trial(&database.target, &no_way_back).await.unwrap();
    assert_eq!((found.applied, found.taken_back, found.problems.len()), (2, 1, 0), "{found:?}");
}

async fn a_trial_leaves_nothing_behind(database: TestDatabase) {
    up(&database, &[A]).await;
    let broken = Migrations::embedded(&[A, ("2_b.up.sql", "CREATE TABLE b (x INTEGER); SELECT y")]);
    trial(&database.target, &broken.unwrap()).await.unwrap_err();
    trial(&database.target, &Migrations::embedded(&[A, B]).unwrap()).await.unwrap();
    assert_eq!(tables(&database, "b").await, 0);
    if let migrate::Target::MySql(options) = &database.target {
        let name = options.get_database().unwrap();
        let scratch: String = name.chars().take(40).collect();
        let left = format!(
            "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name LIKE '{scratch}_scratch%'"
        );
        assert_eq!(number(&database, &left).await, 0);
    }
}

async fn the_program_becomes_another_one_once_all_is_applied(database: TestDatabase) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(A.0), A.1).unwrap();
    let call = |url: &str, program: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_migrate"));
        command.env("DATABASE_URL", url).arg("--source").arg(folder.path());
        let child = command.args(["up", "--format", "text", "--exec", "--"]).args(program);
        let child = child.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let child = child.spawn().unwrap();
        let id = child.id();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (id, output.status.code(), text, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (id, code, text, _) = call(&database.url, &["sh", "-c", "echo I am $$; exit 7"]);
    assert_eq!(code, Some(7), "{text}");
    assert!(text.ends_with(&format!("I am {id}\n")), "{text}");
    assert_eq!(tables(&database, "a").await, 1);

    let (_, code, _, error) = call(&database.url, &["/absent/program"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("/absent/program"), "{error}");
    // Nothing is started when migrating fails.
    let (_, code, text, _) = call("mysql://root@127.0.0.1:1/none", &["sh", "-c", "echo started"]);
    assert_eq!((code, text.as_str()), (Some(20), ""));
}

async fn a_large_statement_and_bodies_with_delimiters_run(database: TestDatabase) {
    let row = format!("('{}')", "x;".repeat(500));
    let rows = vec![row; 2_100].join(",\n");
    let large = format!("CREATE TABLE t (x TEXT);\nINSERT INTO t VALUES {rows};\n");
    assert!(large.len() > 2 * 1024 * 1024);
    let files: Files<'_> = &[
        ("1_large.up.sql", &large),
        (
            "2_code.mysql.up.sql",
            "CREATE TABLE log (n INTEGER);\n\
             CREATE TRIGGER t_log AFTER INSERT ON t FOR EACH ROW BEGIN\n  IF NEW.x <> '' THEN\n    \
             INSERT INTO log VALUES (1);\n  END IF;\n  INSERT INTO log VALUES (2);\nEND;\n\
             DELIMITER //\nCREATE PROCEDURE p()\nBEGIN\n  INSERT INTO log VALUES (3);\n  INSERT \
             INTO log VALUES (4);\nEND//\nDELIMITER ;\nCALL p();\nINSERT INTO t VALUES ('y');\n",
        ),
        (
            "2_code.sqlite.up.sql",
            "CREATE TABLE log (n INTEGER);\nCREATE TRIGGER t_log AFTER INSERT ON t BEGIN\n  INSERT \
             INTO log VALUES (1);\n  INSERT INTO log VALUES (2);\nEND;\nINSERT INTO log VALUES (3), \
             (4);\nINSERT INTO t VALUES ('y');\n",
        ),
    ];
    run(&migrator(&database, files), |_| {}).await.unwrap();
    assert_eq!(number(&database, "SELECT COUNT(*) FROM t").await, 2_101);
    let sum = "SELECT COUNT(*) FROM log WHERE n IN (1, 2, 3, 4)";
    assert_eq!(number(&database, sum).await, 4);
}
