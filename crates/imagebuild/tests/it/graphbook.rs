//! Graphbook's own image: as small as it may be, and started by the runtimes that others use.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{self, is_installed, succeeds};

/// What it may have, compressed and all in, in bytes.
const MOST: u64 = 12 << 20;

/// Builds it, which takes minutes unless the release build is there already, and has it started.
fn image() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let output = format!("oci:{}:1", folder.path().join("image").display());
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let mut command = support::imagebuild();
    command.current_dir(root).args(["build", "-p", "app", "-o", &output, "--json", "--boot"]);
    for variable in environment(8000) {
        command.args(["--boot-env", &variable]);
    }
    let built: Value = serde_json::from_str(&succeeds(&mut command)).unwrap();
    let names: Vec<&str> = built["images"][0]["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["libraries", "migrations", "program"]);
    let size = built["images"][0]["size"].as_u64().unwrap();
    assert!(size <= MOST, "{size} bytes");
    folder
}

fn is_root() -> bool {
    let root = succeeds(Command::new("id").arg("-u")).trim() == "0";
    assert!(root || std::env::var_os("TEST_NO_SKIP").is_none(), "only root may start containers");
    root
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn environment(port: u16) -> [String; 3] {
    [
        "DATABASE_URL=sqlite:///var/lib/graphbook/graphbook.db".to_owned(),
        "JWT_SECRET=a secret of a test, and long enough for one".to_owned(),
        format!("GRAPHBOOK_LISTEN=127.0.0.1:{port}"),
    ]
}

fn status(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.lines().next().map(ToOwned::to_owned)
}

/// Waits until it is ready, asks it to end, and sees that it does so well.
fn answers_and_ends(mut child: Child, port: u16, end: impl FnOnce()) {
    let begun = Instant::now();
    loop {
        let ready = status(port);
        if ready.as_deref() == Some("HTTP/1.1 200 OK") {
            break;
        }
        let ended = child.try_wait().unwrap();
        if ended.is_some() || begun.elapsed() > Duration::from_mins(1) {
            let _ = child.kill();
            let output = child.wait_with_output().unwrap();
            let [out, err] =
                [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
            panic!("it is not ready ({ready:?}, {ended:?}): {out}\n{err}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    end();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
}

/// podman takes the layout itself, with its storage and its settings in a folder of this test.
fn podman_starts_it(at: &Path) {
    let settings = "[engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\n\
                    events_logger = \"file\"\n[containers]\ndefault_ulimits = []\n";
    std::fs::write(at.join("containers.conf"), settings).unwrap();
    let podman = || {
        let mut command = Command::new("podman");
        command.current_dir(at).env("CONTAINERS_CONF", at.join("containers.conf"));
        command.args(["--storage-driver", "vfs", "--root"]).arg(at.join("storage"));
        command.arg("--runroot").arg(at.join("state"));
        command
    };
    let port = free_port();
    let name = format!("graphbook-{port}");
    let mut run = podman();
    run.args(["run", "--rm", "--network", "host", "--name", &name]);
    for variable in environment(port) {
        run.args(["--env", &variable]);
    }
    run.arg("oci:image:1").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    answers_and_ends(run.spawn().unwrap(), port, || {
        succeeds(podman().args(["kill", "--signal", "TERM", &name]));
    });
}

/// umoci unpacks it, runc starts it: it migrates an empty database, is ready, and ends when asked to.
#[test]
fn runc_and_podman_start_it_from_scratch() {
    if !(is_installed("runc") && is_installed("umoci") && is_installed("podman") && is_root()) {
        return;
    }
    let folder = image();
    let at = folder.path();
    succeeds(
        Command::new("umoci").current_dir(at).args(["unpack", "--image", "image:1", "bundle"]),
    );
    let port = free_port();
    configure(&at.join("bundle/config.json"), port);
    let name = format!("graphbook-{port}");
    let runc = || {
        let mut command = Command::new("runc");
        command.current_dir(at.join("bundle")).arg("--root").arg(at.join("runc"));
        command
    };
    let mut run = runc();
    run.args(["run", &name]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    answers_and_ends(run.spawn().unwrap(), port, || {
        succeeds(runc().args(["kill", &name, "TERM"]));
    });
    assert!(at.join("bundle/rootfs/var/lib/graphbook/graphbook.db").exists());
    podman_starts_it(at);
}

/// No terminal, and the network of this machine.
fn configure(path: &Path, port: u16) {
    let mut config: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(config["process"]["user"], json!({ "uid": 65532, "gid": 65532 }));
    config["process"]["terminal"] = json!(false);
    let variables = config["process"]["env"].as_array_mut().unwrap();
    variables.extend(environment(port).into_iter().map(Value::from));
    let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|namespace| namespace["type"] != "network");
    std::fs::write(path, config.to_string()).unwrap();
}
