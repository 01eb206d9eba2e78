//! How the servers change a table, compared with what is predicted.

use migrate::UpOptions;
use migrate::lint::{Online, Server, predict};
use migrate::testing::{Engine, TestDatabase};
use sqlx::mysql::MySqlDatabaseError;
use sqlx::{AssertSqlSafe, ConnectOptions as _, MySqlConnection};

use crate::support::{migrator, on_servers, up};

const COLUMNS: &str = "
    id INT NOT NULL PRIMARY KEY, a INT, b VARCHAR(50), c VARCHAR(100) NOT NULL, e ENUM('a','b'),
    f INT NOT NULL, d DECIMAL(10,2), txt TEXT, vb VARBINARY(20), l VARCHAR(20) CHARACTER SET latin1,
    k INT, u INT, x INT, s SET('a','b'), ch CHAR(10), dt DATETIME, o INT DEFAULT 5, w INT UNIQUE,
    KEY k (k), UNIQUE u (u), KEY two (x, k)";
const OPTIONS: &str = "ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4";

/// For a table with nothing out of the ordinary.
const CLAUSES: &[&str] = &[
    "ADD COLUMN n INT NOT NULL DEFAULT 3",
    "ADD COLUMN n DATETIME DEFAULT CURRENT_TIMESTAMP",
    "ADD COLUMN n INT DEFAULT (1+2)",
    "ADD COLUMN n INT AS (a+1) STORED",
    "ADD COLUMN n INT CHECK (n > 1)",
    "ADD COLUMN n INT REFERENCES p (id)",
    "ADD COLUMN (n INT, m INT AS (a+1) STORED)",
    "RENAME COLUMN k TO k2",
    "CHANGE d d2 DECIMAL(10,2)",
    "DROP PRIMARY KEY",
    "ADD UNIQUE n (b)",
    "ADD INDEX n (a), ADD INDEX n2 (f)",
    "ADD INDEX n (b(10))",
    "ADD FULLTEXT n (b)",
    "ADD FULLTEXT n (b), ADD FULLTEXT n2 (c)",
    "ADD CONSTRAINT n UNIQUE (a)",
    "ADD CONSTRAINT n FOREIGN KEY (a) REFERENCES p (id)",
    "ADD CONSTRAINT n CHECK (f > 1)",
    "DROP INDEX k",
    "DROP INDEX k, ADD INDEX k (k, a)",
    "RENAME INDEX k TO k3",
    "DROP FOREIGN KEY fk",
    "DROP CONSTRAINT ck",
    "ALTER a SET DEFAULT 3",
    "ALTER f DROP DEFAULT",
    "MODIFY a BIGINT",
    "MODIFY a INT UNSIGNED",
    "MODIFY a INT NULL",
    "MODIFY a INT DEFAULT 7",
    "MODIFY a INT COMMENT 'x'",
    "MODIFY a INT(5)",
    "MODIFY a INT AUTO_INCREMENT UNIQUE",
    "MODIFY id INT NOT NULL AUTO_INCREMENT",
    "MODIFY b VARCHAR(63)",
    "MODIFY b VARCHAR(64)",
    "MODIFY b VARCHAR(60) NOT NULL",
    "MODIFY b VARCHAR(40)",
    "MODIFY b VARCHAR(50) CHARACTER SET utf8mb4",
    "MODIFY b VARCHAR(50) CHARACTER SET latin1",
    "MODIFY b VARCHAR(50) COLLATE utf8mb4_bin",
    "MODIFY c VARCHAR(200) NOT NULL",
    "MODIFY vb VARBINARY(200)",
    "MODIFY vb VARBINARY(300)",
    "MODIFY l VARCHAR(300) CHARACTER SET latin1",
    "MODIFY ch CHAR(20)",
    "MODIFY ch VARCHAR(20)",
    "MODIFY e ENUM('a','b','c')",
    "MODIFY e ENUM('b','a')",
    "MODIFY s SET('a','b','c')",
    "MODIFY s SET('a','b','c','d','e','f','g','h','i')",
    "MODIFY d DECIMAL(12,2)",
    "MODIFY txt MEDIUMTEXT",
    "MODIFY dt DATETIME(3)",
    "CONVERT TO CHARACTER SET latin1",
    "DEFAULT CHARACTER SET latin1",
    "COMMENT='x'",
    "AUTO_INCREMENT=100",
    "STATS_PERSISTENT=0",
    "MAX_ROWS=100",
    "RENAME TO t2",
    "MODIFY nobody_knows INT",
];

/// Whose way depends on what else is in the table.
const ROWS: &[&str] = &[
    "ADD COLUMN n INT",
    "ADD COLUMN n INT FIRST",
    "ADD COLUMN n POINT NOT NULL",
    "ADD COLUMN n INT AS (f+1) VIRTUAL",
    "ADD COLUMN n INT UNIQUE",
    "ADD COLUMN n INT, ADD COLUMN m INT AFTER a",
    "ADD COLUMN n INT, DROP COLUMN d",
    "ADD COLUMN n INT, ADD INDEX i (n)",
    "ADD COLUMN n INT, ALTER o SET DEFAULT 4",
    "ADD INDEX n (a)",
    "DROP COLUMN d",
    "DROP COLUMN k",
    "DROP COLUMN w",
    "DROP COLUMN d, ADD INDEX i (a)",
    "DROP PRIMARY KEY, ADD PRIMARY KEY (id, f)",
    "MODIFY k INT NOT NULL",
    "MODIFY f INT NULL",
    "MODIFY f INT NOT NULL FIRST",
    "MODIFY b VARCHAR(60)",
    "FORCE",
    "ENGINE=InnoDB",
    "ROW_FORMAT=DYNAMIC",
    "RENAME TO t2, ADD COLUMN n INT",
];

const MYSQL_ONLY: &[&str] = &[
    "ADD INDEX n ((a+1))",
    "ADD CONSTRAINT n CHECK (f > 1) NOT ENFORCED",
    "DROP CHECK ck",
    "ALTER INDEX k INVISIBLE",
];

const MARIADB_ONLY: &[&str] = &["ALTER INDEX k IGNORED"];

/// What a table has besides, and what is asked of it.
const TABLES: [(&str, &[&str]); 5] = [
    ("CONSTRAINT fk FOREIGN KEY (o) REFERENCES p (id), CONSTRAINT ck CHECK (f > 0)", CLAUSES),
    (
        "v INT AS (a + 1) VIRTUAL",
        &["ENGINE=MyISAM", "DROP COLUMN v", "ADD INDEX n (v)", "MODIFY v INT AS (a + 5)"],
    ),
    (
        "st INT AS (a + 2) STORED",
        &["DROP COLUMN st", "MODIFY st INT", "MODIFY st INT AS (a) STORED"],
    ),
    ("FULLTEXT ft (txt)", &["DROP INDEX ft"]),
    ("g POINT NOT NULL, SPATIAL sp (g)", &["DROP INDEX sp", "ADD SPATIAL n (g)"]),
];

/// Where less is promised than what is done.
const CAUTIOUS: &[(Server, &str)] = &[
    // Foreign keys go by the same words, and are more work.
    (Server::MySql, "DROP CONSTRAINT ck"),
    (Server::MySql, "DROP CHECK ck"),
    // It says so, and copies the table.
    (Server::MariaDb, "ENGINE=MyISAM"),
];

#[tokio::test]
async fn the_servers_do_what_is_predicted() {
    on_servers(async |database: TestDatabase| {
        let (server, own) = match database.engine {
            Engine::MariaDb => (Server::MariaDb, MARIADB_ONLY),
            _ => (Server::MySql, MYSQL_ONLY),
        };
        let migrate::Target::MySql(options) = &database.target else { unreachable!() };
        let mut connection = options.connect().await.unwrap();
        run(&mut connection, "CREATE TABLE p (id INT NOT NULL PRIMARY KEY)").await.unwrap();
        let mut wrong = Vec::new();
        for (number, (besides, clauses)) in TABLES.into_iter().enumerate() {
            let table = format!("CREATE TABLE t ({COLUMNS}, {besides}) {OPTIONS}");
            let own = if number == 0 { own } else { &[] };
            for clause in clauses.iter().chain(ROWS).chain(own) {
                let statement = format!("ALTER TABLE t {clause}");
                let predicted = predict(server, Some(&table), &statement).unwrap();
                if predicted == Online::Unknown {
                    continue;
                }
                let done = measure(&mut connection, &table, &statement).await;
                let cautious = predicted > done && CAUTIOUS.contains(&(server, clause));
                if predicted != done && !cautious {
                    wrong.push(format!("{besides}: {clause}: {predicted:?}, and it is {done:?}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{server:?}:\n{}", wrong.join("\n"));
    })
    .await;
}

/// The best way in which the server does it.
async fn measure(connection: &mut MySqlConnection, table: &str, statement: &str) -> Online {
    run(connection, "DROP TABLE IF EXISTS t, t2").await.unwrap();
    run(connection, table).await.unwrap();
    for (way, done) in [
        ("ALGORITHM=INSTANT", Online::Instant),
        ("ALGORITHM=INPLACE, LOCK=NONE", Online::InplaceNoLock),
        ("ALGORITHM=INPLACE, LOCK=SHARED", Online::InplaceShared),
    ] {
        match run(connection, &format!("{statement}, {way}")).await {
            Ok(()) => return done,
            Err(error) => {
                let refusal = error.as_database_error().unwrap();
                let number = refusal.downcast_ref::<MySqlDatabaseError>().number();
                assert!([1845, 1846, 1795].contains(&number), "{statement}: {error}");
            }
        }
    }
    Online::Copy
}

async fn run(connection: &mut MySqlConnection, sql: &str) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
}

/// With what the database says of a table, and what the statements before change of it.
#[tokio::test]
async fn a_plan_says_how_tables_will_be_altered() {
    on_servers(async |database: TestDatabase| {
        let first = ("1_t.up.sql", "CREATE TABLE t (id INT PRIMARY KEY, k INT, b TEXT, KEY k (k));");
        let pending = "ALTER TABLE t ADD COLUMN n INT; ALTER TABLE t DROP COLUMN k; \
             ALTER TABLE t ADD FULLTEXT b (b);
             -- migrate: allow=copy reason=\"small\"\nALTER TABLE t ADD FULLTEXT b2 (b);
             ALTER TABLE t DROP COLUMN n; CREATE TABLE u (x INT); ALTER TABLE u MODIFY x INT NOT NULL;";
        assert_eq!(up(&database, &[first]).await, 1);
        let files = [first, ("2_t.up.sql", pending)];
        let plan = migrator(&database, &files).plan(UpOptions::default()).await.unwrap();
        let steps = plan.listing().remove(0).steps;
        let predicted: Vec<String> = steps
            .iter()
            .map(|step| match step.predicted {
                Some(found) => format!("{} {} {}", found.algorithm, found.lock, found.refused),
                None => "nothing".to_owned(),
            })
            .collect();
        let under_full_text = match database.engine {
            Engine::MySql => "copy shared true",
            _ => "inplace shared true",
        };
        let expected = [
            "instant none false",
            "inplace none false",
            "inplace shared true",
            "inplace shared false",
            under_full_text,
            "nothing",
            "inplace none false",
        ];
        assert_eq!(predicted, expected);
    })
    .await;
}
