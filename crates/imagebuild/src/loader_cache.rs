//! `/etc/ld.so.cache`: where the loader finds libraries that are in none of its own folders. Pure.
//!
//! The format of glibc 2.32 and newer, which older releases wrote behind their own (glibc,
//! `sysdeps/generic/dl-cache.h`): a header of 48 bytes, entries of 24, strings.

use std::path::PathBuf;

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const HEADER: usize = 48;
const ENTRY: usize = 24;

/// The paths of a library, in the order in which the loader tries them; those that are only for
/// some processors left out. Nothing where the cache can't be read.
pub(crate) fn lookup(cache: &[u8], library: &str) -> Vec<PathBuf> {
    let found = entries(cache).into_iter().filter(|(name, _)| *name == library);
    found.map(|(_, path)| PathBuf::from(path)).collect()
}

fn entries(cache: &[u8]) -> Vec<(&str, &str)> {
    let start = cache.windows(MAGIC.len()).position(|window| window == MAGIC);
    let Some(cache) = start.and_then(|start| cache.get(start..)) else { return Vec::new() };
    let Some(count) = number(cache, MAGIC.len()) else { return Vec::new() };
    let Some(entries) = cache.get(HEADER..) else { return Vec::new() };
    let all = entries.chunks_exact(ENTRY).take(count);
    all.filter_map(|entry| {
        let for_all = entry.get(16..24)?.iter().all(|byte| *byte == 0);
        let (name, path) = (string(cache, number(entry, 4)?)?, string(cache, number(entry, 8)?)?);
        for_all.then_some((name, path))
    })
    .collect()
}

/// Written in the order of the machine; those of the other order are not for this one.
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}

fn string(cache: &[u8], at: usize) -> Option<&str> {
    let rest = cache.get(at..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    std::str::from_utf8(rest.get(..end)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cache(libraries: &[(&str, &str, u64)]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend((libraries.len() as u32).to_le_bytes());
        bytes.resize(HEADER, 0);
        let mut strings = Vec::new();
        let base = HEADER + libraries.len() * ENTRY;
        for (name, path, hwcap) in libraries {
            let at = base + strings.len();
            strings.extend_from_slice(name.as_bytes());
            strings.push(0);
            let path_at = base + strings.len();
            strings.extend_from_slice(path.as_bytes());
            strings.push(0);
            bytes.extend(0x303_u32.to_le_bytes());
            bytes.extend((at as u32).to_le_bytes());
            bytes.extend((path_at as u32).to_le_bytes());
            bytes.extend(0_u32.to_le_bytes());
            bytes.extend(hwcap.to_le_bytes());
        }
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn a_library_is_found_where_every_processor_finds_it() {
        let all = [
            ("liba.so.1", "/opt/glibc-hwcaps/x86-64-v3/liba.so.1", 1 << 62),
            ("liba.so.1", "/opt/liba.so.1", 0),
            ("libb.so.1", "/opt/libb.so.1", 0),
        ];
        let cache = cache(&all);
        assert_eq!(lookup(&cache, "liba.so.1"), [PathBuf::from("/opt/liba.so.1")]);
        assert!(lookup(&cache, "libc.so.1").is_empty());
        // As older releases wrote it.
        let old = [b"ld.so-1.7.0\0\0\0\0\0".as_slice(), &cache].concat();
        assert_eq!(lookup(&old, "libb.so.1"), [PathBuf::from("/opt/libb.so.1")]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            lookup(&bytes, "libc.so.6");
            bytes.splice(0..0, MAGIC.iter().copied());
            lookup(&bytes, "libc.so.6");
        }
    }
}
