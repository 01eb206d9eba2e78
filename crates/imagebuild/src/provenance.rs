//! Where an image comes from: an in-toto Statement v1 with SLSA's provenance v1
//! (<https://slsa.dev/spec/v1.0/provenance>). It is not signed, and so says no more than whoever
//! hands it on.
//!
//! It says nothing secret: of the environment of the image only names, of repositories no
//! credentials.
//!
//! # The build type `https://graphbook.example/imagebuild/v1`
//!
//! A program was built by Cargo, or was there, and an image was made of it without running it.
//!
//! * `externalParameters`: `package` (the Cargo package; absent for a program that was there),
//!   `target` (absent for that of the machine), `copy` (`from` on the machine, `to` in the image),
//!   `writable` (folders), and the image's settings: `entrypoint`, `env` (names), `user`,
//!   `workingDir`, `ports`, `stopSignal`, `labels`, `annotations`, `architecture`, and
//!   `sourceDateEpoch`.
//! * `internalParameters`: `imagebuild` (its version) and `format` (that of its images).
//! * `resolvedDependencies`: the Git repository, with the annotation `dirty` where what was built
//!   differs from the commit or nobody could tell; the base image; `Cargo.lock`.
//! * `builder.id`: the run of the CI service, or [`LOCAL`].

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::digest::Digest;
use crate::git;
use crate::image::{FORMAT, Settings};
use crate::purl;
use crate::sbom::time;

/// How images are built: see above.
pub const BUILD_TYPE: &str = "https://graphbook.example/imagebuild/v1";
/// The builder that is somebody's own machine. SLSA wants a URI for it.
pub const LOCAL: &str = "https://graphbook.example/imagebuild/local";
/// What a registry calls such a statement.
pub const MEDIA_TYPE: &str = "application/vnd.in-toto+json";
/// What the statement says, as an annotation of it names it.
pub const PREDICATE_TYPE: &str = "https://slsa.dev/provenance/v1";

/// All that is said of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// What was built, and the digest of each: an image's is its manifest's. A statement is about
    /// one at least (in-toto, "Statement").
    pub subjects: Vec<(String, Digest)>,
    /// The Cargo package.
    pub package: Option<String>,
    /// The target that was asked for.
    pub target: Option<String>,
    /// What was copied, from and to where.
    pub copies: Vec<(String, String)>,
    /// Folders of the image that the program may write to.
    pub writable: Vec<String>,
    /// How the image is started. The values of its environment are not told.
    pub settings: Settings,
    /// The image below: its repository, such as `registry.example/base`, and digest.
    pub base: Option<(String, Digest)>,
    /// Of Cargo.lock.
    pub lock: Option<Digest>,
    /// What the machine told.
    pub facts: Facts,
    /// Seconds since 1970. Told only if given, as no two builds have the same.
    pub started: Option<u64>,
    /// The same of the end.
    pub finished: Option<u64>,
}

/// Where something was built, and of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The repository's URL, without credentials; none if it is a folder of the machine.
    pub repository: Option<String>,
    /// The commit, in hex digits.
    pub commit: Option<String>,
    /// Such as `refs/heads/main`.
    pub reference: Option<String>,
    /// Whether there were changes since that commit, or nobody could tell.
    pub dirty: bool,
    /// The URI of who built it.
    pub builder: String,
    /// What the builder calls this build.
    pub invocation: Option<String>,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            repository: None,
            commit: None,
            reference: None,
            dirty: false,
            builder: LOCAL.to_owned(),
            invocation: None,
        }
    }
}

/// Writes the statement as JSON.
pub fn provenance(p: &Provenance) -> Vec<u8> {
    let subjects = p.subjects.iter().map(|(name, digest)| described("name", name, *digest));
    let copies = p.copies.iter().map(|(from, to)| json!({ "from": from, "to": to }));
    let settings = &p.settings;
    let names = settings.env.iter().map(|it| it.split('=').next().unwrap_or_default());
    let external = filled(json!({
        "package": p.package,
        "target": p.target,
        "copy": copies.collect::<Vec<_>>(),
        "writable": p.writable,
        "architecture": settings.architecture,
        "entrypoint": settings.entrypoint,
        "env": names.collect::<Vec<_>>(),
        "user": settings.user,
        "workingDir": settings.working_dir,
        "ports": settings.ports,
        "stopSignal": settings.stop_signal,
        "labels": settings.labels,
        "annotations": settings.annotations,
        "sourceDateEpoch": settings.created,
    }));
    let base = p.base.as_ref().map(|(repository, digest)| {
        described("uri", &purl::image(repository, *digest, &settings.architecture), *digest)
    });
    let lock = p.lock.map(|digest| described("name", "Cargo.lock", digest));
    let resolved: Vec<Value> = source(&p.facts).into_iter().chain(base).chain(lock).collect();
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects.collect::<Vec<_>>(),
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": filled(json!({
                "buildType": BUILD_TYPE,
                "externalParameters": external,
                "internalParameters": {
                    "imagebuild": env!("CARGO_PKG_VERSION"),
                    "format": FORMAT,
                },
                "resolvedDependencies": resolved,
            })),
            "runDetails": {
                "builder": {
                    "id": p.facts.builder,
                    "version": { "imagebuild": env!("CARGO_PKG_VERSION") },
                },
                "metadata": filled(json!({
                    "invocationId": p.facts.invocation,
                    "startedOn": p.started.map(time),
                    "finishedOn": p.finished.map(time),
                })),
            },
        },
    });
    statement.to_string().into_bytes()
}

/// The repository, at the reference or commit that was built.
fn source(facts: &Facts) -> Option<Value> {
    let commit = facts.commit.as_ref()?;
    let at = facts.reference.as_ref().unwrap_or(commit);
    let uri = facts.repository.as_ref().map(|url| format!("git+{url}@{at}"));
    Some(filled(json!({
        "name": "source",
        "uri": uri,
        "digest": { "gitCommit": commit },
        "annotations": if facts.dirty { json!({ "dirty": true }) } else { Value::Null },
    })))
}

/// What in-toto calls a resource descriptor.
fn described(key: &str, name: &str, digest: Digest) -> Value {
    json!({ key: name, "digest": { "sha256": digest.hex() } })
}

/// Without what is empty.
fn filled(value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    let kept = map.into_iter().filter(|(_, value)| !is_empty(value));
    Value::Object(kept.collect::<Map<_, _>>())
}

/// Asks Git about a folder, and the environment which CI service this is. Where there is no Git, or
/// no repository, there is no source.
pub fn facts(folder: &Path, env: impl Fn(&str) -> Option<String>) -> Facts {
    let env = |name: &str| env(name).filter(|value| !value.is_empty());
    let commit = git::text(folder, &["rev-parse", "--verify", "HEAD"]);
    let mut facts = Facts { commit, ..Facts::default() };
    if facts.commit.is_some() {
        let origin = git::text(folder, &["remote", "get-url", "origin"]);
        facts.repository = origin.and_then(|url| public(&url));
        // CI services check out a commit, and tell its branch or tag in their own ways.
        facts.reference = git::text(folder, &["symbolic-ref", "--quiet", "HEAD"])
            .or_else(|| env("GITHUB_REF"))
            .or_else(|| env("CIRCLE_TAG").map(|tag| format!("refs/tags/{tag}")))
            .or_else(|| env("CIRCLE_BRANCH").map(|branch| format!("refs/heads/{branch}")));
        let changes = git::text(folder, &["status", "--porcelain"]);
        facts.dirty = changes.is_none_or(|changes| !changes.is_empty());
    }
    let github = env("GITHUB_SERVER_URL").zip(env("GITHUB_REPOSITORY")).zip(env("GITHUB_RUN_ID"));
    if let Some(url) = env("CIRCLE_BUILD_URL") {
        facts.invocation = env("CIRCLE_WORKFLOW_JOB_ID").or_else(|| Some(url.clone()));
        facts.builder = url;
    } else if let Some(((server, repository), run)) = github {
        facts.builder = format!("{server}/{repository}/actions/runs/{run}");
        // The same run may be tried again.
        let attempt = env("GITHUB_RUN_ATTEMPT").unwrap_or_else(|| "1".to_owned());
        facts.invocation = Some(format!("{}/attempts/{attempt}", facts.builder));
    }
    facts
}

/// A repository as others can name it: a URL without credentials. Git also writes `host:path`
/// (git-clone(1), "GIT URLS"). A folder of the machine says nothing to anybody else.
fn public(url: &str) -> Option<String> {
    if let Some((scheme, _)) = url.split_once("://") {
        return (scheme != "file").then(|| purl::without_credentials(url));
    }
    let (host, path) = url.split_once(':').filter(|(host, _)| !host.contains('/'))?;
    let path = path.trim_start_matches('/');
    (!host.is_empty()).then(|| purl::without_credentials(&format!("ssh://{host}/{path}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn read(p: &Provenance) -> Value {
        serde_json::from_slice(&provenance(p)).unwrap()
    }

    fn full() -> Provenance {
        let facts = Facts {
            repository: Some("https://git.example/app".into()),
            commit: Some("0123abc".into()),
            reference: Some("refs/heads/main".into()),
            dirty: true,
            builder: "https://ci.example/1".into(),
            invocation: Some("1".into()),
        };
        Provenance {
            subjects: vec![("app".into(), Digest::of(b"image"))],
            package: Some("app".into()),
            target: Some("x86_64-unknown-linux-musl".into()),
            copies: vec![("static".into(), "/srv/static".into())],
            writable: vec!["/data".into()],
            settings: Settings {
                architecture: "amd64".into(),
                entrypoint: vec!["/app".into(), "serve".into()],
                env: vec!["TOKEN=geheim=1".into(), "EMPTY=".into()],
                ports: vec!["80/tcp".into()],
                created: 1_700_000_000,
                ..Settings::default()
            },
            base: Some(("registry.example/base".into(), Digest::of(b"base"))),
            lock: Some(Digest::of(b"lock")),
            facts,
            started: Some(1),
            finished: Some(2),
        }
    }

    #[test]
    fn a_statement_says_what_was_built_of_what() {
        let statement = read(&full());
        let image = json!([{ "name": "app", "digest": { "sha256": Digest::of(b"image").hex() } }]);
        assert_eq!(statement["subject"], image);
        let definition = &statement["predicate"]["buildDefinition"];
        assert_eq!(
            definition["externalParameters"],
            json!({
                "package": "app", "target": "x86_64-unknown-linux-musl",
                "copy": [{ "from": "static", "to": "/srv/static" }], "writable": ["/data"],
                "architecture": "amd64", "entrypoint": ["/app", "serve"], "env": ["TOKEN", "EMPTY"],
                "ports": ["80/tcp"], "sourceDateEpoch": 1_700_000_000,
            })
        );
        let base = Digest::of(b"base").hex();
        assert_eq!(
            definition["resolvedDependencies"],
            json!([
                {
                    "name": "source", "uri": "git+https://git.example/app@refs/heads/main",
                    "digest": { "gitCommit": "0123abc" }, "annotations": { "dirty": true },
                },
                {
                    "uri": format!("pkg:oci/base@sha256:{base}?arch=amd64&repository_url=registry.example%2Fbase"),
                    "digest": { "sha256": base },
                },
                { "name": "Cargo.lock", "digest": { "sha256": Digest::of(b"lock").hex() } },
            ])
        );
        assert_eq!(definition["internalParameters"]["format"], FORMAT);
        let run = &statement["predicate"]["runDetails"];
        assert_eq!(run["builder"]["id"], "https://ci.example/1");
        assert_eq!(
            run["metadata"],
            json!({
                "invocationId": "1", "startedOn": "1970-01-01T00:00:01Z",
                "finishedOn": "1970-01-01T00:00:02Z",
            })
        );
    }

    #[test]
    fn no_value_of_the_environment_is_told() {
        let text = String::from_utf8(provenance(&full())).unwrap();
        assert!(text.contains("TOKEN") && !text.contains("geheim"), "{text}");
    }

    /// in-toto, "Statement"; SLSA, "Schema": what is marked as required.
    #[test]
    fn what_must_be_there_is_there_however_little_is_known() {
        for statement in [read(&full()), read(&Provenance::default())] {
            assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
            assert_eq!(statement["predicateType"], "https://slsa.dev/provenance/v1");
            assert!(statement["subject"].is_array());
            let definition = &statement["predicate"]["buildDefinition"];
            assert_eq!(definition["buildType"], BUILD_TYPE);
            assert!(definition["externalParameters"].is_object());
            for it in definition["resolvedDependencies"].as_array().into_iter().flatten() {
                assert!(it["uri"].is_string() || it["digest"].is_object(), "{it}");
            }
            let builder = &statement["predicate"]["runDetails"]["builder"];
            assert!(builder["id"].as_str().is_some_and(|id| id.contains("://")), "{builder}");
        }
        let little = read(&Provenance::default());
        let metadata = &little["predicate"]["runDetails"]["metadata"];
        assert_eq!(*metadata, json!({}), "times differ from build to build");
        assert!(little["predicate"]["buildDefinition"].get("resolvedDependencies").is_none());
    }

    #[test]
    fn a_source_is_named_by_its_commit_where_no_branch_is_known() {
        let mut facts = Facts { reference: None, dirty: false, ..full().facts };
        let uri = "git+https://git.example/app@0123abc";
        let digest = json!({ "gitCommit": "0123abc" });
        let all = json!({ "name": "source", "uri": uri, "digest": digest });
        assert_eq!(source(&facts), Some(all));
        facts.repository = None;
        assert_eq!(source(&facts), Some(json!({ "name": "source", "digest": digest })));
        facts.commit = None;
        assert_eq!(source(&facts), None);
    }

    #[test]
    fn a_repository_is_named_without_credentials() {
        for (url, named) in [
            ("https://me:geheim@git.example/a.git", Some("https://git.example/a.git")),
            ("ssh://git@git.example:22/a", Some("ssh://git.example:22/a")),
            ("git@git.example:team/a.git", Some("ssh://git.example/team/a.git")),
            ("git.example:/a", Some("ssh://git.example/a")),
            ("/srv/git/a", None),
            ("../a:b", None),
            ("file:///srv/git/a", None),
            ("", None),
        ] {
            assert_eq!(public(url).as_deref(), named, "{url}");
        }
    }

    #[test]
    fn a_ci_service_is_known_by_its_environment() {
        let nowhere = tempfile::tempdir().unwrap();
        let told = |pairs: &[(&str, &str)]| {
            let pairs: BTreeMap<&str, &str> = pairs.iter().copied().collect();
            let facts = facts(nowhere.path(), |name| pairs.get(name).map(|it| (*it).to_owned()));
            (facts.builder, facts.invocation.unwrap_or_default())
        };
        let is = |builder: &str, invocation: &str| (builder.to_owned(), invocation.to_owned());
        let circle = ("CIRCLE_BUILD_URL", "https://circle.example/7");
        assert_eq!(told(&[]), is(LOCAL, ""));
        assert_eq!(told(&[("CIRCLE_BUILD_URL", "")]), is(LOCAL, ""));
        assert_eq!(told(&[circle]), is(circle.1, circle.1));
        assert_eq!(told(&[circle, ("CIRCLE_WORKFLOW_JOB_ID", "j")]), is(circle.1, "j"));
        let mut github = vec![
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_REPOSITORY", "a/b"),
            ("GITHUB_RUN_ID", "9"),
        ];
        let run = "https://github.com/a/b/actions/runs/9";
        assert_eq!(told(&github), is(run, &format!("{run}/attempts/1")));
        github.push(("GITHUB_RUN_ATTEMPT", "2"));
        assert_eq!(told(&github), is(run, &format!("{run}/attempts/2")));
        github.remove(2);
        assert_eq!(told(&github), is(LOCAL, ""));
    }
}
