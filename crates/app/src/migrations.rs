//! The schema's history, embedded from the repository's `migrations/` folder by `build.rs`.

use migrate::{Migrations, SourceError};

const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// Parses the embedded migrations.
///
/// # Errors
/// When a file of `migrations/` is misnamed or misses its counterpart; a test keeps that from
/// ever being released.
pub fn embedded() -> Result<Migrations, SourceError> {
    Migrations::embedded(FILES)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_embedded_migrations_parse() {
        super::embedded().unwrap();
    }
}
