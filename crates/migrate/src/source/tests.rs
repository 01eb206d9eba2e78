use super::*;

/// The problems of a set of files, one per line.
fn problems(files: &[(&str, &str)]) -> Vec<String> {
    let error = Migrations::embedded(files).unwrap_err();
    error.problems.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn assert_only_problem(files: &[(&str, &str)], part: &str) {
    let problems = problems(files);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains(part), "{problems:?}");
}

#[test]
fn migrations_are_ordered_by_number_and_not_by_text() {
    let migrations = Migrations::embedded(&[
        ("10_c.up.sql", "SELECT 10;"),
        ("9_b.up.sql", "SELECT 9;"),
        ("0001_a.up.sql", "SELECT 1;"),
        ("0001_a.down.sql", "SELECT -1;"),
        ("README.md", "not SQL"),
    ])
    .unwrap();
    let versions: Vec<i64> = migrations.iter().map(Migration::version).collect();
    assert_eq!(versions, [1, 9, 10]);
    let first = migrations.iter().next().unwrap();
    assert_eq!(first.down(Dialect::Sqlite).unwrap().as_deref(), Some("SELECT -1;"));
    assert_eq!(first.file(Dialect::MySql), "0001_a.up.sql");
}

#[test]
fn each_dialect_gets_its_own_text_and_checksum() {
    let migrations = Migrations::embedded(&[
        ("1_a.mysql.up.sql", "SELECT 'mysql';"),
        ("1_a.sqlite.up.sql", "SELECT 'sqlite';"),
        ("1_a.down.sql", "SELECT 'both';"),
    ])
    .unwrap();
    let only = migrations.iter().next().unwrap();
    assert_eq!(only.up(Dialect::MySql).unwrap(), "SELECT 'mysql';");
    assert_eq!(only.up(Dialect::Sqlite).unwrap(), "SELECT 'sqlite';");
    assert_eq!(only.file(Dialect::Sqlite), "1_a.sqlite.up.sql");
    assert_ne!(only.checksum(Dialect::MySql), only.checksum(Dialect::Sqlite));
    assert_eq!(only.down(Dialect::MySql).unwrap(), only.down(Dialect::Sqlite).unwrap());
}

#[test]
fn two_migrations_with_one_version_are_refused() {
    assert_only_problem(
        &[("0001_a.up.sql", "SELECT 1;"), ("0001_b.up.sql", "SELECT 2;")],
        "0001_a and 0001_b have the same version 1",
    );
    assert_only_problem(
        &[("0001_a.up.sql", "SELECT 1;"), ("1_a.up.sql", "SELECT 1;")],
        "0001_a and 1_a have the same version 1",
    );
    assert_only_problem(
        &[("0001_a.up.sql", "SELECT 1;"), ("0001_a.up.sql", "SELECT 1;")],
        "given twice",
    );
}

#[test]
fn half_a_pair_is_refused() {
    assert_only_problem(&[("1_a.mysql.up.sql", "SELECT 1;")], "add 1_a.sqlite.up.sql");
    assert_only_problem(&[("1_a.sqlite.up.sql", "SELECT 1;")], "add 1_a.mysql.up.sql");
    assert_only_problem(
        &[("1_a.up.sql", "SELECT 1;"), ("1_a.mysql.down.sql", "SELECT 1;")],
        "add 1_a.sqlite.down.sql",
    );
}

#[test]
fn a_plain_file_beside_a_pair_is_refused() {
    let files = [
        ("1_a.up.sql", "SELECT 1;"),
        ("1_a.mysql.up.sql", "SELECT 1;"),
        ("1_a.sqlite.up.sql", "SELECT 1;"),
    ];
    assert_only_problem(&files, "keep the one, or the pair");
    assert_only_problem(&files[..2], "keep the one, or the pair");
}

#[test]
fn a_down_file_needs_an_up_file() {
    assert_only_problem(&[("1_a.down.sql", "SELECT 1;")], "add 1_a.up.sql");
}

#[test]
fn nothing_to_apply_is_refused() {
    assert_only_problem(&[], "there is none");
    assert_only_problem(&[("README.md", "x")], "there is none");
    assert_only_problem(&[("1_a.up.sql", "\u{feff} \r\n")], "1_a.up.sql is empty");
}

#[test]
fn everything_that_is_wrong_is_reported_at_once() {
    let found = problems(&[
        ("first.up.sql", "SELECT 1;"),
        ("2_b.mysql.up.sql", "SELECT 1;"),
        ("3_c.down.sql", "SELECT 1;"),
        ("4_d.up.sql", ""),
    ]);
    assert_eq!(found.len(), 4, "{found:?}");
}

#[test]
fn a_folder_is_read_without_its_other_files() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("0001_a.up.sql"), "SELECT 1;\r\n").unwrap();
    std::fs::write(dir.path().join("notes.txt"), [0xff]).unwrap();
    std::fs::create_dir(dir.path().join("old.sql")).unwrap();
    let migrations = Migrations::from_dir(dir.path()).unwrap();
    assert_eq!(migrations.iter().len(), 1);
}

#[test]
fn what_stands_in_a_folder_is_read_when_it_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("1_a.sql", "-- migrate:up\nSELECT 1;\r\n-- migrate:down\nSELECT -1;\n");
    write("2_b.sql", "SELECT 2;");
    write("2_b.down.sql", "SELECT -2;");
    write("3_c.mysql.sql", "-- migrate:up\nSELECT 3;\n-- migrate:down\nSELECT -3;");
    write("3_c.sqlite.sql", "-- migrate:up\nSELECT 33;\n-- migrate:down\nSELECT -33;");
    let migrations = Migrations::from_dir(dir.path()).unwrap();
    let on = Dialect::Sqlite;
    let texts: Vec<_> = migrations
        .iter()
        .map(|migration| {
            let down = migration.down(on).unwrap().unwrap_or_default().trim().to_owned();
            (migration.file(on), migration.up(on).unwrap().trim().to_owned(), down)
        })
        .collect();
    let owned = |file: &str, up: &str, down: &str| (file.into(), up.into(), down.into());
    assert_eq!(
        texts,
        [
            owned("1_a.sql", "SELECT 1;", "SELECT -1;"),
            owned("2_b.sql", "SELECT 2;", "SELECT -2;"),
            owned("3_c.sqlite.sql", "SELECT 33;", "SELECT -33;"),
        ]
    );
    assert_eq!(migrations.get(2).unwrap().down_file(on), "2_b.down.sql");

    write("1_a.sql", "-- migrate:up\nSELECT 1; \n-- migrate:down\nSELECT -4;\n");
    let first = migrations.get(1).unwrap();
    assert!(first.up(on).is_ok(), "only the way back is another one");
    let error = first.down(on).unwrap_err().to_string();
    assert!(error.contains("1_a.sql changed while it was being used: run again"), "{error}");
    std::fs::remove_file(dir.path().join("2_b.sql")).unwrap();
    let error = migrations.get(2).unwrap().up(on).unwrap_err().to_string();
    assert!(error.contains("2_b.sql cannot be read"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_used_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let error = Migrations::from_dir(dir.path()).unwrap_err().to_string();
    assert!(error.contains("there is none"), "{error}");

    std::fs::write(dir.path().join("0001_a.up.sql"), [b'S', 0xff]).unwrap();
    let error = Migrations::from_dir(dir.path()).unwrap_err().to_string();
    assert!(error.contains("0001_a.up.sql is not UTF-8"), "{error}");

    let error = Migrations::from_dir(&dir.path().join("absent")).unwrap_err().to_string();
    assert!(error.contains("absent cannot be read"), "{error}");
}
