//! To registries and back, through a registry that counts what it is asked and goes wrong on demand.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;
use std::time::Duration;

use imagebuild::blobs::Blobs;
use imagebuild::digest::Digest;
use imagebuild::registry::client::{Connection, Patience, RegistryError, Repository};
use imagebuild::registry::credentials::Credential;
use imagebuild::registry::push::{How, Parcel, Part, Pushed, push};
use imagebuild::registry::server::personality::{Credentials, Fault, Mounts, Personality, What};
use imagebuild::registry::server::{Registry, Seen};
use indicatif::{MultiProgress, ProgressDrawTarget};
use oci_spec::image::MediaType;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::support::{self, IMAGEBUILD, fails, is_installed, succeeds};

/// A registry on a thread of its own, until this is dropped.
pub(crate) struct Served {
    pub(crate) registry: Registry,
    address: SocketAddr,
    folder: TempDir,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    pub(crate) fn new(personality: Personality) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(folder.path(), personality).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (end, ended) = oneshot::channel();
        let served = registry.clone();
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    served = served.serve(listener) => served.unwrap(),
                    _ = ended => {}
                }
            });
        });
        Self { registry, address, folder, end: Some(end), thread: Some(thread) }
    }

    pub(crate) fn reference(&self, name: &str) -> String {
        format!("docker://{}/{name}", self.address)
    }

    fn fault(&self, method: &'static str, path: &'static str, times: usize, what: What) {
        self.registry.fault(Fault { method, path, times, what });
    }

    /// Method and path of each request since the last time.
    pub(crate) fn requests(&self) -> Vec<Seen> {
        let seen = self.registry.requests();
        self.registry.forget_requests();
        seen
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.end.take());
        self.thread.take().map(JoinHandle::join);
    }
}

pub(crate) fn count(seen: &[Seen], method: &str, path: &str) -> usize {
    seen.iter().filter(|it| it.method == method && it.path.contains(path)).count()
}

pub(crate) fn received(seen: &[Seen]) -> u64 {
    seen.iter().map(|it| it.received).sum()
}

/// A folder with something to copy, and how an image is built of it.
fn site() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("site")).unwrap();
    std::fs::write(folder.path().join("site/index.html"), "<h1>Hello</h1>").unwrap();
    folder
}

fn build(folder: &Path) -> Command {
    let mut command = support::imagebuild();
    command.current_dir(folder).args(["build", "--binary", IMAGEBUILD, "--copy", "site:/srv/site"]);
    command.env("SOURCE_DATE_EPOCH", "1700000000").stdin(Stdio::null()).arg("--json");
    command
}

fn built(command: &mut Command) -> Value {
    serde_json::from_str(&succeeds(command)).unwrap()
}

#[test]
fn what_did_not_change_is_not_sent() {
    let served = Served::new(Personality::plain());
    let folder = site();
    let place = served.reference("a/site:1");
    let first = built(build(folder.path()).args(["-o", &place]));
    let seen = served.requests();
    assert_eq!(count(&seen, "POST", "/blobs/uploads/"), 4, "three layers and a configuration");
    assert_eq!(count(&seen, "PUT", "/blobs/uploads/"), 4);
    assert_eq!(count(&seen, "PATCH", ""), 0, "ECR loses what comes in pieces");
    let digest = first["digest"].as_str().unwrap();
    assert_eq!(first["pushed"][0]["digest"], digest);
    assert!(served.registry.manifest("a/site", "1").is_some());

    let again = built(build(folder.path()).args(["-o", &place]));
    assert_eq!(again["pushed"][0]["unchanged"], true);
    let seen = served.requests();
    assert_eq!((seen.len(), count(&seen, "HEAD", "/manifests/1"), received(&seen)), (1, 1, 0));

    // Another tag of the same image: no blob is sent either, with at most a request for each.
    let other = served.reference("a/site:2");
    let again = built(build(folder.path()).args(["-o", &place, "-o", &other]));
    assert_eq!(again["pushed"][0]["tags"], json!(["1", "2"]));
    let seen = served.requests();
    assert_eq!(count(&seen, "POST", "") + count(&seen, "PUT", "/blobs/"), 0);
    assert!(seen.len() <= 3 + 4, "{seen:?}");
    assert_eq!(served.registry.manifest("a/site", "1"), served.registry.manifest("a/site", "2"));

    std::fs::write(folder.path().join("site/index.html"), "<h1>Bye</h1>").unwrap();
    let changed = built(build(folder.path()).args(["-o", &place]));
    assert_ne!(changed["digest"], digest);
    let how: Vec<&str> = changed["pushed"][0]["blobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|blob| blob["how"].as_str().unwrap())
        .collect();
    assert_eq!(how.iter().filter(|how| **how == "uploaded").count(), 2, "{how:?}");
    assert_eq!(how.iter().filter(|how| **how == "reused").count(), 2, "{how:?}");
    assert!(received(&served.requests()) < 16 * 1024, "one small layer");
}

/// A layer that the cache has as well: what is looked at is what the registry has.
#[test]
fn an_image_that_was_damaged_in_a_registry_is_not_sound() {
    let served = Served::new(Personality::plain());
    let folder = site();
    let place = served.reference("a/site:1");
    let image = built(build(folder.path()).args(["-o", &place]));
    succeeds(support::imagebuild().args(["verify", &place]));
    let digest = image["images"][0]["layers"][1]["digest"]
        .as_str()
        .unwrap()
        .strip_prefix("sha256:")
        .unwrap();
    let blob = served.folder.path().join("blobs/sha256").join(digest);
    let mut bytes = std::fs::read(&blob).unwrap();
    bytes[4] ^= 1;
    std::fs::write(&blob, bytes).unwrap();
    let text = fails(support::imagebuild().args(["verify", &place]));
    assert!(text.contains(digest) && text.contains("the registry sends other bytes"), "{text}");
}

#[test]
fn ecr_gets_what_it_wants() {
    let served = Served::new(Personality {
        immutable_tags: true,
        only_repositories: Some(vec!["app".to_owned()]),
        ..Personality::ecr("secret")
    });
    let folder = site();
    let place = served.reference("app:1");
    let signed_in = |place: &str| {
        let mut command = build(folder.path());
        command.args(["-o", place]).env("IMAGEBUILD_USER", "AWS");
        command.env("IMAGEBUILD_PASSWORD", "secret");
        command
    };
    let text = fails(build(folder.path()).args(["-o", &place]));
    assert!(text.contains("401") && text.contains("There are no credentials for it"), "{text}");
    let text = fails(signed_in(&place).env("IMAGEBUILD_PASSWORD", "wrong-secret"));
    assert!(text.contains("Its credentials are wrong") && !text.contains("wrong-secret"), "{text}");

    let first = built(&mut signed_in(&place));
    served.requests();
    // The same image under the same tag is a success, and what is there is not touched.
    assert_eq!(built(&mut signed_in(&place))["pushed"][0]["unchanged"], true);
    // 401, and then with credentials.
    assert_eq!(served.requests().len(), 2);
    std::fs::write(folder.path().join("site/index.html"), "<h1>Bye</h1>").unwrap();
    let text = fails(&mut signed_in(&place));
    let second = built(&mut signed_in(&served.reference("app:2")));
    for part in [&first["digest"], &second["digest"]] {
        assert!(text.contains(part.as_str().unwrap()), "{text}");
    }
    assert!(text.contains("immutable") && text.contains("another tag"), "{text}");
    let text = fails(&mut signed_in(&served.reference("absent:1")));
    assert!(text.contains("beginning an upload to") && text.contains("absent"), "{text}");
}

/// Short, so that tests need not wait; with nothing else changed.
const PATIENCE: Patience = Patience {
    attempts: 4,
    pause: Duration::from_millis(5),
    silence: Duration::from_millis(400),
    answer: Duration::from_millis(400),
};

struct Pushing {
    blobs: Blobs,
    parcel: Parcel,
    digest: Digest,
    _folder: TempDir,
}

/// A small image of one layer.
fn image(content: &[u8]) -> Pushing {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(folder.path()).unwrap();
    let layer = blobs.put(content).unwrap();
    let config = blobs.put(br#"{"architecture":"amd64","os":"linux"}"#).unwrap();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": config,
            "size": 37,
        },
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": layer,
            "size": content.len(),
        }],
    });
    let manifest = manifest.to_string().into_bytes();
    let parcel =
        Parcel::new(&MediaType::ImageManifest, &manifest, &blobs, &BTreeMap::new()).unwrap();
    Pushing { digest: layer, blobs, parcel, _folder: folder }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn hidden() -> MultiProgress {
    MultiProgress::with_draw_target(ProgressDrawTarget::hidden())
}

fn repository(served: &Served, name: &str, credential: Option<Credential>) -> Repository {
    let reference = format!("{}/{name}", served.address).parse().unwrap();
    let connection = Connection { plain_http: false, credential, patience: PATIENCE };
    Repository::new(&reference, None, connection).unwrap()
}

fn pushed(served: &Served, image: &Pushing) -> Result<Pushed, RegistryError> {
    let repository = repository(served, "a", None);
    run(push(&repository, &image.parcel, &["1".to_owned()], &hidden()))
}

#[test]
fn what_passes_is_waited_for() {
    let busy = |status, retry_after| What::Status { status, retry_after, code: "TOOMANYREQUESTS" };
    let invalid = |code| What::Status { status: 400, retry_after: None, code };
    let content = vec![7; 600_000];
    for (method, path, times, what) in [
        ("HEAD", "/manifests/", 2, busy(503, None)),
        ("HEAD", "/blobs/", 3, busy(429, Some(0))),
        ("HEAD", "/blobs/", 1, What::Hang),
        ("POST", "/uploads/", 2, What::Close),
        ("POST", "/uploads/", 1, busy(500, None)),
        ("PUT", "/uploads/", 2, What::CloseAfter(1000)),
        ("PUT", "/uploads/", 1, What::LoseAnswer),
        ("PUT", "/uploads/", 2, invalid("BLOB_UPLOAD_INVALID")),
        ("PUT", "/uploads/", 1, invalid("BLOB_UPLOAD_UNKNOWN")),
        ("PUT", "/uploads/", 1, What::Hang),
        ("PUT", "/manifests/", 2, invalid("MANIFEST_BLOB_UNKNOWN")),
        ("PUT", "/manifests/", 1, What::LoseAnswer),
        ("PUT", "/manifests/", 1, busy(502, None)),
    ] {
        let served = Served::new(Personality::plain());
        let image = image(&content);
        served.fault(method, path, times, what.clone());
        let done = pushed(&served, &image);
        assert!(done.is_ok(), "{method} {path} {what:?}: {done:?}");
        let seen = served.requests();
        assert!(
            seen.iter().filter(|it| it.method == method && it.path.contains(path)).count() > times
        );
        assert!(served.registry.has_blob("a", image.digest), "{method} {path} {what:?}");
        assert!(served.registry.manifest("a", "1").is_some());
        // Every try of a blob is an upload of its own.
        if let What::CloseAfter(_) = what {
            assert_eq!(count(&seen, "POST", "/uploads/"), count(&seen, "PUT", "/uploads/"));
        }
    }
}

#[test]
fn what_does_not_pass_is_told() {
    let refuses = |method, path, what, expected: &str| {
        let served = Served::new(Personality::plain());
        served.fault(method, path, 99, what);
        let text = pushed(&served, &image(b"abc")).unwrap_err().to_string();
        assert!(text.contains(expected), "{expected}: {text}");
        assert!(served.registry.manifest("a", "1").is_none());
        served.requests().len()
    };
    let status = |status, code| What::Status { status, retry_after: None, code };
    let many =
        refuses("HEAD", "/blobs/", status(503, "UNAVAILABLE"), "answers 503 Service Unavailable");
    assert!((4..=9).contains(&many), "not for ever: {many}");
    refuses("HEAD", "/manifests/", What::Hang, "it does not answer");
    refuses("PUT", "/uploads/", What::Hang, "does not answer");
    refuses("POST", "/uploads/", status(403, "DENIED"), "These credentials may not do that");
    refuses("POST", "/uploads/", status(404, "NAME_UNKNOWN"), "Create the repository first");
    refuses("PUT", "/uploads/", status(400, "DIGEST_INVALID"), "DIGEST_INVALID");
    refuses("PUT", "/manifests/", status(413, "SIZE_INVALID"), "413");
    refuses("POST", "/uploads/", What::Location("http://[".to_owned()), "Location is no address");
}

/// A registry may not send us into a network that only this machine sees, with or without what we
/// would show there.
#[test]
fn a_location_that_leads_elsewhere_is_not_followed() {
    for location in [
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/upload",
        "http://[::1]:1/upload",
        "file:///etc/passwd",
    ] {
        let served = Served::new(Personality::plain());
        served.fault("POST", "/uploads/", 9, What::Location(location.to_owned()));
        let text = pushed(&served, &image(b"abc")).unwrap_err().to_string();
        assert!(text.contains("its Location is refused"), "{location}: {text}");
    }
}

#[test]
fn credentials_go_to_the_registry_and_nowhere_else() {
    let credentials = Credentials::Basic { user: "u".to_owned(), password: "p".to_owned() };
    let served =
        Served::new(Personality { credentials: Some(credentials), ..Personality::plain() });
    // Its own host, but another port: another origin.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let spy = format!("http://{}/upload", listener.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = listener.accept().unwrap();
        let mut text = [0; 4096];
        let read = stream.read(&mut text).unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").unwrap();
        String::from_utf8_lossy(&text[..read]).to_ascii_lowercase()
    });
    let credential = Credential::Basic { user: "u".to_owned(), password: "p".to_owned() };
    let to = repository(&served, "a", Some(credential));
    let image = image(b"abc");
    served.fault("POST", "/uploads/", 9, What::Location(spy));
    let error = run(push(&to, &image.parcel, &[], &hidden())).unwrap_err();
    assert!(error.to_string().contains("400"), "{error}");
    let heard = heard.join().unwrap();
    assert!(heard.starts_with("put /upload?digest=sha256"), "{heard}");
    assert!(!heard.contains("authorization"), "{heard}");
}

#[test]
fn tokens_are_got_again_when_they_expire() {
    let credentials =
        |uses| Credentials::Bearer { user: "u".to_owned(), password: "p".to_owned(), uses };
    for uses in [1, 2, 1000] {
        let served = Served::new(Personality {
            credentials: Some(credentials(uses)),
            ..Personality::plain()
        });
        let credential = Credential::Basic { user: "u".to_owned(), password: "p".to_owned() };
        let to = repository(&served, "a", Some(credential));
        let image = image(&vec![3; 300_000]);
        // One request after the other, for else they take each other's tokens.
        for Part { digest, size, path, .. } in &image.parcel.blobs {
            let sent = Arc::new(AtomicU64::new(0));
            run(to.put_blob(*digest, *size, path, None, &sent)).unwrap();
        }
        let Parcel { media_type, manifest, .. } = &image.parcel;
        run(to.put_manifest("1", media_type, manifest)).unwrap();
        let tokens = count(&served.requests(), "GET", "/token");
        let expected = if uses == 1000 { 1 } else { 5_u32.div_ceil(uses) };
        assert_eq!(tokens, expected as usize, "{uses} requests for each token");
    }
    let served =
        Served::new(Personality { credentials: Some(credentials(9)), ..Personality::plain() });
    let to = repository(&served, "a", None);
    let text = run(push(&to, &image(b"abc").parcel, &[], &hidden())).unwrap_err().to_string();
    assert!(text.contains("a token from 127.0.0.1: the registry answers 401"), "{text}");
}

#[test]
fn blobs_are_mounted_where_the_registry_does_it() {
    for (mounts, referenced, expected) in [
        (Mounts::Always, false, How::Mounted),
        (Mounts::Referenced, true, How::Mounted),
        (Mounts::Referenced, false, How::Uploaded),
        (Mounts::Never, true, How::Uploaded),
    ] {
        let served = Served::new(Personality { mounts, ..Personality::plain() });
        let image = image(&[1; 5000]);
        let base = repository(&served, "base", None);
        if referenced {
            run(push(&base, &image.parcel, &["1".to_owned()], &hidden())).unwrap();
        } else {
            for Part { digest, size, path, .. } in &image.parcel.blobs {
                let sent = Arc::new(AtomicU64::new(0));
                run(base.put_blob(*digest, *size, path, None, &sent)).unwrap();
            }
        }
        let mut parcel = image.parcel.clone();
        for part in &mut parcel.blobs {
            part.mount_from = Some("base".to_owned());
        }
        let reference = format!("{}/a", served.address).parse().unwrap();
        let connection = Connection { patience: PATIENCE, ..Connection::default() };
        let to = Repository::new(&reference, Some("base"), connection).unwrap();
        served.requests();
        let pushed = run(push(&to, &parcel, &["1".to_owned()], &hidden())).unwrap();
        assert!(pushed.blobs.iter().all(|blob| blob.how == expected), "{mounts:?} {pushed:?}");
        let seen = served.requests();
        let uploads = count(&seen, "POST", "");
        assert_eq!(uploads, 2, "a mount that fails is the beginning of an upload");
        let blobs = seen.iter().filter(|it| it.path.contains("/blobs/"));
        let bytes: u64 = blobs.map(|it| it.received).sum();
        assert_eq!(bytes == 0, expected == How::Mounted);
    }
}

#[test]
fn what_a_registry_sends_is_believed_if_it_is_true() {
    let served = Served::new(Personality::plain());
    let image = image(&vec![5; 100_000]);
    pushed(&served, &image).unwrap();
    let from = repository(&served, "a", None);
    let folder = tempfile::tempdir().unwrap();
    let into = Blobs::open(folder.path()).unwrap();
    let got = AtomicU64::new(0);
    let get = || run(from.get_blob(image.digest, 100_000, &into, &got));

    served.fault("GET", "/blobs/", 1, What::OtherBytes);
    let text = get().unwrap_err().to_string();
    assert!(text.contains("the registry sends other bytes"), "{text}");
    served.fault("GET", "/blobs/", 1, What::Cut);
    served.fault("GET", "/blobs/", 1, What::Close);
    get().unwrap();
    assert_eq!(into.get(image.digest).unwrap(), image.blobs.get(image.digest).unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left over");

    let digest = Digest::of(&image.parcel.manifest).to_string();
    for reference in ["1", &digest] {
        served.fault("GET", "/manifests/", 1, What::OtherBytes);
        let text = run(from.get_manifest(reference)).unwrap_err().to_string();
        assert!(text.contains("other bytes, whose digest is"), "{text}");
    }
    assert_eq!(run(from.get_manifest("absent")).unwrap(), None);
}

#[test]
fn killed_at_any_moment_a_push_can_be_done_again() {
    let served = Served::new(Personality::plain());
    let folder = site();
    let mut killed = 0;
    for delay in (0..16).map(|step| step * 9) {
        let place = served.reference(&format!("kill{delay}:1"));
        let mut command = build(folder.path());
        let mut child = command.args(["-o", &place]).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        let _ = child.kill();
        killed += usize::from(!child.wait().unwrap().success());
        let name = format!("kill{delay}");
        if served.registry.manifest(&name, "1").is_some() {
            succeeds(support::imagebuild().args(["verify", &place]));
        }
        succeeds(build(folder.path()).args(["-o", &place]));
        assert!(served.registry.manifest(&name, "1").is_some());
    }
    assert!(killed > 3, "{killed}");
    // Uploads that were begun could still go on; what is there is what its name says.
    for file in std::fs::read_dir(served.folder.path().join("blobs/sha256")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with(".part-") {
            continue;
        }
        assert_eq!(Digest::of(&std::fs::read(&path).unwrap()).hex(), name);
    }
}

/// A base of the test's own: the image of this program without anything else.
#[test]
fn an_image_stands_on_a_base_that_is_written_down() {
    let served = Served::new(Personality::plain());
    let folder = site();
    let base = served.reference("base:1");
    let plain = |place: &str, variable: &str| {
        let mut command = support::imagebuild();
        command.args(["build", "--binary", IMAGEBUILD, "--env", variable, "-o", place, "--json"]);
        built(command.env("SOURCE_DATE_EPOCH", "1700000000"))
    };
    let first = plain(&base, "A=1");
    served.requests();
    let on_it = |more: &[&str]| {
        let place = served.reference("a/site:1");
        built(build(folder.path()).args(["--base", &base, "--env", "B=2", "-o", &place]).args(more))
    };
    let image = on_it(&[]);
    assert_eq!(
        image["images"][0]["layers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| &it["name"])
            .collect::<Vec<_>>(),
        ["site", "program"],
        "libraries and system files are the base's"
    );
    let blobs = image["pushed"][0]["blobs"].as_array().unwrap();
    let mounted = blobs.iter().filter(|blob| blob["how"] == "mounted").count();
    assert_eq!(mounted, first["images"][0]["layers"].as_array().unwrap().len(), "{blobs:?}");
    let inspect = ["inspect", &served.reference("a/site:1"), "--json"].map(ToOwned::to_owned);
    let inspected: Value =
        serde_json::from_str(&succeeds(support::imagebuild().args(inspect))).unwrap();
    assert_eq!(inspected["settings"]["env"], json!(["A=1", "B=2"]));
    assert_eq!(inspected["layers"].as_array().unwrap().len(), 4);
    let manifest = served.registry.manifest("a/site", "1").unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["annotations"]["org.opencontainers.image.base.digest"], first["digest"]);

    // The tag moves on, and the image does not, until somebody says so.
    let lock = std::fs::read_to_string(folder.path().join("image.lock")).unwrap();
    assert!(lock.contains(first["digest"].as_str().unwrap()), "{lock}");
    let second = plain(&base, "A=2");
    assert_eq!(on_it(&[])["digest"], image["digest"]);
    assert_ne!(on_it(&["--update-base"])["digest"], image["digest"]);
    let lock = std::fs::read_to_string(folder.path().join("image.lock")).unwrap();
    assert!(lock.contains(second["digest"].as_str().unwrap()), "{lock}");
    succeeds(support::imagebuild().args(["verify", &served.reference("a/site:1")]));
}

#[test]
fn programs_of_others_understand_it() {
    if !is_installed("skopeo") {
        return;
    }
    let folder = site();
    let mut command = support::imagebuild();
    command.args(["registry", "serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    let address = line.split("http://").nth(1).unwrap().split(' ').next().unwrap();
    let image = built(build(folder.path()).args(["-o", "oci:out:1"]));
    let skopeo = |arguments: &[&str]| {
        succeeds(Command::new("skopeo").current_dir(folder.path()).args(arguments))
    };
    let place = format!("docker://{address}/a/site:1");
    skopeo(&["copy", "--dest-tls-verify=false", "oci:out:1", &place]);
    skopeo(&["copy", "--src-tls-verify=false", &place, "oci:back:1"]);
    let tags = skopeo(&["list-tags", "--tls-verify=false", &format!("docker://{address}/a/site")]);
    assert!(tags.contains("\"1\""), "{tags}");
    let verified = |place: &str| {
        succeeds(support::imagebuild().current_dir(folder.path()).args(["verify", place]))
    };
    let digest = image["digest"].as_str().unwrap();
    assert!(verified("oci:back:1").contains(digest) && verified(&place).contains(digest));
    let id = child.id().to_string();
    succeeds(Command::new("kill").args(["-TERM", &id]));
    assert!(child.wait().unwrap().success());
}

#[test]
fn archives_are_the_same_image() {
    let folder = site();
    let places = ["oci:out:1", "oci-archive:o.tar:1", "docker-archive:d.tar:site:1"];
    let outputs = places.iter().flat_map(|place| ["-o", place]);
    let image = built(build(folder.path()).args(outputs));
    let digest = image["digest"].as_str().unwrap();
    for place in places {
        let mut verify = support::imagebuild();
        let text = succeeds(verify.current_dir(folder.path()).args(["verify", place]));
        assert!(text.starts_with(digest), "{place}: {text}");
    }
    let bytes = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let before = bytes("d.tar");
    succeeds(build(folder.path()).args(["-o", places[2]]));
    assert_eq!(bytes("d.tar"), before, "the same bytes again");
    if is_installed("skopeo") {
        // As Docker itself wrote them: without a layout, layers not compressed.
        let copy = ["copy", "docker-archive:d.tar:site:1", "docker-archive:other.tar:site:1"];
        succeeds(Command::new("skopeo").current_dir(folder.path()).args(copy));
        let diff = ["diff", "docker-archive:d.tar", "docker-archive:other.tar"];
        let text = succeeds(support::imagebuild().current_dir(folder.path()).args(diff));
        assert_eq!(text, "nothing changed\n");
    }
    std::fs::write(folder.path().join("no.tar"), "no archive").unwrap();
    let text = fails(
        support::imagebuild().current_dir(folder.path()).args(["verify", "docker-archive:no.tar"]),
    );
    assert!(text.contains("no.tar can't be read as an archive of an image"), "{text}");
}

/// With a registry that keeps what refers to an image, and one that does not, where a tag stands for
/// it.
#[test]
fn what_an_image_is_made_of_stands_beside_it() {
    for referrers in [true, false] {
        let served = Served::new(Personality { referrers, ..Personality::plain() });
        let place = served.reference("a/tool:1");
        let attested = || {
            let mut command = support::imagebuild();
            command.current_dir(env!("CARGO_MANIFEST_DIR")).env("SOURCE_DATE_EPOCH", "1700000000");
            command.args(["build", "-p", "imagebuild", "--binary", IMAGEBUILD, "--json"]);
            built(command.args(["-o", &place, "--attest"]))
        };
        let image = attested();
        let again = attested();
        assert_eq!(again["pushed"][0]["unchanged"], true);
        let manifest = served.registry.manifest("a/tool", "1").unwrap();
        assert_eq!(Digest::of(&manifest).to_string(), image["digest"], "it is as it was");
        let hex = image["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
        let index = if referrers {
            let url = format!("http://{}/v2/a/tool/referrers/sha256:{hex}", served.address);
            let asked = run(async { reqwest::get(url).await.unwrap().bytes().await.unwrap() });
            assert!(served.registry.manifest("a/tool", &format!("sha256-{hex}")).is_none());
            asked.to_vec()
        } else {
            served.registry.manifest("a/tool", &format!("sha256-{hex}")).unwrap()
        };
        let index: Value = serde_json::from_slice(&index).unwrap();
        let mut kinds: Vec<&str> = index["manifests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["artifactType"].as_str().unwrap())
            .collect();
        kinds.sort_unstable();
        assert_eq!(kinds, ["application/vnd.cyclonedx+json", "application/vnd.in-toto+json"]);

        let statement = |kind: &str| -> Value {
            let entries = index["manifests"].as_array().unwrap();
            let entry = entries.iter().find(|entry| entry["artifactType"] == kind).unwrap();
            let digest = entry["digest"].as_str().unwrap();
            let manifest = served.registry.manifest("a/tool", digest).unwrap();
            let manifest: Value = serde_json::from_slice(&manifest).unwrap();
            assert_eq!(manifest["subject"]["digest"], image["digest"]);
            let blob = manifest["layers"][0]["digest"].as_str().unwrap();
            let blobs = served.folder.path().join("blobs/sha256");
            let bytes = std::fs::read(blobs.join(blob.strip_prefix("sha256:").unwrap())).unwrap();
            serde_json::from_slice(&bytes).unwrap()
        };
        let bill = statement("application/vnd.cyclonedx+json");
        let components = bill["components"].as_array().unwrap();
        let named = |name: &str| components.iter().any(|it| it["name"] == name);
        assert!(named("oci-spec") && named("libdeflater"), "crates");
        assert!(components.iter().any(|it| it.to_string().contains("libc.so.6")), "libraries");
        let provenance = statement("application/vnd.in-toto+json");
        let digest =
            format!("sha256:{}", provenance["subject"][0]["digest"]["sha256"].as_str().unwrap());
        assert_eq!(digest, image["digest"]);
        let sbom = ["sbom", &place, "-p", "imagebuild"];
        let mut command = support::imagebuild();
        let text = succeeds(command.current_dir(env!("CARGO_MANIFEST_DIR")).args(sbom));
        let printed: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(printed["components"], bill["components"]);
        let text = fails(support::imagebuild().args(["sbom", &place]));
        assert!(text.contains("name its package with -p"), "{text}");
    }
}
