//! Who somebody is to a registry: from the environment, Docker's and podman's files, and the helper
//! programs that these name.

use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};

/// What a registry is shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A name and a password.
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token that others are got with (OAuth 2.0, `refresh_token`).
    Identity(String),
}

/// Never shows a secret.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic { user, .. } => write!(f, "Basic({user:?})"),
            Self::Identity(_) => write!(f, "Identity"),
        }
    }
}

/// A file with credentials that can't be used, or a helper that failed.
#[derive(Debug, thiserror::Error)]
#[error("no credentials for {host} can be got from {}: {reason}", .path.display())]
pub struct CredentialError {
    host: String,
    path: PathBuf,
    reason: CredentialRetrievalError,
}

/// The variables that say it for every registry.
const USER: &str = "IMAGEBUILD_USER";
const PASSWORD: &str = "IMAGEBUILD_PASSWORD";

/// Looks for a credential: the environment comes first, then the files that `podman login` and
/// `docker login` write, in podman's order (containers-auth.json(5)). None is none: much is public.
pub fn find(
    host: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Credential>, CredentialError> {
    if let (Some(user), Some(password)) = (variable(USER), variable(PASSWORD)) {
        return Ok(Some(Credential::Basic { user, password }));
    }
    for path in files(&variable) {
        if let Some(found) = from_file(&path, host)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn files(variable: &impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let folder = |name: &str| variable(name).filter(|it| !it.is_empty()).map(PathBuf::from);
    let home = |rest: &str| folder("HOME").map(|home| home.join(rest));
    let config = folder("XDG_CONFIG_HOME").or_else(|| home(".config"));
    let docker = folder("DOCKER_CONFIG").or_else(|| home(".docker"));
    let found = [
        folder("REGISTRY_AUTH_FILE"),
        folder("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json")),
        config.map(|folder| folder.join("containers/auth.json")),
        docker.map(|folder| folder.join("config.json")),
    ];
    found.into_iter().flatten().collect()
}

fn from_file(path: &Path, host: &str) -> Result<Option<Credential>, CredentialError> {
    let Ok(file) = File::open(path) else { return Ok(None) };
    // Docker's own registry goes by the address of its first version.
    let host = if host == "docker.io" { "https://index.docker.io/v1/" } else { host };
    match get_credential_from_reader(BufReader::new(file), host) {
        Ok(DockerCredential::UsernamePassword(user, password)) => {
            Ok(Some(Credential::Basic { user, password }))
        }
        Ok(DockerCredential::IdentityToken(token)) => Ok(Some(Credential::Identity(token))),
        Err(CredentialRetrievalError::NoCredentialConfigured) => Ok(None),
        // What a helper says when it has nothing (docker-credential-helpers, `errCredentialsNotFound`).
        Err(CredentialRetrievalError::HelperFailure { stdout, .. })
            if stdout.contains("credentials not found") =>
        {
            Ok(None)
        }
        Err(reason) => {
            Err(CredentialError { host: host.to_owned(), path: path.to_owned(), reason })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn with(variables: &[(&str, &str)], host: &str) -> Result<Option<Credential>, CredentialError> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        find(host, variable)
    }

    fn basic(user: &str, password: &str) -> Credential {
        Credential::Basic { user: user.to_owned(), password: password.to_owned() }
    }

    #[test]
    fn the_first_place_that_knows_wins() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().to_str().unwrap().to_owned();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(with(&[("HOME", &at)], "r.example").unwrap(), None);
        // "docker:one" and "podman:two".
        write(".docker/config.json", r#"{"auths":{"r.example":{"auth":"ZG9ja2VyOm9uZQ=="}}}"#);
        assert_eq!(with(&[("HOME", &at)], "r.example").unwrap(), Some(basic("docker", "one")));
        assert_eq!(with(&[("HOME", &at)], "other.example").unwrap(), None);
        let podman = r#"{"auths":{"r.example":{"auth":"cG9kbWFuOnR3bw=="}}}"#;
        write(".config/containers/auth.json", podman);
        assert_eq!(with(&[("HOME", &at)], "r.example").unwrap(), Some(basic("podman", "two")));
        let set = [("HOME", at.as_str()), (USER, "u"), (PASSWORD, "p")];
        assert_eq!(with(&set, "r.example").unwrap(), Some(basic("u", "p")));

        write("broken.json", "{");
        let broken = format!("{at}/broken.json");
        let error = with(&[("REGISTRY_AUTH_FILE", &broken)], "r.example").unwrap_err();
        assert!(error.to_string().contains("broken.json: Unable to read config"), "{error}");
        let token = r#"{"auths":{"https://index.docker.io/v1/":{"identitytoken":"t"}}}"#;
        write("token.json", token);
        let file = format!("{at}/token.json");
        let found = with(&[("REGISTRY_AUTH_FILE", &file)], "docker.io").unwrap();
        assert_eq!(found, Some(Credential::Identity("t".into())));
        assert!(!format!("{found:?}{:?}", basic("u", "hidden")).contains("hidden"));
    }
}
