//! The job that releases: the configuration of `CircleCI` holds no mistake that shows only when it runs.

use std::path::Path;
use std::process::Command;

use crate::{python, root};

/// What is wrong with a configuration, as `dev/parts/check_circleci.py` says.
fn wrong(python: &str, config: &Path) -> String {
    let mut command = Command::new(python);
    command.arg(root().join("dev/parts/check_circleci.py")).arg(config).arg(root());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.success(), said.is_empty(), "{said}\n{error}");
    said
}

#[test]
fn the_configuration_is_one_that_runs() {
    let Some(python) = python() else { return };
    let own = root().join(".circleci/config.yml");
    assert_eq!(wrong(&python, &own), "");

    let text = std::fs::read_to_string(own).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yml");
    let requires = "requires: [test, image]";
    let main = "filters: { branches: { only: main } }";
    for (right, mistake, words) in [
        (
            "resource_class: large\n    environment",
            "resource_clas: large\n    environment",
            "the schema is not kept",
        ),
        (requires, "requires: [tests, image]", "deploy requires tests, which is not in it"),
        (
            "      - test\n",
            "      - test: { requires: [deploy] }\n",
            "these wait for each other: deploy → test → deploy",
        ),
        ("      - image\n", "      - images\n", "there is no job images"),
        (
            main,
            "filters: { tags: { only: /.*/ } }",
            "deploy runs for tags, and test, which it requires, does not",
        ),
        (
            "      - image\n",
            "      - image: { filters: { branches: { only: dev } } }\n",
            "never run for the same branch",
        ),
        ("command: dev/test", "command: dev/tests", "dev/tests is not in the repository"),
        ("--package deploy", "--package deployer", "there is no package deployer"),
        (
            "- restore: { name: test }",
            "- restored: { name: test }",
            "there is no step or command restored",
        ),
        ("cimg/mysql:8.4", "cimg/mysql", "the image cimg/mysql is another one every day"),
        (
            "MYSQL_ALLOW_EMPTY_PASSWORD: \"yes\"",
            "MYSQL_ROOT_PASSWORD: hunter2",
            "a secret in clear",
        ),
        ("mysql://root@127.0.0.1", "mysql://root:hunter2@127.0.0.1", "a secret in clear"),
    ] {
        assert!(text.contains(right), "{right}");
        std::fs::write(&path, text.replacen(right, mistake, 1)).unwrap();
        let said = wrong(&python, &path);
        assert!(said.contains(words), "{mistake}: {said}");
    }
}
