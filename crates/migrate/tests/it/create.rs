//! New migrations: files that can be applied at once, never over others, however many make them.

use std::collections::BTreeSet;
use std::path::Path;

use migrate::create::{Created, create};
use migrate::{Migration, Migrations};

fn file_names(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_new_pair_is_a_migration_after_all_others() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("migrations");
    let first = create(&folder, "Add users").unwrap();
    let second = create(&folder, "Add users").unwrap();
    assert!(first.version >= 20_260_101_000_000, "{first:?}");
    assert!(second.version > first.version);
    assert_eq!(file_names(&folder).len(), 4);
    let migrations = Migrations::from_dir(&folder).unwrap();
    let versions: Vec<i64> = migrations.iter().map(Migration::version).collect();
    assert_eq!(versions, [first.version, second.version]);
    assert!(migrations.iter().all(|migration| migration.name() == "add_users"));
    for file in first.files.iter().chain(&second.files) {
        assert!(std::fs::read_to_string(file).unwrap().contains("add users\n"));
    }
}

#[test]
fn a_folder_that_counts_goes_on_counting() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("0007_a.up.sql"), "SELECT 1;").unwrap();
    let Created { version, files } = create(folder.path(), "b").unwrap();
    assert_eq!(version, 8);
    assert_eq!(files, [folder.path().join("0008_b.up.sql"), folder.path().join("0008_b.down.sql")]);
}

#[test]
fn a_folder_of_single_files_gets_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("20200101000000_a.sql");
    std::fs::write(old, "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;\n").unwrap();
    let created = create(folder.path(), "b").unwrap();
    let [file] = created.files.as_slice() else { panic!("{created:?}") };
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains("\n-- migrate:up\n") && text.contains("\n-- migrate:down\n"), "{text}");
}

#[test]
fn a_folder_that_can_not_be_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent/migrations");
    let error = create(&absent, "a").unwrap_err().to_string();
    assert!(error.contains("absent/migrations") && error.contains("--source"), "{error}");
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = create(&file, "a").unwrap_err().to_string();
    assert!(error.contains("can be neither read nor made"), "{error}");
    assert_eq!(file_names(folder.path()), ["file"]);
}

/// Twenty at once, each with a name of its own, so that not even their files' names collide.
fn race(folder: &Path, name: impl Fn(usize) -> String + Sync) {
    let barrier = std::sync::Barrier::new(20);
    let created: Vec<Created> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..20)
            .map(|nth| {
                let (barrier, name) = (&barrier, &name);
                scope.spawn(move || {
                    barrier.wait();
                    create(folder, &name(nth)).unwrap()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let versions: BTreeSet<i64> = created.iter().map(|created| created.version).collect();
    assert_eq!(versions.len(), 20, "{versions:?}");
    let files: BTreeSet<_> = created.iter().flat_map(|created| &created.files).collect();
    assert_eq!(files.len(), 40);
    for (nth, created) in created.iter().enumerate() {
        for file in &created.files {
            let text = std::fs::read_to_string(file).unwrap();
            assert!(text.contains(&format!("{}\n", name(nth).replace('_', " "))), "{text}");
        }
    }
    Migrations::from_dir(folder).unwrap();
}

#[test]
fn twenty_at_once_get_twenty_versions() {
    let folder = tempfile::tempdir().unwrap();
    race(folder.path(), |nth| format!("table_{nth}"));
    let folder = tempfile::tempdir().unwrap();
    race(folder.path(), |_| "same".to_owned());
    let counting = tempfile::tempdir().unwrap();
    std::fs::write(counting.path().join("0001_a.up.sql"), "SELECT 1;").unwrap();
    race(counting.path(), |nth| format!("table_{nth}"));
    assert!(file_names(counting.path()).iter().any(|name| name.starts_with("0021_table_")));
    let absent = tempfile::tempdir().unwrap();
    race(&absent.path().join("new"), |nth| format!("table_{nth}"));
}
