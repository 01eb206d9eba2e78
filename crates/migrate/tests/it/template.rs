//! Copies of a migrated database for tests.

use std::sync::atomic::{AtomicUsize, Ordering};

use migrate::testing::{Engine, Template, TestDatabase, with_database, with_database_from};
use migrate::{Migrations, schema};

use crate::support::{Files, number, states, up};

static TEMPLATE: Template = Template::new(migrations);

migrate::on_every_database!(
    from TEMPLATE:
    a_copy_is_what_the_migrations_make,
    a_copy_is_nobody_else_s,
);

/// With what a copy could get wrong: a circle of references, a key of zero, values that are no
/// text, columns that are computed, a trigger that must not run again, a view, a procedure.
const FILES: Files<'static> = &[
    ("1_tables.mysql.up.sql", "
        CREATE TABLE b (id INT PRIMARY KEY, a INT);
        CREATE TABLE a (
            id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(20) CHARACTER SET latin1, bytes BLOB,
            at TIMESTAMP NULL, price DECIMAL(6, 2), twice DECIMAL(7, 2) AS (price * 2), bits BIT(9),
            doc JSON, b INT NULL REFERENCES b (id), CONSTRAINT a_b FOREIGN KEY (b) REFERENCES b (id)
        );
        ALTER TABLE b ADD CONSTRAINT b_a FOREIGN KEY (a) REFERENCES a (id), ALGORITHM=COPY;
        CREATE TABLE log (what VARCHAR(20), `od``d` INT);
        CREATE VIEW v AS SELECT id, name FROM a;
        CREATE TRIGGER a_log AFTER INSERT ON a FOR EACH ROW INSERT INTO log (what) VALUES (NEW.name);
        CREATE PROCEDURE p() BEGIN SELECT 1; SELECT ';'; END;"),
    ("1_tables.sqlite.up.sql", "
        CREATE TABLE a (id INTEGER PRIMARY KEY, name TEXT, bytes BLOB, at TEXT, price NUMERIC,
            twice NUMERIC AS (price * 2), bits INTEGER, doc TEXT, b INTEGER);
        CREATE TABLE log (what TEXT, odd INTEGER);
        CREATE VIEW v AS SELECT id, name FROM a;
        CREATE TRIGGER a_log AFTER INSERT ON a BEGIN INSERT INTO log (what) VALUES (NEW.name); END;"),
    ("2_rows.mysql.up.sql", "
        SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO';
        INSERT INTO a (id, name, bytes, at, price, bits, doc) VALUES
            (0, 'Zoë''s; \\\\', X'00ff27', '2026-11-25 12:00:00', 1.50, b'100000001', '{\"a\": [1]}'),
            (7, NULL, NULL, NULL, NULL, NULL, NULL);"),
    ("2_rows.sqlite.up.sql", "
        INSERT INTO a (id, name, bytes, at, price, bits, doc) VALUES
            (0, 'Zoë''s; \\', X'00ff27', '2026-11-25 12:00:00', 1.5, 257, '{\"a\": [1]}'),
            (7, NULL, NULL, NULL, NULL, NULL, NULL);"),
];

fn migrations() -> Migrations {
    Migrations::embedded(FILES).unwrap()
}

/// Two rows as they were put in, and the trigger's two; a copy that went through the trigger again
/// would have four of these.
const EXPECTED: &str = "SELECT (SELECT COUNT(*) FROM a WHERE id = 7 AND name IS NULL AND doc IS NULL) \
     + (SELECT COUNT(*) FROM a WHERE id = 0 AND name = 'Zoë''s; \\\\' AND HEX(bytes) = '00FF27' \
        AND at = '2026-11-25 12:00:00' AND twice = 3 AND bits = 257) * 10 \
     + (SELECT COUNT(*) FROM log) * 100";

async fn a_copy_is_what_the_migrations_make(copy: TestDatabase) {
    let expected = match copy.engine {
        Engine::Sqlite => EXPECTED.replace(r"\\", r"\"),
        _ => EXPECTED.to_owned(),
    };
    assert_eq!(number(&copy, &expected).await, 211);
    with_database(copy.engine, async |first: TestDatabase| {
        assert_eq!(up(&first, FILES).await, 2);
        assert_eq!(number(&first, &expected).await, 211, "the test's own expectation");
        let [of_first, of_copy] = [schema::dump(&first.target), schema::dump(&copy.target)];
        assert_eq!(of_copy.await.unwrap(), of_first.await.unwrap());
    })
    .await;
    assert_eq!(states(&copy, FILES).await, "aa");
    assert_eq!(up(&copy, FILES).await, 0, "nothing is left to do");
    let added = [FILES, &[("3_more.up.sql", "INSERT INTO a (id) VALUES (8);")]].concat();
    assert_eq!(up(&copy, &added).await, 1);
    assert_eq!(number(&copy, "SELECT COUNT(*) FROM log").await, 3, "the trigger is there");
}

async fn a_copy_is_nobody_else_s(copy: TestDatabase) {
    with_database_from(&TEMPLATE, copy.engine, async |other: TestDatabase| {
        let drop = [FILES, &[("3_gone.up.sql", "DROP VIEW v;")]].concat();
        assert_eq!(up(&other, &drop).await, 1);
        assert_eq!(number(&copy, "SELECT COUNT(*) FROM v").await, 2);
    })
    .await;
}

/// However many ask for copies at once.
#[tokio::test]
async fn the_migrations_run_once() {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    static COUNTED: Template = Template::new(|| {
        MADE.fetch_add(1, Ordering::SeqCst);
        migrations()
    });
    let copy = || {
        with_database_from(&COUNTED, Engine::Sqlite, async |copy: TestDatabase| {
            assert_eq!(states(&copy, FILES).await, "aa");
        })
    };
    tokio::join!(copy(), copy(), copy());
    assert_eq!(MADE.load(Ordering::SeqCst), 1);
}
