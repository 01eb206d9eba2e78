//! Images before judges that nobody of this project wrote: the specification's own, and a registry.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::docker_registry::DockerRegistry;
use crate::support::{self, IMAGEBUILD, fails, is_installed, python, succeeds};

/// A layout with an image of this program.
fn layout() -> (TempDir, Value) {
    let folder = tempfile::tempdir().unwrap();
    let built = build(folder.path(), &["-o", "oci:layout:1", "--port", "80", "--label", "a=b"]);
    (folder, built)
}

fn build(folder: &Path, more: &[&str]) -> Value {
    let mut command = support::imagebuild();
    command.current_dir(folder).env("SOURCE_DATE_EPOCH", "1700000000");
    let text = succeeds(command.args(["build", "--binary", IMAGEBUILD, "--json"]).args(more));
    serde_json::from_str(&text).unwrap()
}

fn hex(digest: &Value) -> &str {
    digest.as_str().unwrap().strip_prefix("sha256:").unwrap()
}

#[test]
fn the_specifications_tool_finds_nothing_wrong() {
    if !is_installed("oci-image-tool") {
        return;
    }
    let (folder, built) = layout();
    let validate = || {
        let mut command = Command::new("oci-image-tool");
        command.current_dir(folder.path());
        command.args(["validate", "--type", "image", "--ref", "name=1", "layout"]);
        command
    };
    succeeds(&mut validate());
    let layer = hex(&built["images"][0]["layers"][0]["digest"]);
    let layer = folder.path().join("layout/blobs/sha256").join(layer);
    let mut bytes = fs::read(&layer).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&layer, bytes).unwrap();
    fails(&mut validate());
}

/// Where Debian keeps the schemas of the specification.
const SCHEMAS: &str = "/usr/share/gocode/src/github.com/opencontainers/image-spec/schema";

/// Says for each document whether it is as its schema wants it. The schemas call each other by the
/// names of their files; what they call themselves would lead into the network.
const VALIDATE: &str = r#"
import json, pathlib, sys
from jsonschema import Draft4Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

def nameless(value):
    if isinstance(value, dict):
        return {key: nameless(it) for key, it in value.items() if key != "id" or not isinstance(it, str)}
    return [nameless(it) for it in value] if isinstance(value, list) else value

files = pathlib.Path(sys.argv[1]).glob("*.json")
schemas = {file.name: nameless(json.loads(file.read_text())) for file in files}
registry = Registry().with_resources((name, DRAFT4.create_resource(it)) for name, it in schemas.items())
for schema, document in json.load(sys.stdin):
    print(Draft4Validator({"$ref": schema}, registry=registry).is_valid(document))
"#;

fn valid(python: &str, documents: &[(&str, Value)]) -> Vec<bool> {
    let mut command = Command::new(python);
    let mut child = command
        .args(["-c", VALIDATE, SCHEMAS])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    serde_json::to_writer(child.stdin.take().unwrap(), documents).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the check itself failed");
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line == "True").collect()
}

#[test]
fn every_document_is_as_its_schema_wants_it() {
    let there = Path::new(SCHEMAS).exists();
    assert!(there || std::env::var_os("TEST_NO_SKIP").is_none(), "{SCHEMAS} is not there");
    let Some(python) = python().filter(|_| there) else { return };
    let (folder, built) = layout();
    let at = folder.path().join("layout");
    let json = |path: &str| -> Value {
        serde_json::from_slice(&fs::read(at.join(path)).unwrap()).unwrap()
    };
    let manifest = json(&format!("blobs/sha256/{}", hex(&built["digest"])));
    let config = json(&format!("blobs/sha256/{}", hex(&manifest["config"]["digest"])));
    let mut documents = vec![
        ("image-layout-schema.json", json("oci-layout"), "/imageLayoutVersion"),
        ("image-index-schema.json", json("index.json"), "/manifests/0/digest"),
        ("image-manifest-schema.json", manifest, "/layers/0/size"),
        ("config-schema.json", config, "/rootfs/diff_ids"),
    ];
    let asked = |documents: &[(&'static str, Value, &str)]| {
        let documents: Vec<(&str, Value)> =
            documents.iter().map(|(schema, it, _)| (*schema, it.clone())).collect();
        valid(&python, &documents)
    };
    assert_eq!(asked(&documents), [true; 4]);
    for (_, document, important) in &mut documents {
        *document.pointer_mut(important).unwrap() = Value::from(-1.5);
    }
    assert_eq!(asked(&documents), [false; 4]);
}

#[test]
fn a_registry_of_others_has_the_same_image() {
    if !(is_installed("docker-registry") && is_installed("skopeo")) {
        return;
    }
    let registry = DockerRegistry::new(None);
    let folder = tempfile::tempdir().unwrap();
    let place = format!("docker://{}/team/tool:1", registry.address);
    let output = ["-o", &place];
    let digest = build(folder.path(), &output)["digest"].clone();
    let skopeo = |arguments: &[&str]| {
        succeeds(Command::new("skopeo").current_dir(folder.path()).args(arguments))
    };
    let inspected = |place: &str| {
        skopeo(&["inspect", "--tls-verify=false", "--format", "{{.Digest}}", place])
            .trim()
            .to_owned()
    };
    assert_eq!(inspected(&place), digest);
    assert_eq!(build(folder.path(), &output)["pushed"][0]["unchanged"], true);

    // There and back with skopeo, which must not change a byte, and on from its layout with ours.
    skopeo(&["copy", "--preserve-digests", "--src-tls-verify=false", &place, "oci:copied:1"]);
    let [theirs, ours] =
        ["theirs", "ours"].map(|name| format!("docker://{}/team/{name}:1", registry.address));
    skopeo(&["copy", "--preserve-digests", "--dest-tls-verify=false", "oci:copied:1", &theirs]);
    let imagebuild = |arguments: &[&str]| {
        succeeds(support::imagebuild().current_dir(folder.path()).args(arguments))
    };
    imagebuild(&["push", "oci:copied:1", &ours]);
    for place in [theirs, ours] {
        assert_eq!(inspected(&place), digest);
        imagebuild(&["verify", &place]);
    }
}
