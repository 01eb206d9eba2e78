use super::super::rows::Row;
use super::super::{Tool, dbmate, flyway, sequelize, sqlx_cli};
use super::*;

fn files(names: &[&str]) -> Migrations {
    let names: Vec<String> = names.iter().map(|name| format!("{name}.up.sql")).collect();
    Migrations::from_files(names.iter().map(|name| (name.as_str(), "SELECT 1;\n"))).unwrap()
}

/// Compares rows with files of these names.
fn adopt(tool: Tool, rows: Vec<Row>, names: &[&str]) -> Adoption {
    let recorded = match tool {
        Tool::Sqlx => sqlx_cli::recorded(rows),
        Tool::Sequelize => sequelize::recorded(rows),
        Tool::Dbmate => dbmate::recorded(rows),
        Tool::Flyway => flyway::recorded(rows),
    };
    adoption(recorded, &files(names), Dialect::MySql)
}

fn row(version: &str, name: &str) -> Row {
    let (version, name) = (Some(version.to_owned()), Some(name.to_owned()));
    Row { version, name, success: Some(1), ..Row::default() }
}

/// Of sqlx, with a second for each version.
fn sqlx(version: &str, name: &str) -> Row {
    Row { recorded_at: version.parse().ok(), ..row(version, name) }
}

fn dbmate(versions: &[&str]) -> Vec<Row> {
    let row = |version: &&str| Row { version: Some((*version).to_owned()), ..Row::default() };
    versions.iter().map(row).collect()
}

fn sequelize(names: &[&str]) -> Vec<Row> {
    let row = |name: &&str| Row { name: Some((*name).to_owned()), ..Row::default() };
    names.iter().map(row).collect()
}

/// Of Flyway: `1.2 SQL create users`, with `!` in front if it failed and `-` for no version.
fn flyway(rows: &[&str]) -> Vec<Row> {
    let row = |text: &&str| {
        let (success, text) = text.strip_prefix('!').map_or((1, *text), |text| (0, text));
        let parts: Vec<&str> = text.splitn(3, ' ').collect();
        let version = Some(parts[0].to_owned()).filter(|version| version != "-");
        let (kind, name) = (Some(parts[1].to_owned()), Some(parts[2].to_owned()));
        Row { version, name, kind, success: Some(success), ..Row::default() }
    };
    rows.iter().map(row).collect()
}

fn versions(adoption: &Adoption) -> Vec<i64> {
    adoption.applied.iter().map(|adopted| adopted.version).collect()
}

fn texts<T: ToString>(findings: &[T]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

/// Adopted these versions, with one note that contains each of the parts, and no problem.
#[track_caller]
fn assert_note(adoption: &Adoption, adopted: &[i64], parts: &[&str]) {
    assert_eq!(versions(adoption), adopted);
    assert_eq!(texts(&adoption.problems), [""; 0]);
    let [note] = texts(&adoption.notes).try_into().unwrap();
    assert!(parts.iter().all(|part| note.contains(part)), "{note}");
}

/// Adopted these versions, with one problem that contains each of the parts.
#[track_caller]
fn assert_problem(adoption: &Adoption, adopted: &[i64], parts: &[&str]) {
    assert_eq!(versions(adoption), adopted);
    let [problem] = texts(&adoption.problems).try_into().unwrap();
    assert!(parts.iter().all(|part| problem.contains(part)), "{problem}");
}

/// Adopted these versions, and there is nothing to say.
#[track_caller]
fn assert_plain(adoption: &Adoption, adopted: &[i64]) {
    assert_eq!(versions(adoption), adopted);
    assert_eq!(texts(&adoption.notes), [""; 0]);
    assert_eq!(texts(&adoption.problems), [""; 0]);
}

#[test]
fn what_is_recorded_and_has_a_file_is_adopted() {
    let names = &["0001_create_users", "0002_add-posts", "0003_pending"];
    let adoption =
        adopt(Tool::Sqlx, vec![sqlx("1", "create users"), sqlx("2", "add-posts")], names);
    assert_plain(&adoption, &[1, 2]);
    assert_eq!(adoption.applied[1].name, "add-posts");
    assert_eq!(adoption.applied[1].applied_at, Some(2_000_000));

    assert_plain(&adopt(Tool::Dbmate, dbmate(&["0001", "2"]), names), &[1, 2]);
    let rows = sequelize(&["0001-create-users.js", "2-add-posts.d.ts"]);
    assert_plain(&adopt(Tool::Sequelize, rows, names), &[1, 2]);
    let rows = flyway(&["- SCHEMA `app`", "1 SQL create users", "2.0 JDBC Add Posts"]);
    assert_plain(&adopt(Tool::Flyway, rows, names), &[1, 2]);
}

#[test]
fn a_history_without_rows_adopts_nothing() {
    for tool in Tool::ALL {
        assert_plain(&adopt(tool, Vec::new(), &["1_a"]), &[]);
    }
}

#[test]
fn a_failed_one_is_for_a_person_to_decide() {
    let failed = Row { success: Some(0), ..sqlx("2", "b") };
    let adoption = adopt(Tool::Sqlx, vec![sqlx("1", "a"), failed], &["1_a", "2_b"]);
    assert_problem(&adoption, &[1], &["2 (b)", "failed", "success = 1", "delete the row"]);

    let rows = flyway(&["1 SQL a", "!2 SQL b"]);
    assert_problem(&adopt(Tool::Flyway, rows, &["1_a", "2_b"]), &[1], &["2 (b)", "failed"]);
}

#[test]
fn a_record_without_a_file_is_a_problem_unless_the_history_was_cut_off_before() {
    // Between two files, and newer than every file.
    for recorded in ["2", "9"] {
        let adoption = adopt(Tool::Dbmate, dbmate(&["1", recorded]), &["1_a", "3_c"]);
        let problem = format!("{recorded} was applied here and has no file");
        assert_problem(&adoption, &[1], &[&problem, "Add the file", "delete its row"]);
    }
    let adoption = adopt(Tool::Dbmate, dbmate(&["1", "2", "5"]), &["5_e"]);
    assert_note(&adoption, &[5], &["older than every file", "1, 2"]);
}

#[test]
fn a_file_that_was_left_out_is_told() {
    let adoption = adopt(Tool::Dbmate, dbmate(&["1", "4"]), &["1_a", "2_b", "3_c", "4_d", "5_e"]);
    assert_note(&adoption, &[1, 4], &["version 4", "2_b.up.sql, 3_c.up.sql", "--out-of-order"]);
}

#[test]
fn another_name_or_text_is_told() {
    let adoption = adopt(Tool::Sequelize, sequelize(&["1-users.js"]), &["1_create_users"]);
    assert_note(&adoption, &[1], &["1-users.js", "1_create_users.up.sql", "another name"]);

    let edited = Row { checksum: Some("00".repeat(48)), ..sqlx("1", "a") };
    let adoption = adopt(Tool::Sqlx, vec![edited], &["1_a"]);
    assert_note(&adoption, &[1], &["1_a.up.sql", "checksum differs"]);

    let mut edited = flyway(&["1 SQL a"]);
    edited[0].checksum = Some("-7".to_owned());
    let adoption = adopt(Tool::Flyway, edited, &["1_a"]);
    assert_note(&adoption, &[1], &["1_a.up.sql", "checksum differs"]);
}

#[test]
fn a_record_without_a_version_or_with_one_of_another_is_a_problem() {
    for (record, reason) in [
        ("create-user.js", "does not begin with a version"),
        ("99999999999999999999-a.js", "does not fit 63 bits"),
    ] {
        let adoption = adopt(Tool::Sequelize, sequelize(&[record]), &["1_a"]);
        assert_problem(&adoption, &[], &[record, reason]);
    }
    let adoption =
        adopt(Tool::Sequelize, sequelize(&["1-a.js", "1-b.js", "2-c.js"]), &["1_a", "2_c"]);
    assert_problem(&adoption, &[2], &["1-a.js and 1-b.js", "version 1"]);
    let adoption = adopt(Tool::Flyway, flyway(&["1.x SQL a"]), &["1_a"]);
    assert_problem(&adoption, &[], &["1.x (a)", "not made of numbers"]);
}

#[test]
fn flyway_s_dotted_versions_are_matched_by_name() {
    let rows = || flyway(&["1 SQL create users", "1.1 SQL add posts", "2 SQL add chats"]);
    let names = &["0001_create_users", "0002_add_posts", "0003_add_chats", "0004_new"];
    assert_plain(&adopt(Tool::Flyway, rows(), names), &[1, 2, 3]);
    // A zero at the end does not count.
    let adoption = adopt(Tool::Flyway, flyway(&["1.0 SQL one"]), &["1_first"]);
    assert_note(&adoption, &[1], &["1.0 (one)", "1_first.up.sql", "another name"]);

    let adoption = adopt(Tool::Flyway, rows(), &["1_create_users", "2_add_posts", "3_add_posts"]);
    let problems = texts(&adoption.problems);
    assert!(problems[0].contains("2_add_posts.up.sql, 3_add_posts.up.sql"), "{problems:?}");
    assert!(problems[1].contains("2 (add chats)"), "{problems:?}");
    assert_eq!(versions(&adoption), [1]);
}

#[test]
fn files_that_were_numbered_in_another_order_are_told() {
    // As text, 1.10 comes before 1.9.
    let rows = flyway(&["1.9 SQL nine", "1.10 SQL ten"]);
    let adoption = adopt(Tool::Flyway, rows, &["1_ten", "2_nine"]);
    assert_note(&adoption, &[1, 2], &["1.10 (ten)", "after 2_nine.up.sql", "1_ten.up.sql"]);
}

#[test]
fn what_flyway_undid_or_deleted_is_not_applied() {
    let rows = flyway(&["1 SQL a", "2 SQL b", "2 UNDO_SQL b", "3 SQL c", "3 DELETE c"]);
    assert_plain(&adopt(Tool::Flyway, rows, &["1_a", "2_b", "3_c"]), &[1]);
    let rows = flyway(&["1 SQL a", "2 SQL b", "2 UNDO_SQL b", "2 SQL b"]);
    assert_plain(&adopt(Tool::Flyway, rows, &["1_a", "2_b"]), &[1, 2]);
    let rows = flyway(&["1 SQL a", "!1 UNDO_SQL a"]);
    assert_problem(&adopt(Tool::Flyway, rows, &["1_a"]), &[], &["1 (a)", "failed"]);
}

#[test]
fn flyway_s_baseline_covers_the_files_up_to_it() {
    let rows = || flyway(&["2 BASELINE << Flyway Baseline >>", "3 SQL c"]);
    let names = &["1_a", "2_b", "3_c", "4_d"];
    let adoption = adopt(Tool::Flyway, rows(), names);
    assert_note(&adoption, &[1, 2, 3], &["version 2", "1_a.up.sql, 2_b.up.sql"]);
    assert_note(&adopt(Tool::Flyway, rows(), &["3_c"]), &[3], &["version 2", "no file"]);

    let rows = flyway(&["2.5 BASELINE << Flyway Baseline >>", "3 SQL c"]);
    let adoption = adopt(Tool::Flyway, rows, names);
    assert_eq!(versions(&adoption), [3]);
    let problems = texts(&adoption.problems);
    assert!(problems[0].contains("no whole number") && problems.len() == 1, "{problems:?}");
}

#[test]
fn flyway_s_repeatables_are_left_behind() {
    let rows = flyway(&["1 SQL a", "- SQL views", "- SQL views", "- SQL old", "- DELETE old"]);
    assert_note(&adopt(Tool::Flyway, rows, &["1_a"]), &[1], &["\"views\"", "new migration"]);
    let rows = flyway(&["!- SQL views"]);
    assert_problem(&adopt(Tool::Flyway, rows, &["1_a"]), &[], &["\"views\"", "failed"]);
}
