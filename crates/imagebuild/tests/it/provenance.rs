//! What Git says of a real repository.

use std::path::Path;
use std::process::Command;

use imagebuild::provenance::{Facts, LOCAL, facts};

use crate::support::{is_installed, succeeds};

fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(folder).args(["-c", "user.name=t", "-c", "user.email=t@t.example"]);
    command.args(["-c", "commit.gpgsign=false"]).args(arguments);
    succeeds(&mut command).trim().to_owned()
}

#[test]
fn git_tells_of_what_an_image_was_built() {
    if !is_installed("git") {
        return;
    }
    let nothing = |_: &str| None;
    let repository = tempfile::tempdir().unwrap();
    let folder = repository.path();
    let nowhere = Facts { builder: LOCAL.to_owned(), ..Facts::default() };
    assert_eq!(facts(folder, nothing), nowhere, "no repository");
    git(folder, &["init", "--quiet", "--initial-branch", "trunk"]);
    assert_eq!(facts(folder, nothing), nowhere, "no commit");

    std::fs::create_dir(folder.join("inner")).unwrap();
    std::fs::write(folder.join("inner/a"), "1").unwrap();
    git(folder, &["add", "."]);
    git(folder, &["commit", "--quiet", "--message", "First"]);
    let commit = git(folder, &["rev-parse", "HEAD"]);
    git(folder, &["remote", "add", "origin", "https://me:geheim@git.example/app.git"]);
    let clean = Facts {
        repository: Some("https://git.example/app.git".to_owned()),
        commit: Some(commit),
        reference: Some("refs/heads/trunk".to_owned()),
        ..nowhere
    };
    assert_eq!(facts(&folder.join("inner"), nothing), clean);

    std::fs::write(folder.join("b"), "2").unwrap();
    assert!(facts(&folder.join("inner"), nothing).dirty, "a new file in another folder");
    std::fs::remove_file(folder.join("b")).unwrap();
    std::fs::write(folder.join("inner/a"), "2").unwrap();
    assert!(facts(folder, nothing).dirty, "a changed file");
    git(folder, &["checkout", "--quiet", "--detach", "--force"]);
    assert_eq!(facts(folder, nothing), Facts { reference: None, ..clean.clone() });
    for (name, value, reference) in [
        ("GITHUB_REF", "refs/pull/1/merge", "refs/pull/1/merge"),
        ("CIRCLE_TAG", "v1", "refs/tags/v1"),
        ("CIRCLE_BRANCH", "a/b", "refs/heads/a/b"),
    ] {
        let told = facts(folder, |asked| (asked == name).then(|| value.to_owned()));
        assert_eq!(told, Facts { reference: Some(reference.to_owned()), ..clean.clone() });
    }
}
