//! What only SQLite needs: its transaction around a whole file, and foreign keys checked at the
//! end of it.

use migrate::testing::{Engine, TestDatabase, with_database};
use migrate::{Cause, Event, MigrateError, Migrations, Migrator, Target};

use crate::support::{Files, migrator, number, run, states, tables, up};

const TREE: (&str, &str) = (
    "1_tree.up.sql",
    "CREATE TABLE parent (id INTEGER PRIMARY KEY);
     CREATE TABLE child (parent INTEGER NOT NULL REFERENCES parent (id) ON DELETE CASCADE);
     INSERT INTO parent VALUES (1), (2);
     INSERT INTO child VALUES (1), (2);",
);

async fn on_sqlite<Fut: Future<Output = ()>>(test: impl FnOnce(TestDatabase) -> Fut) {
    with_database(Engine::Sqlite, test).await;
}

#[tokio::test]
async fn rebuilding_a_table_does_not_delete_what_refers_to_it() {
    on_sqlite(async |database| {
        let rebuild = (
            "2_rebuild.up.sql",
            "CREATE TABLE new_parent (id INTEGER PRIMARY KEY, name TEXT);
             INSERT INTO new_parent (id) SELECT id FROM parent;
             DROP TABLE parent;
             ALTER TABLE new_parent RENAME TO parent;",
        );
        assert_eq!(up(&database, &[TREE, rebuild]).await, 2);
        assert_eq!(number(&database, "SELECT COUNT(*) FROM child").await, 2);
    })
    .await;
}

#[tokio::test]
async fn rows_that_refer_to_nothing_roll_the_migration_back() {
    on_sqlite(async |database| {
        let files = &[TREE, ("2_cut.up.sql", "DELETE FROM parent WHERE id = 1")];
        let error = run(&migrator(&database, files), |_| {}).await.unwrap_err();
        assert!(matches!(error, MigrateError::ForeignKeys { .. }), "{error}");
        assert!(error.to_string().contains("child -> parent"), "{error}");
        assert_eq!(number(&database, "SELECT COUNT(*) FROM parent").await, 2);
        assert_eq!(states(&database, files).await, "ap");
    })
    .await;
}

#[tokio::test]
async fn the_runner_s_transaction_is_not_ended_by_a_file() {
    on_sqlite(async |database| {
        let files: Files<'_> = &[(
            "1_a.up.sql",
            "BEGIN; CREATE TABLE a (x INTEGER); COMMIT; CREATE TABLE b (x INTEGER); SELECT y",
        )];
        let error = run(&migrator(&database, files), |_| {}).await.unwrap_err();
        assert!(matches!(error, MigrateError::Failed { undone: true, .. }), "{error}");
        assert_eq!(tables(&database, "a").await + tables(&database, "b").await, 0);
        for end in ["ROLLBACK", "SAVEPOINT s"] {
            let text = format!("CREATE TABLE a (x INTEGER);\n{end}");
            let files = [("1_a.up.sql", text.as_str())];
            let error = run(&migrator(&database, &files), |_| {}).await.unwrap_err();
            assert!(matches!(error, MigrateError::Script { line: 2, .. }), "{error}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_first_migration_that_fails_leaves_an_empty_database() {
    on_sqlite(async |database| {
        let files = &[("1_a.up.sql", "CREATE TABLE a (x INTEGER); SELECT y")];
        let error = run(&migrator(&database, files), |_| {}).await.unwrap_err();
        assert!(matches!(error, MigrateError::Failed { undone: true, .. }), "{error}");
        assert_eq!(number(&database, "SELECT COUNT(*) FROM sqlite_schema").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_disk_that_is_full_rolls_the_migration_back() {
    on_sqlite(async |database| {
        let fill = "PRAGMA max_page_count = 20; CREATE TABLE b (x TEXT); INSERT INTO b WITH \
                    RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) \
                    SELECT 'some text' FROM n";
        let files = &[TREE, ("2_fill.up.sql", fill)];
        let error = run(&migrator(&database, files), |_| {}).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, MigrateError::Failed { cause: Cause::NoSpace, .. }), "{error:?}");
        for part in ["disk is full", "rolled back", "make space"] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(tables(&database, "b").await, 0);
        assert_eq!(states(&database, files).await, "ap");
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_alone_and_told_from_a_missing_folder() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.db");
    let text = "Not a database, but somebody's notes. ".repeat(40);
    std::fs::write(&other, &text).unwrap();
    let error = async |path: &std::path::Path| {
        let target = Target::parse(&format!("sqlite://{}", path.display())).unwrap();
        let files = Migrations::embedded(&[("1_a.up.sql", "CREATE TABLE a (x INTEGER)")]).unwrap();
        run(&Migrator::new(files, target), |_| {}).await.unwrap_err().to_string()
    };
    let found = error(&other).await;
    assert!(found.contains("Check the path: it is another kind of file"), "{found}");
    assert_eq!(std::fs::read_to_string(&other).unwrap(), text);
    let found = error(&folder.path().join("none/a.db")).await;
    assert!(found.contains("Check that its folder exists"), "{found}");
    assert!(!found.contains("password"), "{found}");
}

#[tokio::test]
async fn only_statements_about_rows_tell_of_rows() {
    with_database(Engine::Sqlite, async |database: TestDatabase| {
        let files = &[(
            "1_a.up.sql",
            "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1), (2);
             CREATE TABLE b (x INTEGER);",
        )];
        let mut rows = Vec::new();
        let tell = |event| {
            if let Event::StatementDone { rows: found, .. } = event {
                rows.push(found);
            }
        };
        run(&migrator(&database, files), tell).await.unwrap();
        assert_eq!(rows, [0, 2, 0]);
    })
    .await;
}
