//! A dump makes the schema it was taken from, and nothing but the schema shows in it.

use migrate::schema::{Kind, SchemaError, diff, dump, read};
use migrate::testing::{Engine, TestDatabase, with_database};
use migrate::{Dialect, Target};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use crate::support::{execute, number, up};

migrate::on_every_database! {
    a_dump_makes_the_schema_it_was_taken_from,
    rows_counters_and_the_runner_s_tables_do_not_show,
    the_order_in_which_things_were_made_does_not_show,
    an_empty_database_has_an_empty_schema,
    a_change_is_shown_with_the_object_it_is_in,
}

/// Everything that both servers have.
const ON_SERVERS: &str = r#"
CREATE TABLE a (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, b_id BIGINT UNSIGNED NULL,
  n INT(11) NOT NULL DEFAULT 5, t TINYINT(1) NOT NULL DEFAULT 0, z INT(5) ZEROFILL, y YEAR,
  name VARCHAR(50) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL DEFAULT 'it''s; \\ "q"',
  c2 VARCHAR(20) COLLATE utf8mb4_bin COMMENT 'a;\nb -- `x` /*! */',
  e ENUM('a','b''),','c;') DEFAULT 'a', d DECIMAL(10,2) NOT NULL DEFAULT 0.00,
  created TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  dt DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6), old DATE DEFAULT '0000-00-00', j JSON,
  g1 INT GENERATED ALWAYS AS (n + 1) VIRTUAL,
  g2 VARCHAR(60) GENERATED ALWAYS AS (concat(name, 'x,)')) STORED,
  u CHAR(36) DEFAULT (uuid()), inv INT DEFAULT 1 INVISIBLE, body TEXT, bin VARBINARY(16),
  bt BIT(3) DEFAULT b'101',
  CONSTRAINT pos CHECK (n > 0 and name <> 'a)'),
  UNIQUE KEY uq (name, n), KEY pre (body(20)), KEY de (n DESC, id), FULLTEXT KEY ft (body)
) AUTO_INCREMENT=1000 COMMENT='tbl''s ; comment';
CREATE TABLE b (
  id BIGINT UNSIGNED NOT NULL PRIMARY KEY, a_id BIGINT UNSIGNED NOT NULL, self BIGINT UNSIGNED,
  CONSTRAINT fk2 FOREIGN KEY (a_id) REFERENCES a (id) ON DELETE CASCADE ON UPDATE RESTRICT,
  CONSTRAINT fk1 FOREIGN KEY (self) REFERENCES b (id) ON DELETE SET NULL ON UPDATE NO ACTION
) ROW_FORMAT=COMPRESSED;
ALTER TABLE a ADD CONSTRAINT fk_b FOREIGN KEY (b_id) REFERENCES b (id);
CREATE TABLE `od``d "t" ; x` (
  `sel``ect` INT, `a b` INT CHECK (`a b` > 1), `gruppe,)` INT, `é` INT COMMENT 'ü',
  KEY `k``;` (`sel``ect`));
CREATE TABLE part (id INT NOT NULL, d DATE NOT NULL, PRIMARY KEY (id, d))
  PARTITION BY RANGE (YEAR(d))
  (PARTITION p0 VALUES LESS THAN (2000), PARTITION p1 VALUES LESS THAN MAXVALUE);
CREATE TABLE sp (id INT PRIMARY KEY, g POINT NOT NULL, SPATIAL KEY g (g)) DEFAULT CHARSET=latin1;
CREATE FUNCTION f(x INT) RETURNS INT DETERMINISTIC COMMENT 'say; it' RETURN x + 1;
CREATE VIEW v3 AS SELECT id, f(n) AS fn, name FROM a WHERE name <> 'x;';
CREATE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW v1 (`i``d`, q) AS
  SELECT v3.id, b.a_id FROM v3 JOIN b ON b.id = v3.id WHERE v3.id > 5 WITH CHECK OPTION;
CREATE VIEW v2 AS SELECT `i``d` FROM v1;
CREATE VIEW va AS WITH RECURSIVE c AS (SELECT 1 AS n UNION ALL SELECT n+1 FROM c WHERE n < 5)
  SELECT * FROM c;
CREATE TRIGGER tr1 BEFORE INSERT ON a FOR EACH ROW BEGIN SET NEW.n = NEW.n + 1; -- c;
  SET NEW.name = 'é'; END;
CREATE TRIGGER tr0 BEFORE INSERT ON a FOR EACH ROW FOLLOWS tr1 SET NEW.n = 2;
CREATE TRIGGER tr9 BEFORE INSERT ON a FOR EACH ROW PRECEDES tr1 SET NEW.n = 3;
CREATE TRIGGER `before` AFTER DELETE ON `od``d "t" ; x` FOR EACH ROW DELETE FROM b;
CREATE PROCEDURE p(IN x INT, OUT y VARCHAR(10) CHARSET latin1) MODIFIES SQL DATA
  SQL SECURITY INVOKER
  BEGIN DECLARE z INT DEFAULT 1; IF x > 1 THEN SET y = 'a;;'; ELSE SET y = "b"; END IF; END;
CREATE EVENT e ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01 00:00:00' ENDS '2038-01-01'
  ON COMPLETION PRESERVE DISABLE COMMENT 'ev' DO BEGIN DELETE FROM b; END;
CREATE EVENT e2 ON SCHEDULE EVERY 2 HOUR DO DELETE FROM b;
SET sql_mode = 'ANSI_QUOTES', collation_connection = utf8mb4_unicode_ci, time_zone = 'SYSTEM';
CREATE PROCEDURE "p""2"() BEGIN SELECT "n" FROM a; END;
CREATE VIEW other_collation AS SELECT 'a' = n AS x FROM b JOIN a USING (id);
CREATE EVENT e3 ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01 00:00:00' DO DELETE FROM "b";
"#;

const ON_MYSQL: &str = "
CREATE TABLE m (a VARCHAR(20), b INT, c INT, g GEOMETRY NOT NULL SRID 4326, KEY f ((lower(a)), b DESC),
  KEY i (c) INVISIBLE, CONSTRAINT soft CHECK (b > c) NOT ENFORCED, SPATIAL KEY (g),
  FULLTEXT KEY ng (a) WITH PARSER ngram);
CREATE TABLE defaults (d JSON DEFAULT (JSON_OBJECT('a', '\\'')), b BLOB DEFAULT ('x'));
";

const ON_MARIADB: &str = "
CREATE SEQUENCE s START WITH 5 INCREMENT BY 2;
CREATE TABLE m (id INT DEFAULT nextval(s), t TEXT COMPRESSED, x INT DEFAULT (1 + 2),
  i INET6, u UUID, KEY ig (x) IGNORED);
CREATE TABLE versioned (x INT) WITH SYSTEM VERSIONING;
CREATE TABLE period (a DATE, b DATE, PERIOD FOR p (a, b));
SET sql_mode = 'ORACLE';
CREATE PACKAGE pkg AS FUNCTION one RETURN INT; END;
CREATE PACKAGE BODY pkg AS FUNCTION one RETURN INT AS BEGIN RETURN 1; END; END;
";

const ON_SQLITE: &str = r#"
CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, b_id INTEGER REFERENCES b(id),
  n INT NOT NULL DEFAULT 5, name TEXT COLLATE NOCASE DEFAULT 'it''s;' UNIQUE, -- a comment
  g INT GENERATED ALWAYS AS (n + 1) VIRTUAL, amount DECIMAL(10, 2) DEFAULT (abs(-1)),
  CONSTRAINT pos CHECK (n > 0 and name <> 'a)'));
CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INTEGER NOT NULL,
  FOREIGN KEY (a_id) REFERENCES a (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED) STRICT;
CREATE TABLE "od""d `t`;" ([a b] INT, `c``d` INT, "e,)" TEXT, PRIMARY KEY ([a b])) WITHOUT ROWID;
CREATE UNIQUE INDEX "i;" ON a (lower(name) DESC, n) WHERE n > 5;
CREATE VIEW v1 AS SELECT * FROM v2;
CREATE VIEW v2 AS
  SELECT a.id, b.a_id -- both
  FROM a JOIN b ON b.id = a.id;
CREATE TRIGGER tr AFTER INSERT ON a BEGIN UPDATE a SET n = 1 WHERE id = NEW.id; DELETE FROM b; END;
CREATE TRIGGER instead INSTEAD OF DELETE ON v2 BEGIN DELETE FROM a WHERE id = OLD.id; END;
CREATE VIRTUAL TABLE search USING fts5(name, content='a', content_rowid='id');
ALTER TABLE b RENAME TO c;
ALTER TABLE a ADD COLUMN late TEXT;
"#;

/// Makes a rich schema, statement by statement where bodies have semicolons.
async fn make_rich(database: &TestDatabase) {
    match database.engine {
        Engine::Sqlite => execute(database, ON_SQLITE).await,
        Engine::MySql => {
            run(&database.target, &[relaxed(), ON_SERVERS.to_owned(), ON_MYSQL.to_owned()]).await;
        }
        Engine::MariaDb => {
            run(&database.target, &[relaxed(), ON_SERVERS.to_owned(), ON_MARIADB.to_owned()]).await;
        }
    }
}

/// A schema that was made before anybody was strict.
fn relaxed() -> String {
    "SET sql_mode = 'PIPES_AS_CONCAT,NO_ENGINE_SUBSTITUTION'".to_owned()
}

/// Runs texts on one connection, which has nothing in common with the dump's.
async fn run(target: &Target, texts: &[String]) {
    match target {
        Target::MySql(options) => {
            let mut connection = options.connect().await.unwrap();
            for text in texts {
                let text = sqlx::raw_sql(AssertSqlSafe(text.as_str()));
                text.execute(&mut connection).await.unwrap();
            }
            connection.close().await.unwrap();
        }
        Target::Sqlite(options) => {
            let mut connection = options.connect().await.unwrap();
            for text in texts {
                let text = sqlx::raw_sql(AssertSqlSafe(text.as_str()));
                text.execute(&mut connection).await.unwrap();
            }
            connection.close().await.unwrap();
        }
    }
}

/// A dump's statements as a client sends them: what stands between two `DELIMITER` lines is one.
fn sent(dump: &str) -> Vec<String> {
    let mut texts = vec![String::new()];
    let mut delimiter = ";";
    for line in dump.lines() {
        if let Some(next) = line.strip_prefix("DELIMITER ") {
            let text = texts.last_mut().unwrap();
            if delimiter != ";" {
                let end = text.trim_end().strip_suffix(delimiter).unwrap().len();
                text.truncate(end);
            }
            delimiter = next;
            texts.push(String::new());
        } else {
            let text = texts.last_mut().unwrap();
            text.push_str(line);
            text.push('\n');
        }
    }
    texts
}

async fn a_dump_makes_the_schema_it_was_taken_from(database: TestDatabase) {
    make_rich(&database).await;
    let text = dump(&database.target).await.unwrap();
    with_database(database.engine, async |copy: TestDatabase| {
        run(&copy.target, &sent(&text)).await;
        let again = dump(&copy.target).await.unwrap();
        assert_eq!(diff(&text, &again), None, "{}", diff(&text, &again).unwrap_or_default());
        assert_eq!(text, again);
    })
    .await;
    if database.engine != Engine::Sqlite {
        // Triggers for one event are made in the order in which they fire, not in that of their names.
        let at = |trigger: &str| text.find(&format!("CREATE TRIGGER `{trigger}`")).unwrap();
        assert!(at("tr9") < at("tr1") && at("tr1") < at("tr0"), "{text}");
    }
    let hidden = ["DEFINER=", "AUTO_INCREMENT=1000", "` int(11)", "bigint(20)", "gb_test"];
    for hidden in hidden.into_iter().chain(["EVERY 2 HOUR STARTS"]) {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
}

async fn rows_counters_and_the_runner_s_tables_do_not_show(database: TestDatabase) {
    let id = match database.engine {
        Engine::Sqlite => "INTEGER PRIMARY KEY AUTOINCREMENT",
        Engine::MySql | Engine::MariaDb => "INTEGER PRIMARY KEY AUTO_INCREMENT",
    };
    let table = format!("CREATE TABLE a (id {id}, x INTEGER)");
    execute(&database, &table).await;
    let before = dump(&database.target).await.unwrap();
    with_database(database.engine, async |migrated: TestDatabase| {
        assert_eq!(up(&migrated, &[("1_a.up.sql", &table)]).await, 1);
        execute(&migrated, "INSERT INTO a (id, x) VALUES (41, 1), (42, 2)").await;
        let steps = "CREATE TABLE IF NOT EXISTS _migration_steps (version INTEGER)";
        execute(&migrated, steps).await;
        execute(&migrated, "CREATE INDEX i ON _migration_steps (version)").await;
        assert_eq!(dump(&migrated.target).await.unwrap(), before);
        assert_eq!(number(&migrated, "SELECT MAX(id) FROM a").await, 42);
    })
    .await;
    assert!(before.contains("-- table ") && !before.contains("_migration"), "{before}");
}

async fn the_order_in_which_things_were_made_does_not_show(database: TestDatabase) {
    let statements = [
        "CREATE TABLE a (x INTEGER, y INTEGER, CONSTRAINT b CHECK (x > 1), CONSTRAINT c CHECK (y > 1))",
        "CREATE TABLE b (x INTEGER)",
        "CREATE INDEX i ON a (x)",
        "CREATE INDEX j ON a (y)",
        "CREATE VIEW v AS SELECT x FROM a",
        "CREATE VIEW u AS SELECT x FROM b",
    ];
    for statement in statements {
        execute(&database, statement).await;
    }
    let forth = dump(&database.target).await.unwrap();
    with_database(database.engine, async |other: TestDatabase| {
        for at in [1, 5, 0, 3, 2, 4] {
            execute(&other, statements[at]).await;
        }
        // There and back again.
        let rename = "ALTER TABLE b RENAME TO c";
        execute(&other, "DROP VIEW u").await;
        for statement in [
            rename,
            "ALTER TABLE c RENAME TO b",
            statements[5],
            "ALTER TABLE a ADD COLUMN z INTEGER",
            "ALTER TABLE a DROP COLUMN z",
        ] {
            execute(&other, statement).await;
        }
        let back = dump(&other.target).await.unwrap();
        assert_eq!(diff(&forth, &back), None);
        assert_eq!(forth, back);
    })
    .await;
}

async fn an_empty_database_has_an_empty_schema(database: TestDatabase) {
    let schema = read(&database.target).await.unwrap();
    assert_eq!(schema.objects, []);
    assert_eq!(schema.defaults.is_some(), schema.dialect == Dialect::MySql);
    let text = schema.to_string();
    assert!(!text.contains("CREATE"), "{text}");
    if let Target::Sqlite(options) = &database.target {
        assert!(!options.get_filename().exists(), "reading made the file");
    }
}

async fn a_change_is_shown_with_the_object_it_is_in(database: TestDatabase) {
    execute(&database, "CREATE TABLE a (x INTEGER)").await;
    execute(&database, "CREATE TABLE b (x INTEGER)").await;
    let before = dump(&database.target).await.unwrap();
    execute(&database, "ALTER TABLE b ADD COLUMN y INTEGER").await;
    let after = dump(&database.target).await.unwrap();
    let text = diff(&before, &after).unwrap();
    let (name, column) = match database.engine {
        Engine::Sqlite => ("\"b\"", "\n+  y INTEGER\n"),
        Engine::MySql | Engine::MariaDb => ("`b`", "\n+  `y` int DEFAULT NULL\n"),
    };
    assert!(text.contains(&format!(" @@ table {name}\n")), "{text}");
    assert!(text.contains(column), "{text}");
}

async fn on_servers<Fut: Future<Output = ()>>(test: impl Fn(TestDatabase) -> Fut) {
    for engine in [Engine::MySql, Engine::MariaDb] {
        with_database(engine, &test).await;
    }
}

#[tokio::test]
async fn what_a_user_may_not_see_is_an_error_and_not_left_away() {
    on_servers(async |database| {
        let Target::MySql(options) = &database.target else { return };
        let name = options.get_database().unwrap().to_owned();
        let user = format!("u{}", &name[name.len() - 12..]);
        execute(&database, "CREATE PROCEDURE secret() BEGIN DO 1; END").await;
        execute(&database, &format!("CREATE USER {user} IDENTIFIED BY 's3cret'")).await;
        execute(&database, &format!("GRANT SELECT, EXECUTE ON `{name}`.* TO {user}")).await;
        let other = Target::MySql(options.clone().username(&user).password("s3cret"));
        let error = read(&other).await.unwrap_err();
        execute(&database, &format!("DROP USER {user}")).await;
        assert!(matches!(&error, SchemaError::Hidden { kind: Kind::Procedure, .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("`secret`") && text.contains("SHOW_ROUTINE"), "{text}");
        assert!(!format!("{text} {error:?}").contains("s3cret"), "{error:?}");

        let error = read(&other).await.unwrap_err();
        assert!(matches!(&error, SchemaError::Connect { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        let error = read(&Target::MySql(options.clone().database("no_such_db"))).await.unwrap_err();
        assert!(error.to_string().contains("no_such_db"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn a_view_of_several_databases_does_not_name_its_own() {
    on_servers(async |database| {
        let Target::MySql(options) = &database.target else { return };
        let name = options.get_database().unwrap().to_owned();
        execute(&database, "CREATE TABLE a (x INTEGER)").await;
        execute(&database, &format!("CREATE TABLE `{name}` (x INTEGER)")).await;
        let view = format!(
            "CREATE VIEW v AS SELECT a.x, s.schema_name, `{name}`.x AS y FROM a              JOIN information_schema.schemata s JOIN `{name}` ON `{name}`.x = a.x"
        );
        execute(&database, &view).await;
        let view = read(&database.target).await.unwrap().objects.pop().unwrap();
        assert_eq!(view.kind, Kind::View);
        assert!(!view.sql.contains(&format!("`{name}`.`a`")), "{}", view.sql);
        assert!(view.sql.contains("`information_schema`."), "{}", view.sql);
        assert!(view.sql.contains(&format!("`{name}`.`x`")), "{}", view.sql);
        execute(&database, "DROP VIEW v").await;
        execute(&database, &view.sql).await;
    })
    .await;
}
