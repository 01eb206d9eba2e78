//! Images of packages, whose programs cargo builds.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{self, succeeds};

const SAYS: &str = r#"
[package.metadata.image]
arguments = ["serve"]
copy = [{ from = "static", to = "/srv/static" }]
env = { MODE = "production" }
ports = ["8080", "53/udp"]
stop-signal = "SIGINT"
user = "1000:1000"
working-dir = "/srv"
writable = ["/var/lib/hello"]
"#;

/// A workspace with a package that has a program, and what it says of its image.
fn workspace(says: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"hello\"]\n");
    let package = "[package]\nname = \"hello\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    write("hello/Cargo.toml", &format!("{package}{says}"));
    write("hello/src/main.rs", "fn main() { println!(\"hello\"); }\n");
    write("hello/static/index.html", "<h1>Hello</h1>");
    succeeds(Command::new("cargo").current_dir(&folder).args(["generate-lockfile", "--offline"]));
    folder
}

fn imagebuild(folder: &Path) -> Command {
    let mut command = support::imagebuild();
    // The target folder of the tests is not that of this workspace.
    command.current_dir(folder).env_remove("CARGO_TARGET_DIR").arg("plan");
    command
}

fn fails(folder: &Path, arguments: &[&str]) -> String {
    let output = imagebuild(folder).args(arguments).output().unwrap();
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_package_says_what_its_image_is_and_flags_say_otherwise() {
    let folder = workspace(SAYS);
    let plan = |more: &[&str]| -> Value {
        let text = succeeds(imagebuild(folder.path()).args(["-p", "hello", "--json"]).args(more));
        serde_json::from_str(&text).unwrap()
    };
    let said = plan(&[]);
    let settings = &said["settings"];
    assert_eq!(settings["entrypoint"], serde_json::json!(["/usr/local/bin/hello", "serve"]));
    assert_eq!(settings["env"], serde_json::json!(["MODE=production"]));
    assert_eq!(settings["ports"], serde_json::json!(["8080/tcp", "53/udp"]));
    assert_eq!(settings["stop_signal"], "SIGINT");
    assert_eq!(
        (&settings["user"], &settings["working_dir"]),
        (&"1000:1000".into(), &"/srv".into())
    );
    let files = said["files"].as_array().unwrap();
    let copied = files.iter().find(|file| file["path"] == "/srv/static/index.html").unwrap();
    assert_eq!(copied["reason"], "copied from hello/static");

    let other =
        plan(&["--arg", "--help", "--user", "7", "--env", "MODE=test", "--place", "/app/x"]);
    let settings = &other["settings"];
    assert_eq!(settings["entrypoint"], serde_json::json!(["/app/x", "--help"]));
    assert_eq!(settings["env"], serde_json::json!(["MODE=test"]));
    assert_eq!(settings["user"], "7");
}

#[test]
fn what_a_package_says_wrongly_is_told() {
    let misspelt = workspace("[package.metadata.image]\nport = [\"80\"]\n");
    let text = fails(misspelt.path(), &["-p", "hello"]);
    assert!(text.contains("hello: there is no key \"port\" in package.metadata.image"), "{text}");
    assert!(text.contains("did you mean \"ports\"?"), "{text}");
    let text = fails(misspelt.path(), &["-p", "other"]);
    assert!(text.contains("no package \"other\" in this workspace: there are hello"), "{text}");
    let wrong = workspace("[package.metadata.image]\nports = [\"0\"]\n");
    let text = fails(wrong.path(), &["-p", "hello"]);
    assert!(text.contains("\"0\" in package.metadata.image is not as it should be"), "{text}");
    assert!(fails(wrong.path(), &[]).contains("--package"), "one of the two must be named");
}

#[test]
fn an_image_that_could_not_start_is_not_built() {
    let folder = workspace("[package.metadata.image]\nworking-dir = \"/nowhere\"\n");
    std::fs::write(folder.path().join(".env"), "DATABASE_PASSWORD=x").unwrap();
    let build = |more: &[&str]| {
        let mut command = support::imagebuild();
        command.current_dir(&folder).env_remove("CARGO_TARGET_DIR");
        command.args(["build", "-p", "hello", "-o", "oci:out", "--copy", ".env:/srv/.env"]);
        command.args(["--env", "API_TOKEN=x"]).args(more).output().unwrap()
    };
    let refused = build(&[]);
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && !folder.path().join("out").exists());
    for problem in [
        "it starts in /nowhere, and that is no folder of the image",
        "API_TOKEN is in the image's environment",
        "/srv/.env is a file of secret settings",
    ] {
        assert!(text.contains(problem), "{text}");
    }
    assert!(build(&["--force"]).status.success());
}
