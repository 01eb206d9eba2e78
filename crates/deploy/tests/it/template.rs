//! The template of `CloudFormation`: no mistake that AWS would find, and rights for all that a release does.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::{python, root};

fn template() -> PathBuf {
    root().join("crates/deploy/templates/service.yml")
}

/// Everything that cfn-lint says, warnings too.
fn wrong(python: &str, template: &PathBuf) -> String {
    let mut command = Command::new(python);
    command.args(["-c", "from cfnlint.runner import main; main()"]);
    command.args(["-r", "eu-central-1", "us-east-1", "--"]).arg(template);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.success(), said.is_empty(), "{said}");
    said
}

#[test]
fn cfn_lint_finds_nothing_in_it_and_something_in_others() {
    let Some(python) = python() else { return };
    assert_eq!(wrong(&python, &template()), "");
    let text = fs::read_to_string(template()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (right, mistake, code) in [
        ("MinimumHealthyPercent", "MinimumHealthyPercnt", "E3002"),
        ("!GetAtt Log.Arn", "!GetAtt Logs.Arn", "E1010"),
        ("EngineVersion: 8.4.7", "EngineVersion: \"8.4\"", "E3691"),
    ] {
        let path = folder.path().join("template.yml");
        fs::write(&path, text.replacen(right, mistake, 1)).unwrap();
        let said = wrong(&python, &path);
        assert!(said.contains(code), "{mistake}: {said}");
    }
}

/// The role may do what the client asks for, wherever in the library it does, and little else.
#[test]
fn the_release_role_may_do_what_a_release_does() {
    let text = fs::read_to_string(template()).unwrap();
    let role = text.split("  ReleaseRole:\n").nth(1).unwrap();
    let role = role.split("  # Container instances").next().unwrap();
    let mut operations = 0;
    for file in ["ecs.rs", "image.rs", "logs.rs", "task.rs", "verify.rs"] {
        let source = root().join("crates/deploy/src").join(file);
        let source = fs::read_to_string(source).unwrap();
        for (service, call) in [
            ("ecs", "Aws::Ecs, \""),
            ("ecr", "Aws::Ecr, \""),
            ("ecr", "Service::Ecr, \""),
            ("elasticloadbalancing", "Aws::Elb, \""),
            ("logs", "Aws::Logs, \""),
            ("secretsmanager", "Aws::SecretsManager, \""),
            ("ssm", "Aws::Ssm, \""),
        ] {
            for rest in source.split(call).skip(1) {
                let operation = format!("{service}:{}", rest.split('"').next().unwrap());
                assert!(role.contains(&operation), "{operation} of {file} is not allowed");
                operations += 1;
            }
        }
    }
    assert!(operations >= 16, "{operations}");
}
