use super::*;
use crate::sql::split::split;

fn meaning_of(text: &str) -> Meaning {
    meaning_on(Dialect::MySql, text)
}

fn meaning_on(dialect: Dialect, text: &str) -> Meaning {
    let statements = split(dialect, text).unwrap();
    meaning(dialect, &statements[0])
}

/// Effects and changed tables on one line.
fn shown(text: &str) -> String {
    shown_meaning(meaning_of(text))
}

fn shown_meaning(meaning: Meaning) -> String {
    match meaning {
        Meaning::Ddl(ddl) => {
            let effects: Vec<String> = ddl.effects.iter().map(ToString::to_string).collect();
            let tables: Vec<String> = ddl.tables.iter().map(ToString::to_string).collect();
            let again = if ddl.repeatable { " (again)" } else { "" };
            // Any table may have changed places with another.
            let unseen = ddl.unseen && ddl.verb != "RENAME TABLE";
            let unseen = if unseen { " (unseen)" } else { "" };
            format!("{} [{}]{again}{unseen}", effects.join("; "), tables.join(" "))
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn changes_of_the_schema_say_what_is_true_afterwards() {
    for (text, expected) in [
        (
            "CREATE TABLE s.t (id INT, `a b` INT, PRIMARY KEY (id), KEY k (id), CHECK (id > 1))",
            "table s.t is there with its columns id, a b [s.t]",
        ),
        ("CREATE TABLE IF NOT EXISTS t LIKE u", "table t is there [t] (again)"),
        ("CREATE TABLE t (x INT /*! AUTO_INCREMENT */)", "table t is there with its columns x [t]"),
        ("CREATE TABLE t (SELECT 1 AS x)", "table t is there [t]"),
        ("ALTER TABLE t ADD FOREIGN KEY k (a) REFERENCES u (a)", " [t]"),
        ("create unique index i using btree on t (x)", "index i of t is there [t]"),
        ("CREATE OR REPLACE ALGORITHM=MERGE VIEW v AS SELECT 1", "view v is there [] (again)"),
        (
            "CREATE DEFINER=`r`@`%` TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET @x = 1",
            "trigger tr is there []",
        ),
        ("CREATE PROCEDURE p() SELECT 1", "routine p is there []"),
        ("CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1", "event e is there []"),
        ("DROP TABLE a, s.b", "table a is gone; table s.b is gone [a s.b]"),
        ("DROP TABLE IF EXISTS a", "table a is gone [a] (again)"),
        ("DROP INDEX i ON t", "index i of t is gone [t]"),
        (
            "RENAME TABLE a TO b, c TO d",
            "table a is gone; table b is there; table c is gone; table d is there [a b c d]",
        ),
        (
            "RENAME TABLE a TO t, b TO a, t TO b",
            "table a is there; table b is there; table t is gone [a b t]",
        ),
        ("ALTER TABLE t ADD c INT NOT NULL DEFAULT 0 AFTER b", "column t.c is there [t]"),
        ("ALTER TABLE t ADD COLUMN (c INT, d INT)", "column t.c is there; column t.d is there [t]"),
        (
            "ALTER TABLE t DROP COLUMN c, ADD INDEX i (x, y), ADD UNIQUE KEY u (z)",
            "column t.c is gone; index i of t is there; index u of t is there [t]",
        ),
        (
            "ALTER TABLE t CHANGE a b INT, MODIFY d TEXT",
            "column t.a is gone; column t.b is there; column t.d is there [t]",
        ),
        ("ALTER TABLE t RENAME COLUMN a TO b", "column t.a is gone; column t.b is there [t]"),
        ("ALTER TABLE t RENAME INDEX a TO b", "index a of t is gone; index b of t is there [t]"),
        (
            "ALTER TABLE t RENAME TO u, ADD c INT",
            "table t is gone; table u is there; column u.c is there [t u]",
        ),
        (
            "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (a)",
            "constraint f of t is there [t]",
        ),
        ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 1)", "constraint c of t is there [t]"),
        ("ALTER TABLE t ADD CONSTRAINT u UNIQUE (a)", "index u of t is there [t]"),
        (
            "ALTER TABLE t ADD PRIMARY KEY (a), DROP FOREIGN KEY f",
            "index PRIMARY of t is there; constraint f of t is gone [t]",
        ),
        ("ALTER TABLE t ADD INDEX (a)", " [t]"),
        ("ALTER TABLE t ENGINE = InnoDB, COMMENT = 'a, b'", " [t]"),
        ("ALTER TABLE t ADD COLUMN IF NOT EXISTS c INT", "column t.c is there [t] (again)"),
        (
            "ALTER TABLE IF EXISTS t ADD c INT, ADD d INT",
            "column t.c is there; column t.d is there [t]",
        ),
        (
            "ALTER TABLE t WAIT 5 ADD COLUMN IF NOT EXISTS (c INT, d INT)",
            "column t.c is there; column t.d is there [t] (again)",
        ),
        (
            "ALTER TABLE t ALTER c SET DEFAULT 1, CHANGE c C TEXT, DROP CHECK k, DROP PRIMARY KEY",
            "column t.c is there; column t.C is there; constraint k of t is gone; index PRIMARY of t \
             is gone [t]",
        ),
        ("ALTER TABLE t ADD PARTITION (PARTITION p VALUES LESS THAN (5))", " [t]"),
        ("ALTER TABLE t ADD PERIOD FOR SYSTEM_TIME (a, b), ADD SYSTEM VERSIONING", " [t]"),
        (
            "CREATE TABLE t (period INT, KEY USING BTREE (a), FULLTEXT KEY f (a), SPATIAL (a), \
             PERIOD FOR p (a, b), KEY k ((a + 1)))",
            "table t is there with its columns period [t]",
        ),
        ("CREATE SEQUENCE s.q START WITH 5", "sequence s.q is there []"),
        ("CREATE OR REPLACE SEQUENCE q", "Opaque"),
        ("CREATE OR REPLACE TABLE t (x INT)", "table t is there with its columns x [t] (unseen)"),
        ("ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u", " [t] (unseen)"),
        ("ALTER TABLE t TRUNCATE PARTITION p", " [t] (unseen)"),
        ("ALTER TABLE t IMPORT TABLESPACE", " [t] (unseen)"),
        ("ALTER TABLE t DROP COLUMN c, ADD C INT", "column t.C is there [t] (unseen)"),
        ("TRUNCATE TABLE t", "table t is empty []"),
        ("TRUNCATE s.t", "table s.t is empty []"),
        ("DROP SEQUENCE IF EXISTS q, r", "sequence q is gone; sequence r is gone [] (again)"),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
}

#[test]
fn other_statements_are_told_apart() {
    let session = |repeatable| Meaning::Session { repeatable };
    for (text, expected) in [
        ("INSERT INTO t SELECT 1", Meaning::Dml),
        ("WITH a AS (SELECT 1) UPDATE t SET x = 1", Meaning::Dml),
        ("WITH a AS (SELECT 1) SELECT * FROM a", Meaning::Read),
        ("SELECT 1", Meaning::Read),
        ("(SELECT 1) UNION (SELECT 2)", Meaning::Read),
        ("((SELECT 1) LIMIT 1)", Meaning::Read),
        ("(WITH a AS (SELECT 1) SELECT * FROM a)", Meaning::Read),
        ("(SELECT 1 INTO @x)", session(false)),
        ("(SELECT 1) UNION (SELECT 2) INTO OUTFILE 'x'", Meaning::Opaque),
        ("VALUES ROW(1), ROW(2)", Meaning::Read),
        ("CREATE TEMPORARY SEQUENCE q", session(false)),
        ("ALTER SEQUENCE q INCREMENT BY 2", Meaning::Repeatable),
        ("ALTER SEQUENCE q RESTART 5", Meaning::Opaque),
        ("CREATE LIBRARY IF NOT EXISTS l LANGUAGE JAVASCRIPT AS $$ ; $$", Meaning::Repeatable),
        ("SELECT 1 INTO @x", session(false)),
        ("SELECT 1 INTO OUTFILE 'x'", Meaning::Opaque),
        ("SET NAMES utf8mb4", session(true)),
        ("SET @a = 1, @b = @@sql_mode", session(true)),
        ("SET @a = LAST_INSERT_ID()", session(false)),
        ("SET @a = CURRENT_TIMESTAMP", session(false)),
        ("SET @a = NULL, @b = -1", session(true)),
        ("SELECT @a := 1", session(false)),
        ("DEALLOCATE PREPARE s", session(false)),
        ("SET STATEMENT max_statement_time = 1 FOR UPDATE t SET n = n + 1", Meaning::Dml),
        ("SET STATEMENT max_statement_time = 1 FOR ALTER TABLE t ADD c INT", Meaning::Opaque),
        ("ANALYZE UPDATE t SET n = n + 1", Meaning::Dml),
        ("ANALYZE FORMAT=JSON SELECT 1", Meaning::Read),
        ("ANALYZE TABLE t", Meaning::Repeatable),
        ("EXPLAIN ANALYZE SELECT 1", Meaning::Read),
        ("EXPLAIN UPDATE t SET n = 1", Meaning::Read),
        ("SET sql_mode = CONCAT(@@sql_mode, ',ANSI')", session(true)),
        ("SET GLOBAL max_connections = 5", Meaning::Repeatable),
        ("SET @@GLOBAL.max_connections = 5", Meaning::Repeatable),
        ("CREATE TEMPORARY TABLE t (x INT)", session(false)),
        ("IMPORT TABLE FROM 'x'", Meaning::Opaque),
        ("CREATE USER IF NOT EXISTS u", Meaning::Repeatable),
        ("CREATE USER u", Meaning::Opaque),
        ("CALL p()", Meaning::Opaque),
        ("DO SLEEP(1)", Meaning::Opaque),
        ("FROBNICATE", Meaning::Opaque),
        ("START TRANSACTION", Meaning::Transaction(Transaction::Begin)),
        ("LOCK TABLES t WRITE", Meaning::Transaction(Transaction::LockTables)),
    ] {
        assert_eq!(meaning_of(text), expected, "{text}");
    }
}

#[test]
fn a_statement_that_says_how_to_alter_is_left_alone() {
    let altering = |text: &str| match meaning_of(text) {
        Meaning::Ddl(ddl) => ddl.alter.map(|alter| (alter.says_how, alter.can_be_told)),
        other => panic!("{other:?}"),
    };
    for (text, expected) in [
        ("ALTER TABLE t ADD c INT", Some((false, true))),
        ("ALTER TABLE t ADD c INT, ALGORITHM=INSTANT", Some((true, true))),
        ("ALTER TABLE t ADD c INT, LOCK NONE", Some((true, true))),
        ("ALTER TABLE t ALGORITHM=COPY, ADD c INT", Some((true, true))),
        ("CREATE INDEX i ON t (x) LOCK=NONE", Some((true, true))),
        ("ALTER TABLE t REMOVE PARTITIONING", Some((false, false))),
        ("CREATE TABLE t (x INT)", None),
    ] {
        assert_eq!(altering(text), expected, "{text}");
    }
}

#[test]
fn what_only_sqlite_knows_is_understood() {
    let shown = |text| shown_meaning(meaning_on(Dialect::Sqlite, text));
    for (text, expected) in [
        (
            "CREATE UNIQUE INDEX IF NOT EXISTS main.i ON t (x)",
            "index i of main.t is there [main.t] (again)",
        ),
        ("CREATE INDEX \"i\" ON [t] (x) WHERE x > 1", "index i of t is there [t]"),
        ("DROP INDEX i", " []"),
        ("DROP INDEX IF EXISTS main.i", " [] (again)"),
        (
            "CREATE TABLE t (key TEXT PRIMARY KEY, index_ INT, fulltext, spatial VARCHAR(5), period \
             INT CHECK (period > 1))",
            "table t is there with its columns key, index_, fulltext, spatial, period [t]",
        ),
        ("ALTER TABLE t ADD key TEXT DEFAULT (1)", "column t.key is there [t]"),
        (
            "CREATE TRIGGER main.t AFTER INSERT ON a BEGIN SELECT 1; END",
            "trigger main.t is there []",
        ),
        (
            "CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END",
            "Session { repeatable: false }",
        ),
        ("CREATE TEMP VIEW v AS SELECT 1", "Session { repeatable: false }"),
        ("VALUES (1), (2)", "Read"),
        ("WITH a AS (SELECT 1) VALUES (1)", "Read"),
        ("WITH RECURSIVE a(x) AS (SELECT 1 UNION ALL SELECT x FROM a) SELECT * FROM a", "Read"),
        ("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", "Dml"),
        ("WITH a AS (SELECT 1) REPLACE INTO t SELECT * FROM a", "Dml"),
        ("REPLACE INTO t VALUES (1)", "Dml"),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
}
