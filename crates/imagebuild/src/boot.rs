//! Starts an image for a trial: unpacks it, has an OCI runtime run it as its configuration says, asks
//! its health check, and ends it. With a runtime of the machine (`runc` or `crun`), root or not, and
//! nothing else of a container engine.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use oci_spec::image::MediaType;
use serde_json::{Value, json};
use tar::Archive;
use tempfile::TempDir;

use crate::base::numbers;
use crate::image::Settings;
use crate::layer::plain;
use crate::read::{Contents, OPAQUE, WHITEOUT, unpacked};

/// The runtimes that are looked for, in this order.
const RUNTIMES: [&str; 2] = ["runc", "crun"];
/// How long something without a health check must run.
const STAYS: Duration = Duration::from_secs(3);
/// How long it may take to end when it is asked to, as long as Docker waits.
const ENDS: Duration = Duration::from_secs(10);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);
/// The lines of its output that are shown when it fails.
const LINES: usize = 20;

/// How an image is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Variables besides the image's own, `NAME=value`.
    pub env: Vec<String>,
    /// Whether it has this machine's network, such as for a database; else it has its own, with
    /// nobody else in it.
    pub host_network: bool,
    /// How long it may take until it is well.
    pub patience: Duration,
}

/// An image that was started, and was well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booted {
    /// The runtime.
    pub runtime: &'static str,
    /// How long it took until it was well.
    pub after: Duration,
    /// Whether a health check said so; else it went on running, or ended with 0.
    pub asked: bool,
    /// The exit code after it was asked to end; none if it had to be killed.
    pub code: Option<i32>,
}

/// Why it is not known to start.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// Nothing could run it.
    #[error("no container can be started: neither runc nor crun is here. Install one of them")]
    NoRuntime,
    /// The image is for another processor.
    #[error("the image is for {0}, which this machine is not")]
    Architecture(String),
    /// It can't be laid out.
    #[error("the image can't be unpacked: {0}")]
    Unpack(io::Error),
    /// Its runtime failed.
    #[error("{runtime} can't be run: {reason}")]
    Runtime {
        /// Which.
        runtime: &'static str,
        /// Why.
        reason: io::Error,
    },
    /// It ended, or never was well.
    #[error("the image was started, and {what}{}", said(.output))]
    Unwell {
        /// What became of it.
        what: String,
        /// The end of what it printed.
        output: Vec<String>,
    },
}

fn said(output: &[String]) -> String {
    if output.is_empty() {
        return ". It printed nothing".to_owned();
    }
    output
        .iter()
        .fold(". The last that it printed:".to_owned(), |text, line| text + "\n  | " + line)
}

/// Starts an image whose blobs are in a folder with `blobs/sha256`, and ends it.
pub fn boot(folder: &Path, image: &Contents, trial: &Trial) -> Result<Booted, BootError> {
    let own = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    if image.settings.architecture != own {
        return Err(BootError::Architecture(image.settings.architecture.clone()));
    }
    let there = |runtime: &&str| Command::new(runtime).arg("--version").output().is_ok();
    let runtime = RUNTIMES.into_iter().find(there).ok_or(BootError::NoRuntime)?;
    let bundle = tempfile::Builder::new().prefix("imagebuild-").tempdir();
    let bundle = bundle.map_err(BootError::Unpack)?;
    unpack(folder, image, &bundle.path().join("rootfs")).map_err(BootError::Unpack)?;
    let user = numbers(&image.entries, &image.settings.user);
    let config = configuration(&image.settings, &user, trial, &Ids::own());
    fs::write(bundle.path().join("config.json"), config.to_string()).map_err(BootError::Unpack)?;
    Container { runtime, bundle }.watch(image, trial)
}

/// The numbers by which this process is known.
struct Ids {
    uid: u32,
    gid: u32,
}

impl Ids {
    /// Those of the owner of what it writes.
    fn own() -> Self {
        let about = tempfile::tempfile().and_then(|file| file.metadata());
        about.map_or(Self { uid: 0, gid: 0 }, |about| Self {
            uid: std::os::unix::fs::MetadataExt::uid(&about),
            gid: std::os::unix::fs::MetadataExt::gid(&about),
        })
    }
}

/// Writes all layers, one over the other. Only root can give files away; else they belong to whom
/// this runs as, who is also the user in the container.
fn unpack(folder: &Path, image: &Contents, root: &Path) -> io::Result<()> {
    fs::create_dir(root)?;
    let owners = Ids::own().uid == 0;
    for (kind, layer) in &image.layers {
        let blob = File::open(folder.join("blobs/sha256").join(layer.digest.hex()))?;
        unpack_layer(kind, blob, root, owners)?;
    }
    Ok(())
}

fn unpack_layer(kind: &MediaType, blob: File, root: &Path, owners: bool) -> io::Result<()> {
    let mut archive = Archive::new(unpacked(kind, blob)?);
    archive.set_preserve_permissions(true);
    archive.set_preserve_ownerships(owners);
    archive.set_overwrite(true);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let Some(path) = plain(&path) else { continue };
        let (parent, name) = path.rsplit_once('/').unwrap_or_default();
        let parent = root.join(parent.trim_start_matches('/'));
        if name == OPAQUE {
            for entry in fs::read_dir(parent)? {
                remove(&entry?.path())?;
            }
        } else if let Some(gone) = name.strip_prefix(WHITEOUT) {
            remove(&parent.join(gone))?;
        } else {
            entry.unpack_in(root)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(about) if about.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    removed.or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}

/// What a runtime is told (runtime-spec, "Configuration"): the program with no rights beyond its
/// user's.
fn configuration(settings: &Settings, user: &str, trial: &Trial, own: &Ids) -> Value {
    let (uid, gid) = user.split_once(':').unwrap_or((user, "0"));
    let number = |text: &str| text.parse::<u32>().unwrap_or_default();
    let (mut uid, mut gid) = (number(uid), number(gid));
    let env: Vec<&String> = settings.env.iter().chain(&trial.env).collect();
    let mut namespaces = vec!["pid", "ipc", "uts", "mount"];
    if !trial.host_network {
        namespaces.push("network");
    }
    let mut mappings = Vec::new();
    if own.uid != 0 {
        namespaces.push("user");
        // runc sets up nothing without a root inside, and somebody else can map only one user: this
        // one, as a root without any rights.
        (uid, gid) = (0, 0);
        mappings = vec![("uidMappings", own.uid), ("gidMappings", own.gid)];
    }
    let namespaces: Vec<Value> = namespaces.iter().map(|kind| json!({ "type": kind })).collect();
    let mut linux = serde_json::Map::from_iter([("namespaces".to_owned(), namespaces.into())]);
    linux.extend(mappings.into_iter().map(|(key, outside)| {
        (key.to_owned(), json!([{ "containerID": 0, "hostID": outside, "size": 1 }]))
    }));
    let mount = |to: &str, kind: &str, options: &[&str]| json!({ "destination": to, "type": kind, "source": kind, "options": options });
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": { "uid": uid, "gid": gid },
            "args": settings.entrypoint,
            "env": env,
            "cwd": settings.working_dir,
            "noNewPrivileges": true,
        },
        "root": { "path": "rootfs" },
        "mounts": [
            mount("/proc", "proc", &[]),
            mount("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
            mount("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
        ],
        "linux": linux,
    })
}

struct Container {
    runtime: &'static str,
    /// Also the place of the runtime's own notes.
    bundle: TempDir,
}

impl Container {
    /// No other container of the machine has it: a runtime makes its control group of it.
    fn name(&self) -> &OsStr {
        self.bundle.path().file_name().unwrap_or_default()
    }

    fn command(&self, verb: &[&str]) -> Command {
        let mut command = Command::new(self.runtime);
        command.arg("--root").arg(self.bundle.path().join("state")).args(verb);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn refuse(&self) -> impl Fn(io::Error) -> BootError + use<> {
        let runtime = self.runtime;
        move |reason| BootError::Runtime { runtime, reason }
    }

    fn output(&self) -> PathBuf {
        self.bundle.path().join("output")
    }

    fn watch(&self, image: &Contents, trial: &Trial) -> Result<Booted, BootError> {
        let output = File::create(self.output()).map_err(self.refuse())?;
        let mut run = self.command(&["run", "--bundle"]);
        run.arg(self.bundle.path()).arg(self.name());
        run.stdout(output.try_clone().map_err(self.refuse())?).stderr(output);
        let begun = Instant::now();
        let mut running = run.spawn().map_err(self.refuse())?;
        let settings = &image.settings;
        let well = self.until_well(&mut running, &settings.health_check, trial.patience);
        let after = begun.elapsed();
        let signal = settings.stop_signal.as_deref().unwrap_or("SIGTERM");
        let code = self.end(&mut running, signal);
        let unwell = |what: String| BootError::Unwell { what, output: self.last_lines() };
        well.map_err(unwell)?;
        let asked = !settings.health_check.is_empty();
        Ok(Booted { runtime: self.runtime, after, asked, code: code.map_err(self.refuse())? })
    }

    /// What is wrong, if it does not become well.
    fn until_well(
        &self,
        running: &mut Child,
        health_check: &[String],
        patience: Duration,
    ) -> Result<(), String> {
        let begun = Instant::now();
        loop {
            match running.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) if status.success() && health_check.is_empty() => return Ok(()),
                Ok(Some(status)) => return Err(format!("ended by itself: {status}")),
                Err(error) => return Err(format!("is not to be seen: {error}")),
            }
            if health_check.is_empty() {
                if begun.elapsed() >= STAYS.min(patience) {
                    return Ok(());
                }
            } else {
                let mut ask = self.command(&["exec"]);
                ask.arg(self.name()).args(health_check);
                if ask.status().is_ok_and(|status| status.success()) {
                    return Ok(());
                }
                if begun.elapsed() >= patience {
                    let (asked, seconds) = (health_check.join(" "), patience.as_secs());
                    return Err(format!("was not well after {seconds} s, as `{asked}` says"));
                }
            }
            thread::sleep(PAUSE);
        }
    }

    fn end(&self, running: &mut Child, signal: &str) -> io::Result<Option<i32>> {
        self.command(&["kill"]).arg(self.name()).arg(signal).status()?;
        let begun = Instant::now();
        while begun.elapsed() < ENDS {
            if let Some(status) = running.try_wait()? {
                return Ok(status.code());
            }
            thread::sleep(PAUSE / 4);
        }
        self.command(&["kill"]).arg(self.name()).arg("KILL").status()?;
        running.wait()?;
        Ok(None)
    }

    fn last_lines(&self) -> Vec<String> {
        let mut bytes = Vec::new();
        // What can't be read is not shown.
        let _ = File::open(self.output()).and_then(|mut file| file.read_to_end(&mut bytes));
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(LINES)).map(|it| (*it).to_owned()).collect()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // Of one that has ended well, nothing is left to remove.
        let _ = self.command(&["delete", "--force"]).arg(self.name()).status();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured(own: &Ids) -> Value {
        let settings = Settings {
            entrypoint: vec!["/server".to_owned()],
            env: vec!["A=1".to_owned()],
            working_dir: "/srv".to_owned(),
            ..Settings::default()
        };
        let env = vec!["B=2".to_owned()];
        let trial = Trial { env, host_network: false, patience: Duration::ZERO };
        configuration(&settings, "33:34", &trial, own)
    }

    #[test]
    fn a_container_is_as_the_image_says_and_may_do_nothing_else() {
        let config = configured(&Ids { uid: 0, gid: 0 });
        let process = &config["process"];
        assert_eq!(process["user"], json!({ "uid": 33, "gid": 34 }));
        assert_eq!((&process["args"], &process["cwd"]), (&json!(["/server"]), &json!("/srv")));
        assert_eq!(process["env"], json!(["A=1", "B=2"]));
        assert_eq!(process.get("capabilities"), None);
        assert!(config["linux"].to_string().contains("network"));
        assert_eq!(config["linux"].get("uidMappings"), None);
    }

    #[test]
    fn who_is_not_root_is_all_that_there_is_inside() {
        let config = configured(&Ids { uid: 1000, gid: 1001 });
        let mapped = json!([{ "containerID": 0, "hostID": 1000, "size": 1 }]);
        assert_eq!(config["linux"]["uidMappings"], mapped);
        assert_eq!(config["process"]["user"], json!({ "uid": 0, "gid": 0 }));
        assert!(config["linux"]["namespaces"].to_string().contains("user"));
    }
}
