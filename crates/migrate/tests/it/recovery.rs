//! The ways out after something went wrong on MySQL and MariaDB, where nothing is rolled back.

use std::time::{Duration, Instant};

use migrate::testing::TestDatabase;
use migrate::{
    Choice, Decision, DownOptions, Event, Limits, MigrateError, StepId, Target, UpOptions,
};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::support::{
    Files, execute, migrator, number, on_servers, run, soon, states, tables, up, up_fails,
};

const SQLITE: (&str, &str) = ("1_a.sqlite.up.sql", "SELECT 1");

fn decision() -> Decision {
    Decision { by: "ada".to_owned(), reason: "looked at it".to_owned() }
}

async fn repair(database: &TestDatabase, files: Files<'_>, step: &str, choice: Choice) {
    let step: StepId = step.parse().unwrap();
    migrator(database, files).repair(step, choice, decision()).await.unwrap();
}

#[tokio::test]
async fn the_rest_of_a_failed_file_is_corrected_and_run_again() {
    on_servers(async |database| {
        let broken: Files<'_> = &[
            ("1_a.mysql.up.sql", "CREATE TABLE a (x INTEGER);\nINSERT INTO a VALUES (1);\n\nCREATE TABLE b (x WRONG);\nCREATE TABLE c (x INTEGER)"),
            SQLITE,
        ];
        let error = up_fails(&database, broken).await;
        assert!(error.contains("at its statement 3 (line 4)"), "{error}");
        assert!(error.contains("CREATE TABLE b (x WRONG)"), "{error}");
        assert_eq!(states(&database, broken).await, "f");
        // The same again fails at the same place, and does nothing twice.
        up_fails(&database, broken).await;
        assert_eq!(number(&database, "SELECT COUNT(*) FROM a").await, 1);

        let fixed: Files<'_> = &[
            ("1_a.mysql.up.sql", "CREATE TABLE a (x INTEGER);\nINSERT INTO a VALUES (1);\n\nCREATE TABLE b (x INTEGER);\nCREATE TABLE c (y INTEGER)"),
            SQLITE,
        ];
        assert_eq!(up(&database, fixed).await, 1);
        assert_eq!(states(&database, fixed).await, "a");
        assert_eq!(number(&database, "SELECT COUNT(*) FROM a").await, 1);
        assert_eq!(tables(&database, "b").await + tables(&database, "c").await, 2);
        // What was applied is the corrected file.
        assert_eq!(states(&database, broken).await, "e");
        assert_eq!(number(&database, "SELECT COUNT(*) FROM _migration_steps").await, 0);
    })
    .await;
}

#[tokio::test]
async fn what_is_done_must_stay_as_it_was() {
    on_servers(async |database| {
        let broken: Files<'_> =
            &[("1_a.mysql.up.sql", "CREATE TABLE a (x INTEGER);\nCREATE TABLE b (x WRONG)"), SQLITE];
        up_fails(&database, broken).await;
        let other: Files<'_> = &[
            ("1_a.mysql.up.sql", "CREATE TABLE a (x BIGINT);\nCREATE TABLE b (x INTEGER)"),
            SQLITE,
        ];
        let error = run(&migrator(&database, other), |_| {}).await.unwrap_err();
        assert!(matches!(error, MigrateError::DonePartEdited { statement: 1, .. }), "{error}");
        assert_eq!(tables(&database, "b").await, 0);
        // A person may say that it is fine.
        repair(&database, other, "1:1", Choice::Accept).await;
        assert_eq!(up(&database, other).await, 1);
        assert_eq!(
            number(&database, "SELECT COUNT(*) FROM _migration_steps WHERE decided_by = 'ada' AND reason = 'looked at it'").await,
            1
        );
    })
    .await;
}

#[tokio::test]
async fn a_statement_is_skipped_or_accepted_by_a_person() {
    on_servers(async |database| {
        let files: Files<'_> = &[
            (
                "1_a.mysql.up.sql",
                "CREATE TABLE a (x INTEGER);\nDROP TABLE absent;\nCREATE TABLE b (x INTEGER)",
            ),
            SQLITE,
        ];
        up_fails(&database, files).await;
        repair(&database, files, "1:2", Choice::Skip).await;
        assert_eq!(up(&database, files).await, 1);
        assert_eq!(tables(&database, "b").await, 1);
        let step: StepId = "1:2".parse().unwrap();
        let again = migrator(&database, files).repair(step, Choice::Skip, decision()).await;
        assert!(again.unwrap_err().to_string().contains("is finished"));
    })
    .await;
}

#[tokio::test]
async fn settings_of_the_session_are_made_again_and_what_cannot_be_is_for_a_person() {
    on_servers(async |database| {
        let text = |last: &str, variable: &str| {
            format!(
                "CREATE TABLE a (x INTEGER);\nSET {variable};\nALTER TABLE a ADD COLUMN y INTEGER;\n{last}"
            )
        };
        let broken = text("INSERT INTO absent VALUES (@v)", "@v = 5");
        up_fails(&database, &[("1_a.mysql.up.sql", &broken), SQLITE]).await;
        let fixed = text("INSERT INTO a (x) VALUES (@v)", "@v = 5");
        assert_eq!(up(&database, &[("1_a.mysql.up.sql", &fixed), SQLITE]).await, 1);
        assert_eq!(number(&database, "SELECT MAX(x) FROM a").await, 5);
        execute(&database, "DROP TABLE a, _migrations, _migration_steps, _migration_texts").await;

        let broken = text("INSERT INTO absent VALUES (@v)", "@v = CONNECTION_ID()");
        up_fails(&database, &[("1_a.mysql.up.sql", &broken), SQLITE]).await;
        let fixed = text("INSERT INTO a (x) VALUES (@v)", "@v = CONNECTION_ID()");
        let files: Files<'_> = &[("1_a.mysql.up.sql", &fixed), SQLITE];
        let error = run(&migrator(&database, files), |_| {}).await.unwrap_err();
        assert!(matches!(error, MigrateError::SessionLost { statement: 2, .. }), "{error}");
        repair(&database, files, "1:2", Choice::Retry).await;
        assert_eq!(up(&database, files).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_killed_in_the_middle_of_a_statement_is_told_and_the_next_run_goes_on()
{
    on_servers(async |database| {
        let files: Files<'_> = &[
            ("1_a.mysql.up.sql", "CREATE TABLE a (x INTEGER);\nINSERT INTO a SELECT SLEEP(3);\nCREATE TABLE b (x INTEGER)"),
            SQLITE,
        ];
        let Target::MySql(options) = database.target.clone() else { unreachable!() };
        let killer = async {
            let mut connection = options.connect().await.unwrap();
            loop {
                let running: Option<(u64,)> = sqlx::query_as(
                    "SELECT CAST(id AS UNSIGNED) FROM information_schema.processlist \
                     WHERE db = DATABASE() AND info LIKE 'INSERT INTO a%'",
                )
                .fetch_optional(&mut connection)
                .await
                .unwrap();
                if let Some((id,)) = running {
                    let kill = sqlx::AssertSqlSafe(format!("KILL {id}"));
                    sqlx::raw_sql(kill).execute(&mut connection).await.unwrap();
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            connection.close().await.unwrap();
        };
        let runner = migrator(&database, files);
        let (result, ()) = tokio::join!(run(&runner, |_| {}), killer);
        let error = result.unwrap_err();
        assert!(matches!(error, MigrateError::ConnectionLost { statement: 2, .. }), "{error:?}");
        assert_eq!(up(&database, files).await, 1);
        assert_eq!(number(&database, "SELECT COUNT(*) FROM a").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_table_in_use_is_left_to_its_readers_and_altered_later() {
    on_servers(async |database| {
        let a: (&str, &str) = ("1_a.up.sql", "CREATE TABLE a (x INTEGER)");
        up(&database, &[a]).await;
        let Target::MySql(options) = database.target.clone() else { unreachable!() };
        // A transaction that has read the table, and then does nothing.
        let mut idle = options.clone().connect().await.unwrap();
        sqlx::raw_sql("START TRANSACTION; SELECT * FROM a").fetch_all(&mut idle).await.unwrap();

        let limits = Limits { lock_wait_timeout: Duration::from_secs(1), ..Limits::default() };
        let alter = migrator(&database, &[a, ("2_b.up.sql", "ALTER TABLE a ADD COLUMN y INTEGER")]);
        let alter = alter.limits(limits);
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let runner = tokio::spawn(async move {
            let report = move |event| {
                if let Event::Retrying { .. } = event {
                    let _ = tell.send(());
                }
            };
            run(&alter, report).await
        });
        // Readers get through again and again while the runner waits.
        let mut reader = options.connect().await.unwrap();
        soon("the ALTER gives up waiting for the table", told.recv()).await.unwrap();
        let started = Instant::now();
        let read = sqlx::raw_sql("SELECT * FROM a").fetch_all(&mut reader);
        soon("a reader gets through", read).await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
        idle.close().await.unwrap();
        let ran = soon("the ALTER runs once the table is free", runner).await.unwrap();
        assert_eq!(ran.unwrap().count, 1);
        reader.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_table_that_stays_in_use_is_given_up_with_the_one_who_uses_it() {
    on_servers(async |database| {
        let a: (&str, &str) = ("1_a.up.sql", "CREATE TABLE a (x INTEGER)");
        up(&database, &[a]).await;
        let Target::MySql(options) = database.target.clone() else { unreachable!() };
        let mut idle = options.connect().await.unwrap();
        sqlx::raw_sql("START TRANSACTION; INSERT INTO a VALUES (1)")
            .execute(&mut idle)
            .await
            .unwrap();
        let (id,): (u64,) = sqlx::query_as("SELECT CAST(CONNECTION_ID() AS UNSIGNED)")
            .fetch_one(&mut idle)
            .await
            .unwrap();
        let limits = Limits { lock_wait_timeout: Duration::from_secs(1), ..Limits::default() };
        let files: Files<'_> = &[a, ("2_b.up.sql", "ALTER TABLE a ADD COLUMN y INTEGER")];
        let runner = migrator(&database, files).limits(limits);
        let ran = soon("the ALTER gives up", run(&runner, |_| {})).await;
        let text = ran.unwrap_err().to_string();
        assert!(text.contains("(1205)") && text.contains(&format!("connection {id} ")), "{text}");
        idle.close().await.unwrap();
        assert_eq!(up(&database, files).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended_on_the_server() {
    on_servers(async |database| {
        let files: Files<'_> = &[
            (
                "1_a.mysql.up.sql",
                "CREATE TABLE a (x BIGINT);\nINSERT INTO a SELECT COUNT(*) FROM \
             information_schema.collations a, information_schema.collations b, \
             information_schema.collations c, information_schema.collations d WHERE a.id > b.id",
            ),
            SQLITE,
        ];
        let limits =
            Limits { statement_timeout: Some(Duration::from_secs(1)), ..Limits::default() };
        let started = Instant::now();
        let error = run(&migrator(&database, files).limits(limits), |_| {}).await.unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
        assert!(error.to_string().contains("--statement-timeout"), "{error}");
        let running = "SELECT COUNT(*) FROM information_schema.processlist \
                       WHERE db = DATABASE() AND info LIKE 'INSERT INTO a%'";
        assert_eq!(number(&database, running).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_statement_that_takes_long_is_told_about_while_it_runs() {
    on_servers(async |database| {
        let files: Files<'_> =
            &[("1_a.mysql.up.sql", "CREATE TABLE a (x INTEGER);\nSELECT SLEEP(7)"), SQLITE];
        let mut told = Vec::new();
        let report = |event| {
            if let Event::Running { elapsed, .. } = event {
                told.push(elapsed.as_secs());
            }
        };
        run(&migrator(&database, files), report).await.unwrap();
        assert_eq!(told, [5]);
    })
    .await;
}

#[tokio::test]
async fn a_copy_of_a_table_needs_somebody_s_word() {
    on_servers(async |database| {
        let a = ("1_a.up.sql", "CREATE TABLE a (x INTEGER)");
        let alter = "ALTER TABLE a MODIFY COLUMN x VARCHAR(20)";
        let files: &[(&str, &str)] =
            &[a, ("2_b.mysql.up.sql", alter), ("2_b.sqlite.up.sql", "SELECT 1")];
        let error = up_fails(&database, files).await;
        assert!(error.contains("allow=copy"), "{error}");
        let allowed = format!("-- migrate: allow=copy reason=\"it is empty\"\n{alter}");
        let files: Files<'_> =
            &[a, ("2_b.mysql.up.sql", &allowed), ("2_b.sqlite.up.sql", "SELECT 1")];
        assert_eq!(up(&database, files).await, 1);
    })
    .await;
}

#[tokio::test]
async fn somebody_without_the_rights_is_told_so_and_changes_nothing() {
    on_servers(async |database| {
        let Target::MySql(options) = &database.target else { unreachable!() };
        let name = options.get_database().unwrap().to_owned();
        let user: String = format!("u{}", name.rsplit('_').next().unwrap());
        execute(&database, &format!("CREATE USER '{user}'@'127.0.0.1' IDENTIFIED BY 's3cret'"))
            .await;
        execute(&database, &format!("GRANT SELECT ON `{name}`.* TO '{user}'@'127.0.0.1'")).await;
        let restricted = Target::MySql(options.clone().username(&user).password("s3cret"));
        let files: Files<'_> = &[("1_a.up.sql", "CREATE TABLE a (x INTEGER)")];
        let migrations = migrate::Migrations::embedded(files).unwrap();
        let error = run(&migrate::Migrator::new(migrations, restricted), |_| {}).await.unwrap_err();
        execute(&database, &format!("DROP USER '{user}'@'127.0.0.1'")).await;
        let text = error.to_string();
        assert!(text.contains("CREATE command denied") && !text.contains("s3cret"), "{text}");
        assert_eq!(tables(&database, "_migrations").await, 0);
    })
    .await;
}

#[tokio::test]
async fn an_interrupted_way_back_is_finished_by_resume() {
    on_servers(async |database| {
        let down = |text: &'static str| {
            [
                ("1_a.up.sql", "CREATE TABLE a (x INTEGER);\nCREATE TABLE b (x INTEGER)"),
                ("1_a.down.sql", text),
            ]
        };
        let broken = down("DROP TABLE b;\nDROP TABLE absent;\nDROP TABLE a");
        up(&database, &broken).await;
        let back = migrator(&database, &broken).down(DownOptions::Steps(1), |_| {}).await;
        assert!(matches!(back, Err(MigrateError::Failed { statement: 2, .. })));
        assert_eq!(states(&database, &broken).await, "d");
        let error = run(&migrator(&database, &broken), |_| {}).await.unwrap_err();
        assert!(matches!(error, MigrateError::UndoUnfinished { version: 1, .. }), "{error}");
        let fixed = down("DROP TABLE b;\nDROP TABLE a");
        let rest = migrator(&database, &fixed).resume(UpOptions::default(), |_| {}).await.unwrap();
        assert_eq!(rest.count, 1);
        assert_eq!(states(&database, &fixed).await, "p");
        assert_eq!(tables(&database, "a").await, 0);
        assert_eq!(number(&database, "SELECT COUNT(*) FROM _migration_steps").await, 0);
    })
    .await;
}
