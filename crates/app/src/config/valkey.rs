//! Where what is live is shared, if it is.

use super::{lookup::Lookup, secrets, table};
use crate::events::Valkey;

/// Says that problems have been kept.
pub(super) struct Refused;

/// Works out where Valkey is; nothing if it is not wanted.
pub(super) fn resolve(lookup: &mut Lookup<'_>) -> Result<Option<Valkey>, Refused> {
    let password = lookup.given(&table::VALKEY_PASSWORD);
    let Some((text, source)) = lookup.given(&table::VALKEY_URL) else {
        return match password {
            None => Ok(None),
            Some((_, source)) => {
                let given = source.of(&table::VALKEY_PASSWORD);
                lookup.problem(format!("{given} is for GRAPHBOOK_VALKEY_URL, which is not set"));
                Err(Refused)
            }
        };
    };
    let parsed =
        lookup.accept(&table::VALKEY_URL, &text, source, Valkey::parse, ToString::to_string);
    let valkey = parsed.ok_or(Refused)?;
    let Some((password, source)) = password else { return Ok(Some(valkey)) };
    if valkey.has_password() {
        let given = source.of(&table::VALKEY_PASSWORD);
        lookup.problem(format!("{given}: GRAPHBOOK_VALKEY_URL has a password already"));
        return Err(Refused);
    }
    lookup.note(&table::VALKEY_PASSWORD, secrets::size(password.len()), source);
    Ok(Some(valkey.with_password(&password)))
}
