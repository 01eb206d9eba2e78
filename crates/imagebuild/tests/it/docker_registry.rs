//! A registry that nobody of this project wrote. The tests of `deploy` push to it as well.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Debian's docker-registry in a folder of its own, until this is dropped.
pub(crate) struct DockerRegistry {
    child: Child,
    pub(crate) address: String,
    _folder: TempDir,
}

impl DockerRegistry {
    /// For everybody, or for whom a file of htpasswd lists.
    pub(crate) fn new(htpasswd: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let config = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: {address}}}\n",
            folder.path().join("registry").display()
        );
        let auth = htpasswd.map_or_else(String::new, |htpasswd| {
            let file = folder.path().join("htpasswd");
            fs::write(&file, htpasswd).unwrap();
            format!("auth: {{htpasswd: {{realm: r, path: {}}}}}\n", file.display())
        });
        let file = folder.path().join("config.yml");
        fs::write(&file, config + &auth).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(file).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let begun = Instant::now();
        while TcpStream::connect(&address).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(30), "docker-registry does not start");
            thread::sleep(Duration::from_millis(50));
        }
        Self { child, address, _folder: folder }
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
