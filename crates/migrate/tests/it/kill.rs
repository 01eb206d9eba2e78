//! Runners that are killed outright, at every point at which that can make a difference. Whatever
//! they leave, running again brings the database to where it would be without the kill.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use futures_util::stream::{self, StreamExt as _};
use migrate::testing::{Engine, TestDatabase, with_database};
use sqlx::mysql::MySqlConnectOptions;

use crate::proxy::Proxy;
use crate::support::{Files, Seen, number, on_servers, seen, until_running};

/// Every kind of statement, and every way in which one can be in doubt.
const FILES: Files<'_> = &[
    (
        "1_tables.up.sql",
        "CREATE TABLE a (id INTEGER NOT NULL PRIMARY KEY, x INTEGER);\n\
         CREATE TABLE b (id INTEGER NOT NULL PRIMARY KEY, a_id INTEGER NOT NULL REFERENCES a (id));\n",
    ),
    ("2_rows.up.sql", "INSERT INTO a VALUES (1, 1);\nUPDATE a SET x = x + 1;\n"),
    (
        "3_all.mysql.up.sql",
        "SET @one = 1;\n\
         ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 0;\n\
         UPDATE a SET y = y + @one;\n\
         CREATE INDEX a_x ON a (x);\n\
         -- migrate: allow=copy reason=\"a few rows\"\n\
         ALTER TABLE a MODIFY COLUMN x BIGINT;\n\
         CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.y = NEW.x;\n\
         INSERT INTO a (id, x) SELECT MAX(id) + 1, 7 FROM a;\n\
         CREATE VIEW v AS SELECT x FROM a;\n\
         ALTER TABLE b RENAME TO c;\n\
         DROP TABLE c;\n\
         SELECT * FROM v;\n",
    ),
    ("3_all.sqlite.up.sql", "SELECT 1"),
];

fn write(folder: &Path, files: Files<'_>) {
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

fn runner(folder: &Path, url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_migrate"));
    command.env("DATABASE_URL", url).arg("--source").arg(folder).args(["up", "--format", "json"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs to the end, which must be a good one.
async fn succeeds(folder: &Path, url: &str) {
    let mut runner = runner(folder, url);
    let output = blocking(move || runner.output().unwrap()).await;
    let (out, error) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{error}");
}

/// Off the thread that serves the other tests of this kind.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// The database's URL through a proxy, which reads the packets and so needs them in the clear.
fn through(proxy: &Proxy, database: &TestDatabase) -> String {
    let (_, name) = database.url.rsplit_once('/').unwrap();
    let name = name.split('?').next().unwrap();
    format!("mysql://root@127.0.0.1:{}/{name}?ssl-mode=disabled", proxy.port)
}

fn options_of(database: &TestDatabase) -> &MySqlConnectOptions {
    let migrate::Target::MySql(options) = &database.target else { panic!("no server") };
    options
}

fn server_of(database: &TestDatabase) -> String {
    let options = options_of(database);
    format!("{}:{}", options.get_host(), options.get_port())
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Runs through a proxy, and kills the runner when the server has carried out so many commands and
/// the runner does not know of the last: the server can't tell a kill before that from one after
/// it, so that these are all the states there are. `false` if it came to its end before.
async fn killed_at(halt: usize, folder: &Path, database: &TestDatabase) -> bool {
    let proxy = Proxy::start(&server_of(database), Some(halt));
    let mut runner = runner(folder, &through(&proxy, database));
    blocking(move || {
        let mut child = runner.spawn().unwrap();
        // The pipe is read, so that the runner never waits for us.
        let out = child.stdout.take().unwrap();
        std::thread::spawn(move || BufReader::new(out).lines().for_each(drop));
        let reached = proxy.wait();
        kill(child);
        reached
    })
    .await
}

/// What a run without a kill sends and leaves; `None` where there is no server.
async fn undisturbed(engine: Engine, folder: &Path) -> Option<(Vec<String>, Seen)> {
    let mut result = None;
    with_database(engine, async |database: TestDatabase| {
        let proxy = Proxy::start(&server_of(&database), None);
        succeeds(folder, &through(&proxy, &database)).await;
        result = Some((proxy.texts(), seen(options_of(&database)).await));
    })
    .await;
    result
}

/// Kills a runner at each of these series of points in a database of its own, runs to the end, and
/// compares with what `expected` says.
async fn kill_and_compare(
    engine: Engine,
    folder: &Path,
    expected: &Seen,
    series: impl Iterator<Item = Vec<usize>>,
) {
    let kills = series.map(|halts| async move {
        with_database(engine, async |database: TestDatabase| {
            for halt in &halts {
                assert!(killed_at(*halt, folder, &database).await, "{engine:?} {halts:?}");
            }
            succeeds(folder, &database.url).await;
            assert_eq!(&seen(options_of(&database)).await, expected, "{engine:?} {halts:?}");
        })
        .await;
    });
    stream::iter(kills).buffer_unordered(6).collect::<()>().await;
}

async fn killed_at_every_point(engine: Engine, files: Files<'_>) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), files);
    let Some((texts, expected)) = undisturbed(engine, folder.path()).await else { return };
    assert!(texts.len() > 30, "{texts:?}");
    // All but the farewell, which has no answer.
    let series = (1..texts.len()).map(|halt| vec![halt]);
    kill_and_compare(engine, folder.path(), &expected, series).await;
}

#[tokio::test]
async fn killed_at_every_point_the_next_run_ends_as_if_nothing_had_been_on_mysql() {
    killed_at_every_point(Engine::MySql, FILES).await;
}

#[tokio::test]
async fn killed_at_every_point_the_next_run_ends_as_if_nothing_had_been_on_mariadb() {
    killed_at_every_point(Engine::MariaDb, FILES).await;
}

#[tokio::test]
async fn killed_at_every_point_while_sequences_are_made_and_dropped_on_mariadb() {
    let files: Files<'_> = &[
        (
            "1_a.mysql.up.sql",
            "CREATE SEQUENCE a START WITH 5;\nCREATE SEQUENCE b;\nALTER SEQUENCE a INCREMENT BY 2;\n\
             (SELECT 1) UNION (SELECT 2);\nDROP SEQUENCE b;\n",
        ),
        ("1_a.sqlite.up.sql", "SELECT 1"),
    ];
    killed_at_every_point(Engine::MariaDb, files).await;
}

/// Statements after which everything looks as it did before: again, they would take rows that were
/// written in between, or change places once more.
#[tokio::test]
async fn killed_at_every_point_what_leaves_no_trace_never_happens_twice() {
    let prepare = "CREATE TABLE a (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 1;\n\
         CREATE TABLE b (id INT PRIMARY KEY);\nCREATE TABLE c (id INT PRIMARY KEY);\n\
         CREATE FUNCTION f() RETURNS INT MODIFIES SQL DATA\n\
         BEGIN INSERT INTO c SELECT COUNT(*) FROM c; RETURN 1; END;\n";
    let rows = "INSERT INTO a VALUES (1);\nINSERT INTO b VALUES (1), (2);\n";
    for (unseen, done) in [
        ("TRUNCATE TABLE b;", "0"),
        ("RENAME TABLE b TO t, c TO b, t TO c;", "0"),
        ("ALTER TABLE a EXCHANGE PARTITION p0 WITH TABLE b;", "1"),
        ("SELECT f();", "nobody is asked"),
    ] {
        let files = [
            ("1_tables.mysql.up.sql", prepare),
            ("1_tables.sqlite.up.sql", "SELECT 1"),
            ("2_rows.mysql.up.sql", rows),
            ("2_rows.sqlite.up.sql", "SELECT 1"),
            ("3_unseen.mysql.up.sql", unseen),
            ("3_unseen.sqlite.up.sql", "SELECT 1"),
        ];
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &files);
        for engine in [Engine::MySql, Engine::MariaDb] {
            let Some((texts, expected)) = undisturbed(engine, folder.path()).await else {
                continue;
            };
            let at = texts
                .iter()
                .position(|text| text.starts_with(unseen.trim_end_matches(';')))
                .unwrap();
            let kills = (at - 2..at + 3).map(|halt| {
                let (folder, expected) = (folder.path(), &expected);
                with_database(engine, async move |database: TestDatabase| {
                    assert!(killed_at(halt, folder, &database).await);
                    decide(folder, &database, done).await;
                    let mut seen = seen(options_of(&database)).await;
                    // Where a decision stays on record.
                    seen.insert(
                        "_migration_steps".to_owned(),
                        expected["_migration_steps"].clone(),
                    );
                    assert_eq!(&seen, expected, "{unseen} {halt}");
                })
            });
            stream::iter(kills).buffer_unordered(6).collect::<()>().await;
        }
    }
}

/// Runs to the end. Where the runner asks, answers as a person who looks at the rows of `b` would:
/// so many are there if the statement took effect.
async fn decide(folder: &Path, database: &TestDatabase, done: &str) {
    let mut up = runner(folder, &database.url);
    let output = blocking(move || up.output().unwrap()).await;
    if output.status.code() == Some(41) {
        let count = number(database, "SELECT COUNT(*) FROM b").await.to_string();
        let answer = if count == done { "--accept" } else { "--retry" };
        let mut repair = Command::new(env!("CARGO_BIN_EXE_migrate"));
        repair.env("DATABASE_URL", &database.url).arg("--source").arg(folder);
        repair.args(["repair", answer, "3:1", "--reason", "looked at the rows"]);
        let repaired = blocking(move || repair.output().unwrap()).await;
        assert!(repaired.status.success(), "{}", String::from_utf8_lossy(&repaired.stderr));
        succeeds(folder, &database.url).await;
    } else {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test]
async fn killed_again_while_finding_out_what_the_first_one_did() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), FILES);
    for engine in [Engine::MySql, Engine::MariaDb] {
        let Some((texts, expected)) = undisturbed(engine, folder.path()).await else { continue };
        // First with the ALTER done and not on record.
        let alter = texts.iter().position(|text| text.starts_with("ALTER TABLE a ADD")).unwrap();
        let series = (1..20).map(|halt| vec![alter + 1, halt]);
        kill_and_compare(engine, folder.path(), &expected, series).await;
    }
}

#[tokio::test]
async fn rows_that_are_written_after_the_kill_do_not_look_like_the_statement() {
    let folder = tempfile::tempdir().unwrap();
    let files: Files<'_> = &[
        (
            "1_a.mysql.up.sql",
            "CREATE TABLE a (id INTEGER NOT NULL PRIMARY KEY AUTO_INCREMENT, x INTEGER);\n\
         ALTER TABLE a ADD COLUMN y INTEGER",
        ),
        ("1_a.sqlite.up.sql", "SELECT 1"),
    ];
    write(folder.path(), files);
    for engine in [Engine::MySql, Engine::MariaDb] {
        let Some((texts, _)) = undisturbed(engine, folder.path()).await else { continue };
        let alter = texts.iter().position(|text| text.starts_with("ALTER TABLE a ADD")).unwrap();
        with_database(engine, async |database: TestDatabase| {
            // The command before it wrote down that it would run.
            assert!(killed_at(alter, folder.path(), &database).await);
            crate::support::execute(&database, "INSERT INTO a (x) VALUES (1), (2)").await;
            succeeds(folder.path(), &database.url).await;
            let column = "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = \
                          DATABASE() AND table_name = 'a' AND column_name = 'y'";
            assert_eq!(crate::support::number(&database, column).await, 1);
        })
        .await;
    }
}

#[tokio::test]
async fn killed_while_it_has_the_lock_or_waits_for_it_others_take_over() {
    let folder = tempfile::tempdir().unwrap();
    let files: Files<'_> = &[
        (
            "1_a.mysql.up.sql",
            "CREATE TABLE a (x INTEGER);\nINSERT INTO a SELECT SLEEP(2);\nCREATE TABLE b (x INTEGER)",
        ),
        ("1_a.sqlite.up.sql", "SELECT 1"),
    ];
    write(folder.path(), files);
    on_servers(async |database| {
        let start = || runner(folder.path(), &database.url).spawn().unwrap();
        let holder = start();
        until_running(&database, "INSERT INTO a%", 1).await;
        let waiting = [start(), start(), start()];
        until_running(&database, "%GET_LOCK(%", 3).await;
        let [first, second, killed] = waiting;
        kill(killed);
        kill(holder);
        for child in [first, second] {
            let output = blocking(move || child.wait_with_output().unwrap()).await;
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        assert_eq!(crate::support::number(&database, "SELECT COUNT(*) FROM a").await, 1);
        assert_eq!(crate::support::states(&database, files).await, "a");
    })
    .await;
}

#[tokio::test]
async fn killed_in_the_middle_of_altering_a_large_table() {
    let folder = tempfile::tempdir().unwrap();
    // 200,000 rows by doubling, which no limit on recursion forbids.
    let double = |bit| format!("INSERT INTO big SELECT id + {}, x FROM big;\n", 1 << bit);
    let rows = format!(
        "CREATE TABLE big (id INTEGER NOT NULL PRIMARY KEY, x VARCHAR(50));\n\
         INSERT INTO big VALUES (0, 'some text in a row');\n\
         {}DELETE FROM big WHERE id >= 200000;\n",
        (0..18).map(double).collect::<String>()
    );
    std::fs::write(folder.path().join("1_big.up.sql"), rows).unwrap();
    on_servers(async |database| {
        succeeds(folder.path(), &database.url).await;
        let later = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let from = entry.unwrap();
            std::fs::copy(from.path(), later.path().join(from.file_name())).unwrap();
        }
        std::fs::write(
            later.path().join("2_alter.up.sql"),
            "-- migrate: allow=copy reason=\"a test\"\n\
             ALTER TABLE big MODIFY COLUMN x VARCHAR(50) CHARACTER SET utf16;\n\
             ALTER TABLE big ADD COLUMN y INTEGER;\n",
        )
        .unwrap();
        let mut command = runner(later.path(), &database.url);
        let child = blocking(move || command.spawn().unwrap()).await;
        let altering = "SELECT COUNT(*) FROM information_schema.processlist \
                        WHERE db = DATABASE() AND info LIKE 'ALTER TABLE big MODIFY%' \
                        AND info NOT LIKE '%ALGORITHM%' AND time_ms >= 0";
        let altering = match database.engine {
            Engine::MariaDb => altering.to_owned(),
            _ => altering.replace(" AND time_ms >= 0", ""),
        };
        while crate::support::number(&database, &altering).await == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        kill(child);
        // It goes on without its client, and the next runner waits for its end.
        succeeds(later.path(), &database.url).await;
        let columns = "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = \
                       DATABASE() AND table_name = 'big' AND (column_name = 'y' OR \
                       character_set_name = 'utf16')";
        assert_eq!(crate::support::number(&database, columns).await, 2);
        assert_eq!(crate::support::number(&database, "SELECT COUNT(*) FROM big").await, 200_000);
    })
    .await;
}

#[tokio::test]
async fn nothing_to_do_takes_six_round_trips_at_most() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), FILES);
    on_servers(async |database| {
        succeeds(folder.path(), &database.url).await;
        let proxy = Proxy::start(&server_of(&database), None);
        succeeds(folder.path(), &through(&proxy, &database)).await;
        // Two for the handshake; the farewell is not answered.
        let round_trips = 2 + proxy.commands() - 1;
        assert!(round_trips <= 6, "{:?}", proxy.texts());
    })
    .await;
}

#[tokio::test]
async fn on_sqlite_killed_at_every_event_the_next_run_ends_as_if_nothing_had_been() {
    let files: Files<'_> = &[
        ("1_a.up.sql", "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1)"),
        (
            "2_b.up.sql",
            "CREATE TABLE b (x INTEGER); INSERT INTO b WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL \
             SELECT x + 1 FROM n WHERE x < 100000) SELECT x FROM n; ALTER TABLE a ADD COLUMN y",
        ),
        ("3_c.up.sql", "DROP TABLE a"),
    ];
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), files);
    let mut lines = 1;
    loop {
        let mut ended = false;
        with_database(Engine::Sqlite, async |database: TestDatabase| {
            let mut child = runner(folder.path(), &database.url).spawn().unwrap();
            let out = BufReader::new(child.stdout.take().unwrap());
            ended = out.lines().take(lines).count() < lines;
            kill(child);
            succeeds(folder.path(), &database.url).await;
            assert_eq!(crate::support::states(&database, files).await, "aaa");
            assert_eq!(crate::support::number(&database, "SELECT COUNT(*) FROM b").await, 100_000);
            assert_eq!(crate::support::tables(&database, "a").await, 0);
        })
        .await;
        if ended {
            break;
        }
        lines += 1;
    }
    assert!(lines > 15, "{lines} events");
}
