//! Every rule finds something in its bad example, and nothing in its good one.

use std::fmt::Write as _;
use std::path::Path;

use super::rules::ALL;
use super::*;

/// What is there before the examples.
const BASE: &str = "\
CREATE TABLE users (
    id INT NOT NULL PRIMARY KEY,
    email VARCHAR(200) NOT NULL,
    name VARCHAR(100) NULL,
    bio TEXT NULL,
    age INT NOT NULL DEFAULT 0,
    state ENUM('new','active','gone') NOT NULL DEFAULT 'new',
    created_at BIGINT NOT NULL,
    KEY users_name (name)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE orders (
    id BIGINT NOT NULL PRIMARY KEY,
    user_id INT NOT NULL,
    quantity INT NOT NULL DEFAULT 1
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE VIEW adults AS SELECT id, email FROM users WHERE age >= 18;
";

/// The files of an example: one, or those that its marks name.
fn files(example: &str) -> Vec<(String, String)> {
    let mut files = vec![("0001_base.up.sql".to_owned(), BASE.to_owned())];
    for part in example.split("-- file: ").filter(|part| !part.trim().is_empty()) {
        let named = example.contains("-- file: ").then(|| part.split_once('\n')).flatten();
        let (name, text) = named.unwrap_or(("0002_change.up.sql", part));
        files.push((name.to_owned(), text.to_owned()));
    }
    files
}

/// What is found when the base is merged already. What is for both databases is so only for the
/// rules about that.
fn found(example: &str, both: bool) -> Vec<Finding> {
    let files = files(example);
    let named = files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let migrations = Migrations::from_files(named).unwrap();
    let new = files.iter().skip(1).map(|(name, _)| name.clone()).collect();
    let since = Some(Since { new, newest: Some(1), ..Since::default() });
    let only = (!both).then_some(Dialect::MySql);
    lint(&migrations, &LintOptions { since, only }).unwrap()
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// Compares a text with a file; with `UPDATE_SNAPSHOTS` set, writes the file.
fn assert_snapshot(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lint/snapshots").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{name}; UPDATE_SNAPSHOTS=1 writes it anew");
}

#[test]
fn every_rule_finds_its_bad_example_and_not_its_good_one() {
    for rule in ALL.iter().filter(|rule| !rule.bad.is_empty()) {
        let both = rule.id.starts_with("PT");
        let mut text = String::new();
        for (title, example) in [("bad", rule.bad), ("good", rule.good)] {
            let findings = found(example, both);
            let own: Vec<&Finding> =
                findings.iter().filter(|finding| finding.rule == rule.id).collect();
            assert_eq!(own.is_empty(), title == "good", "{} {title}: {findings:#?}", rule.id);
            let findings: Vec<Finding> =
                findings.into_iter().filter(|finding| finding.rule != "FL03").collect();
            // What is recommended must not be found wrong by another rule.
            assert!(title == "bad" || findings.is_empty(), "{}: {findings:#?}", rule.id);
            let shown = plain(&render(&findings, Format::Text, ""));
            write!(text, "# {title}\n{example}\n\n# found\n{shown}\n").unwrap();
        }
        assert_snapshot(&format!("{}.txt", rule.id), &text);
    }
}

#[test]
fn every_rule_explains_itself() {
    for rule in ALL {
        let text = explain(rule.id).unwrap();
        for part in [rule.title, rule.why, rule.safe] {
            assert!(!part.is_empty() && text.contains(part), "{}", rule.id);
        }
    }
    assert_eq!(explain("bc03"), explain("BC03"));
    assert_eq!(explain("BC99"), None);
    assert_snapshot("explain.txt", &plain(&explain("BC03").unwrap()));
    assert_snapshot("rules.txt", &rules());
}

#[test]
fn ids_are_given_once() {
    let ids: BTreeSet<&str> = ALL.iter().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), ALL.len());
}

#[test]
fn the_migrations_of_this_repository_have_no_errors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let migrations = Migrations::from_dir(&folder).unwrap();
    let findings = lint(&migrations, &LintOptions::default()).unwrap();
    assert!(!has_errors(&findings), "{}", plain(&render(&findings, Format::Text, "")));
}

fn lines(files: &[(&str, &str)], options: &LintOptions) -> Vec<String> {
    let migrations = Migrations::from_files(files.iter().copied()).unwrap();
    let findings = lint(&migrations, options).unwrap();
    let line = |finding: &Finding| format!("{}:{} {}", finding.file, finding.line, finding.rule);
    findings.iter().map(line).collect()
}

#[test]
fn habits_of_editors_and_a_missing_way_back_are_told() {
    let options = LintOptions { only: Some(Dialect::MySql), ..LintOptions::default() };
    let files = [("1_a.up.sql", "\u{feff}SELECT 1;\r\n"), ("2_b.up.sql", "SELECT 1;")];
    let expected =
        ["1_a.up.sql:1 FL01", "1_a.up.sql:1 FL02", "1_a.up.sql:1 FL03", "2_b.up.sql:1 FL03"];
    assert_eq!(lines(&files, &options), expected);
    let down = |name| (name, "SELECT 1;");
    let counted = ["1_a.up.sql", "1_a.down.sql", "2_b.up.sql", "2_b.down.sql", "5_c.sql"].map(down);
    assert_eq!(lines(&counted, &options), ["5_c.sql:1 FL03", "5_c.sql:1 FL06"]);
    let both_ways = [("1_a.sql", "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;")];
    assert_eq!(lines(&both_ways, &options), [""; 0]);
}

#[test]
fn what_is_allowed_with_a_reason_is_not_found() {
    let options = LintOptions { only: Some(Dialect::MySql), ..LintOptions::default() };
    let down = ("1_a.down.sql", "SELECT 1;");
    let found = |text: &str| lines(&[("1_a.up.sql", text), down], &options);
    assert_eq!(found("SELECT 1;\nDROP TABLE a;"), ["1_a.up.sql:2 BC02"]);
    assert_eq!(found("-- migrate: allow=BC02 reason=\"x\"\nDROP TABLE a;"), [""; 0]);
    // For the statement below it alone, unless it is for the file.
    let two = "DROP TABLE a;\nDROP VIEW b;\nDROP TABLE c;";
    let one = found(&format!("-- migrate: allow=BC02,BC11 reason=\"x\"\n{two}"));
    assert_eq!(
        one,
        ["1_a.up.sql:2 LT02", "1_a.up.sql:3 AT02", "1_a.up.sql:3 BC11", "1_a.up.sql:4 BC02"]
    );
    let file = found(&format!("-- migrate: allow-file=BC02,BC11,AT02 reason=\"x\"\n{two}"));
    assert_eq!(file, [""; 0]);
    // The reason for a copy, which the runner reads, is one for rules about copies.
    let copy =
        "-- migrate: allow=copy reason=\"few\"\nALTER TABLE t CONVERT TO CHARACTER SET utf8mb4;";
    assert_eq!(found(copy), [""; 0]);
}

#[test]
fn a_table_of_the_same_release_is_used_by_nobody() {
    let options = LintOptions { only: Some(Dialect::MySql), ..LintOptions::default() };
    let make = "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, a INT NULL);";
    let change = "ALTER TABLE t MODIFY a SMALLINT NOT NULL, ADD COLUMN b INT NOT NULL;";
    let down = ("1_a.down.sql", "SELECT 1;");
    let together = format!("{make}\n{change}");
    assert_eq!(lines(&[("1_a.up.sql", &together), down], &options), [""; 0]);
    let apart = [("1_a.up.sql", make), down, ("2_b.up.sql", change), ("2_b.down.sql", "SELECT 1;")];
    let expected =
        ["2_b.up.sql:1 BC05", "2_b.up.sql:1 BC06", "2_b.up.sql:1 BC07", "2_b.up.sql:1 LK01"];
    assert_eq!(lines(&apart, &options), expected);
    let new = apart.iter().map(|(name, _)| (*name).to_owned()).collect();
    let since = Some(Since { new, ..Since::default() });
    assert_eq!(lines(&apart, &LintOptions { since, ..options }), [""; 0]);
}

#[test]
fn what_the_files_do_not_tell_is_said() {
    let options = LintOptions { only: Some(Dialect::MySql), ..LintOptions::default() };
    let text = "ALTER TABLE unknown MODIFY a INT NOT NULL DEFAULT 1;";
    let files = [("1_a.up.sql", text), ("1_a.down.sql", "SELECT 1;")];
    let migrations = Migrations::from_files(files).unwrap();
    let findings = lint(&migrations, &options).unwrap();
    let told: Vec<(&str, Severity)> =
        findings.iter().map(|finding| (finding.rule, finding.severity)).collect();
    assert_eq!(told, [("BC05", Severity::Info), ("LK01", Severity::Info)]);
    assert!(findings.iter().all(|finding| finding.message.starts_with("cannot judge")));
}

#[test]
fn findings_are_written_for_people_programs_and_ci() {
    let finding = |rule, severity, message: &str| Finding {
        rule,
        severity,
        file: "1_a,b.up.sql".to_owned(),
        line: 3,
        statement: Some(2),
        message: message.to_owned(),
    };
    let findings = [
        finding("BC03", Severity::Error, "100 % <gone>: \"x\"\nsecond line"),
        finding("FL03", Severity::Info, "no way back"),
    ];
    for (format, name) in [
        (Format::Text, "render.text"),
        (Format::Json, "render.json"),
        (Format::Github, "render.github"),
        (Format::Junit, "render.junit.xml"),
    ] {
        assert_snapshot(name, &plain(&render(&findings, format, "./db/migrations/")));
    }
    assert!(render(&[], Format::Junit, "").contains("tests=\"1\" failures=\"0\""));
    assert!(render(&findings, Format::Text, "").contains('\u{1b}'), "colours");
}

#[test]
fn git_tells_what_is_new_and_what_was_edited() {
    let folder = tempfile::tempdir().unwrap();
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
        let mut command = std::process::Command::new("git");
        let output = command.arg("-C").arg(folder.path()).args(identity).args(arguments).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    };
    let write = |name: &str, text: &str| {
        let path = folder.path().join("db/migrations").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    git(&["init", "-q", "-b", "main"]);
    for name in ["1_a.up.sql", "2_b.up.sql", "3_c.up.sql"] {
        write(name, "SELECT 1;\nSELECT 2;\n");
    }
    git(&["add", "."]);
    git(&["commit", "-qm", "one"]);
    git(&["checkout", "-qb", "branch"]);
    write("2_b.up.sql", "SELECT 3;\n");
    // White space at the ends of lines counts for nothing.
    write("3_c.up.sql", "SELECT 1; \r\nSELECT 2;\r\n");
    write("4_d.up.sql", "SELECT 1;\n");
    git(&["add", "."]);
    git(&["commit", "-qm", "two"]);
    // Not yet committed is new, too.
    write("5_e.up.sql", "SELECT 1;\n");
    std::fs::remove_file(folder.path().join("db/migrations/1_a.up.sql")).unwrap();
    // What others merge meanwhile is not this branch's work.
    git(&["stash", "-qu"]);
    git(&["checkout", "-q", "main"]);
    write("6_f.up.sql", "SELECT 1;\n");
    git(&["add", "."]);
    git(&["commit", "-qm", "three"]);
    git(&["checkout", "-q", "branch"]);
    git(&["stash", "pop", "-q"]);

    let source = folder.path().join("db/migrations");
    let found = since(&source, "main").unwrap();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let expected = Since {
        new: names(&["4_d.up.sql", "5_e.up.sql"]),
        edited: names(&["2_b.up.sql"]),
        removed: names(&["1_a.up.sql"]),
        newest: Some(6),
    };
    assert_eq!(found, expected);
    let migrations = Migrations::from_dir(&source).unwrap();
    let options = LintOptions { since: Some(found), only: Some(Dialect::MySql) };
    let rules: Vec<(String, &str)> = lint(&migrations, &options)
        .unwrap()
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| (finding.file, finding.rule))
        .collect();
    let expected = [("1_a", "FL04"), ("2_b", "FL04"), ("4_d", "FL05"), ("5_e", "FL05")];
    assert_eq!(rules, expected.map(|(file, rule)| (format!("{file}.up.sql"), rule)));

    let error = since(&source, "no-such-branch").unwrap_err().to_string();
    assert!(error.contains("no-such-branch") && error.contains("git fetch"), "{error}");
    assert!(matches!(since(&source, "--help"), Err(SinceError::NoRef { .. })));
}

#[test]
fn a_file_for_one_database_is_judged_as_that_one_reads_it() {
    let mysql = "ALTER TABLE t MODIFY a BIGINT, DROP COLUMN b;";
    let sqlite = "ALTER TABLE t DROP COLUMN b;\nUPDATE t SET a = a || \"x\";";
    let files = [
        ("1_a.up.sql", "CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, a INT NULL, b INT NULL);"),
        ("1_a.down.sql", "DROP TABLE t;"),
        ("2_b.mysql.up.sql", mysql),
        ("2_b.sqlite.up.sql", sqlite),
        ("2_b.down.sql", "ALTER TABLE t ADD COLUMN b INT NULL;"),
    ];
    let expected = [
        "2_b.mysql.up.sql:1 BC01",
        "2_b.mysql.up.sql:1 LK01",
        // Every row at once.
        "2_b.sqlite.up.sql:1 BC01",
        "2_b.sqlite.up.sql:2 AT04",
    ];
    assert_eq!(lines(&files, &LintOptions::default()), expected);
}

#[test]
fn what_sqlite_refuses_is_found_in_files_for_all_databases_only() {
    for (text, refused) in [
        ("CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY AUTO_INCREMENT);", true),
        (
            "CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY /*! AUTO_INCREMENT */) /*! ENGINE=InnoDB */;",
            false,
        ),
        ("CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY) ENGINE=InnoDB;", true),
        ("CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, a INT, KEY (a));", true),
        ("CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, a INT, UNIQUE (a));", false),
        ("CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, state ENUM('a','b'));", true),
        ("CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, a INT(10) UNSIGNED);", true),
        ("ALTER TABLE u ADD COLUMN a INT NULL;", false),
        ("ALTER TABLE u ADD COLUMN a INT NULL, ADD COLUMN b INT NULL;", true),
        ("ALTER TABLE u ADD COLUMN a INT NOT NULL;", true),
        ("ALTER TABLE u ADD COLUMN a INT NULL AFTER b;", true),
        ("ALTER TABLE u ADD CONSTRAINT c UNIQUE (a);", true),
        ("ALTER TABLE u RENAME COLUMN a TO b;", false),
        ("/*! ALTER TABLE u ADD INDEX i (a) */;", false),
        ("CREATE UNIQUE INDEX i ON u (a);", false),
        ("DROP INDEX i ON u;", true),
        ("INSERT INTO u (a) VALUES ('ON DUPLICATE KEY');", false),
        ("INSERT INTO u (a) VALUES (1) ON DUPLICATE KEY UPDATE a = 1;", true),
        ("INSERT INTO u (a) VALUES (NOW());", true),
        ("UPDATE u SET a = 1 WHERE a = 2 LIMIT 5;", true),
        ("SET NAMES utf8mb4;", true),
        ("TRUNCATE TABLE u;", true),
    ] {
        let files = [("1_a.up.sql", text), ("1_a.down.sql", "SELECT 1;")];
        let has = |options| lines(&files, &options).iter().any(|line| line.ends_with("PT01"));
        assert_eq!(has(LintOptions::default()), refused, "{text}");
        assert!(
            !has(LintOptions { only: Some(Dialect::MySql), ..LintOptions::default() }),
            "{text}"
        );
    }
}
