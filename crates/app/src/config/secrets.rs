//! The key that signs sign-ins: given, or made once and kept in the data folder.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use secrecy::{SecretSlice, zeroize::Zeroize};

use super::{
    Mode,
    lookup::{ConfigError, Lookup, Source},
    table,
};

/// The shortest key that production starts with: as long as the hash it keys.
const SHORTEST: usize = 32;

/// Fills a buffer with randomness, as [`getrandom::fill`] does.
pub type Random = fn(&mut [u8]) -> Result<(), getrandom::Error>;

/// Where the key is to come from.
pub(super) enum SecretSource {
    Given(SecretSlice<u8>),
    KeptIn(PathBuf),
}

/// How a secret is shown.
pub(super) fn size(bytes: usize) -> String {
    format!("<{bytes} byte{}>", if bytes == 1 { "" } else { "s" })
}

/// Works out where the key comes from. `None` means that problems have been kept.
pub(super) fn resolve(lookup: &mut Lookup<'_>, data_dir: Option<&Path>) -> Option<SecretSource> {
    let setting = &table::JWT_SECRET;
    let production = lookup.mode == Mode::Production;
    match lookup.given(setting) {
        Some((text, source)) => lookup.accept(
            setting,
            &text,
            source,
            |text| match text.len() {
                bytes if production && bytes < SHORTEST => {
                    Err(format!("is {bytes} bytes long, and production needs at least {SHORTEST}"))
                }
                _ => Ok(SecretSource::Given(text.as_bytes().to_vec().into())),
            },
            |_| size(text.len()),
        ),
        None if production => {
            lookup.problem(format!(
                "JWT_SECRET is not set: production needs at least {SHORTEST} bytes that nobody can \
                 guess, the same on every start; `openssl rand -base64 48` makes some"
            ));
            None
        }
        None => {
            let file = data_dir?.join("jwt-secret");
            lookup.note(setting, format!("<kept in {}>", file.display()), Source::Default);
            Some(SecretSource::KeptIn(file))
        }
    }
}

/// The key in a file, which is made, for its owner's eyes only, if it does not exist yet. So
/// sign-ins survive a restart without anybody having to choose a key.
pub(super) fn load_or_create(file: &Path, random: Random) -> Result<SecretSlice<u8>, ConfigError> {
    let made = match std::fs::read(file) {
        Ok(text) => return check(file, text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(file, random),
        Err(error) => Err(error),
    };
    match made {
        Ok(text) => check(file, text),
        // Another process was faster: both shall sign with the same key.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match std::fs::read(file) {
            Ok(text) => check(file, text),
            Err(error) => Err(refused(file, &error)),
        },
        Err(error) => Err(refused(file, &error)),
    }
}

fn create(file: &Path, random: Random) -> io::Result<Vec<u8>> {
    let mut key = [0; SHORTEST];
    random(&mut key).map_err(|error| io::Error::other(format!("no randomness: {error}")))?;
    // Hexadecimal, so that the file can be copied into a variable.
    let mut text = Vec::with_capacity(2 * SHORTEST + 1);
    for byte in key {
        write!(text, "{byte:02x}")?;
    }
    key.zeroize();
    text.push(b'\n');
    let mut new = create_private(file)?;
    new.write_all(&text)?;
    new.sync_all()?;
    Ok(text)
}

fn create_private(file: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}

fn check(file: &Path, mut text: Vec<u8>) -> Result<SecretSlice<u8>, ConfigError> {
    text.truncate(text.trim_ascii_end().len());
    if text.len() < SHORTEST {
        return Err(ConfigError::new(format!(
            "the key in {} is {} bytes long, and at least {SHORTEST} are needed; delete the file \
             to have a new one made (everybody will have to sign in again)",
            file.display(),
            text.len()
        )));
    }
    Ok(text.into())
}

fn refused(file: &Path, error: &io::Error) -> ConfigError {
    ConfigError::new(format!(
        "cannot keep the key that signs sign-ins in {}: {error}; make the folder readable and \
         writable, choose another with --data-dir (GRAPHBOOK_DATA_DIR), or set JWT_SECRET",
        file.display()
    ))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    const SEVENS: Random = |buffer| {
        buffer.fill(7);
        Ok(())
    };

    #[test]
    fn a_key_is_made_once_and_kept_private() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("jwt-secret");
        let made = load_or_create(&file, SEVENS).unwrap();
        assert_eq!(made.expose_secret(), "07".repeat(32).as_bytes());
        let kept = load_or_create(&file, getrandom::fill).unwrap();
        assert_eq!(kept.expose_secret(), made.expose_secret());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let permissions = std::fs::metadata(&file).unwrap().permissions();
            assert_eq!(permissions.mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_key_that_cannot_be_used_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("jwt-secret");
        std::fs::write(&file, "short\n").unwrap();
        let error = load_or_create(&file, SEVENS).unwrap_err().to_string();
        assert!(error.contains("5 bytes") && error.contains("jwt-secret"), "{error}");
        assert!(!error.contains("short"), "{error}");

        let nowhere = folder.path().join("missing").join("jwt-secret");
        let error = load_or_create(&nowhere, SEVENS).unwrap_err().to_string();
        assert!(error.contains("--data-dir") && error.contains("JWT_SECRET"), "{error}");
    }
}
