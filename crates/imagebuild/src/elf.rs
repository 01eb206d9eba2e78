//! What an ELF file asks of the loader, and what it offers to others. Runs nothing; of a file, only
//! the parts that say so are read.
//!
//! From the program headers and the dynamic segment, as the loader reads them (System V ABI,
//! "Program Loading and Dynamic Linking"; ld.so(8)); symbol versions from their sections, which
//! `strip` leaves (LSB Core, "Symbol Versioning").

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{Dyn as _, FileHeader, ProgramHeader as _};
use object::read::{Error, ReadCache, ReadRef, StringTable};
use object::{Endianness, FileKind};

/// Which processor a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Machine {
    /// The number in the ELF header (`EM_…`).
    pub number: u16,
    /// Whether it is a file of the 64-bit class.
    pub is_64: bool,
}

impl Machine {
    /// As Go calls it (`GOARCH`), which is what images do; `None` for one that no image is for.
    pub fn architecture(self) -> Option<&'static str> {
        match (elf::Machine(self.number), self.is_64) {
            (elf::EM_X86_64, true) => Some("amd64"),
            (elf::EM_AARCH64, true) => Some("arm64"),
            (elf::EM_386, false) => Some("386"),
            (elf::EM_ARM, false) => Some("arm"),
            (elf::EM_RISCV, true) => Some("riscv64"),
            (elf::EM_PPC64, true) => Some("ppc64le"),
            (elf::EM_S390, true) => Some("s390x"),
            (elf::EM_LOONGARCH, true) => Some("loong64"),
            _ => None,
        }
    }
}

/// A program or a shared library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elf {
    /// The processor.
    pub machine: Machine,
    /// The loader (`PT_INTERP`); none in libraries and static programs.
    pub interpreter: Option<String>,
    /// The name by which others need it (`DT_SONAME`).
    pub soname: Option<String>,
    /// Libraries that it needs (`DT_NEEDED`), in order.
    pub needed: Vec<String>,
    /// Folders to search for its own and its libraries' needs (`DT_RPATH`), in order.
    pub rpath: Vec<String>,
    /// Folders to search for its own needs (`DT_RUNPATH`), in order.
    pub runpath: Vec<String>,
    /// Whether the system's folders are not searched for it (`DF_1_NODEFLIB`).
    pub no_default_folders: bool,
    /// Versions of symbols that it needs, by library.
    pub versions_needed: BTreeMap<String, BTreeSet<String>>,
    /// Versions of symbols that it offers.
    pub versions_offered: BTreeSet<String>,
}

/// A file that can't be read as ELF.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// Something else: a script, an archive, a text.
    #[error("is no ELF file")]
    NotElf,
    /// Cut short, or damaged.
    #[error("is a damaged ELF file: {0}")]
    Damaged(String),
}

impl From<Error> for ElfError {
    fn from(error: Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl Elf {
    /// Reads a file.
    pub fn open(file: File) -> Result<Self, ElfError> {
        Self::parse(&ReadCache::new(file))
    }

    /// Reads bytes.
    pub fn parse<'data, R: ReadRef<'data>>(data: R) -> Result<Self, ElfError> {
        match FileKind::parse(data) {
            Ok(FileKind::Elf64) => parse::<FileHeader64<Endianness>, R>(data, true),
            Ok(FileKind::Elf32) => parse::<FileHeader32<Endianness>, R>(data, false),
            _ => Err(ElfError::NotElf),
        }
    }

    /// Whether it asks nothing of a loader.
    pub fn is_static(&self) -> bool {
        self.interpreter.is_none() && self.needed.is_empty()
    }
}

fn parse<'data, Header: FileHeader<Endian = Endianness>, R: ReadRef<'data>>(
    data: R,
    is_64: bool,
) -> Result<Elf, ElfError> {
    let header = Header::parse(data)?;
    let endian = header.endian()?;
    let segments = header.program_headers(endian, data)?;
    let mut file = Elf {
        machine: Machine { number: header.e_machine(endian).0, is_64 },
        interpreter: None,
        soname: None,
        needed: Vec::new(),
        rpath: Vec::new(),
        runpath: Vec::new(),
        no_default_folders: false,
        versions_needed: BTreeMap::new(),
        versions_offered: BTreeSet::new(),
    };
    let mut dynamic = None;
    for segment in segments {
        if let Some(path) = segment.interpreter(endian, data)? {
            file.interpreter = Some(text(path));
        }
        dynamic = segment.dynamic(endian, data)?.or(dynamic);
    }
    let entries = dynamic.unwrap_or_default();
    let entries: Vec<(elf::DynamicTag, u64)> = entries
        .iter()
        .map(|entry| (entry.tag(endian), entry.val(endian)))
        .take_while(|(tag, _)| *tag != elf::DT_NULL)
        .collect();
    let value = |wanted| entries.iter().find(|(tag, _)| *tag == wanted).map(|(_, value)| *value);
    if let Some((address, size)) = value(elf::DT_STRTAB).zip(value(elf::DT_STRSZ)) {
        let loaded = segments.iter().filter(|it| it.p_type(endian) == elf::PT_LOAD);
        let mut offsets = loaded.filter_map(|segment| {
            let into = address.checked_sub(segment.p_vaddr(endian).into())?;
            let fits = into.checked_add(size)? <= segment.p_filesz(endian).into();
            let offset: u64 = segment.p_offset(endian).into();
            offset.checked_add(into).filter(|_| fits)
        });
        let strings = offsets.next().and_then(|offset| data.read_bytes_at(offset, size).ok());
        let strings = strings
            .ok_or_else(|| ElfError::Damaged("its names are not in any segment".to_owned()))?;
        file.take(&entries, StringTable::new(strings, 0, strings.len() as u64))?;
    }
    versions(header, endian, data, &mut file)?;
    Ok(file)
}

impl Elf {
    fn take<'a>(
        &mut self,
        entries: &[(elf::DynamicTag, u64)],
        strings: StringTable<'a, &'a [u8]>,
    ) -> Result<(), ElfError> {
        let name = |offset: u64| {
            let offset = u32::try_from(offset).unwrap_or(u32::MAX);
            let outside = |()| ElfError::Damaged("a name is outside of its names".to_owned());
            strings.get(offset).map(text).map_err(outside)
        };
        for (tag, value) in entries {
            match *tag {
                elf::DT_NEEDED => self.needed.push(name(*value)?),
                elf::DT_SONAME => self.soname = Some(name(*value)?),
                elf::DT_RPATH => self.rpath = folders(&name(*value)?),
                elf::DT_RUNPATH => self.runpath = folders(&name(*value)?),
                elf::DT_FLAGS_1 => {
                    self.no_default_folders = value & elf::DF_1_NODEFLIB.0 != 0;
                }
                _ => {}
            }
        }
        // ld.so(8): RPATH counts only where there is no RUNPATH.
        if !self.runpath.is_empty() {
            self.rpath.clear();
        }
        Ok(())
    }
}

fn versions<'data, Header: FileHeader<Endian = Endianness>, R: ReadRef<'data>>(
    header: &Header,
    endian: Endianness,
    data: R,
    file: &mut Elf,
) -> Result<(), ElfError> {
    let sections = header.sections(endian, data)?;
    if let Some((mut needs, link)) = sections.gnu_verneed(endian, data)? {
        let strings = sections.strings(endian, data, link)?;
        while let Some((need, mut versions)) = needs.next()? {
            let library = text(need.file(endian, strings)?);
            while let Some(version) = versions.next()? {
                // A weak one is not insisted on by the loader.
                if !version.vna_flags.get(endian).contains(elf::VER_FLG_WEAK) {
                    let version = text(version.name(endian, strings)?);
                    file.versions_needed.entry(library.clone()).or_default().insert(version);
                }
            }
        }
    }
    if let Some((mut offers, link)) = sections.gnu_verdef(endian, data)? {
        let strings = sections.strings(endian, data, link)?;
        while let Some((_, mut names)) = offers.next()? {
            // Its own name comes first, then those that it follows.
            if let Some(name) = names.next()? {
                file.versions_offered.insert(text(name.name(endian, strings)?));
            }
        }
    }
    Ok(())
}

fn folders(path: &str) -> Vec<String> {
    path.split(':').filter(|folder| !folder.is_empty()).map(ToOwned::to_owned).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    /// This test is an ELF file itself.
    fn own() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn a_program_says_what_it_needs() {
        let elf = Elf::parse(own().as_slice()).unwrap();
        assert!(elf.interpreter.as_deref().is_some_and(|path| path.starts_with("/lib")));
        assert!(elf.needed.iter().any(|name| name == "libc.so.6"), "{elf:?}");
        assert!(elf.versions_needed["libc.so.6"].iter().any(|name| name.starts_with("GLIBC_2.")));
        assert!(elf.machine.architecture().is_some());
        assert!(!elf.is_static());
    }

    #[test]
    fn what_is_no_elf_file_is_told_from_a_damaged_one() {
        assert_eq!(Elf::parse(b"#!/bin/sh\n".as_slice()), Err(ElfError::NotElf));
        assert_eq!(Elf::parse(b"".as_slice()), Err(ElfError::NotElf));
        assert!(matches!(Elf::parse(&own()[..200]), Err(ElfError::Damaged(_))));
    }

    #[test]
    fn a_runpath_puts_the_rpath_out_of_use() {
        assert_eq!(folders("/a:$ORIGIN/../lib::/b"), ["/a", "$ORIGIN/../lib", "/b"]);
    }

    /// Small, and with everything in it.
    static LOADER: LazyLock<Vec<u8>> = LazyLock::new(|| {
        std::fs::read(Elf::parse(own().as_slice()).unwrap().interpreter.unwrap()).unwrap()
    });

    #[test]
    fn a_library_says_what_it_offers() {
        let elf = Elf::parse(LOADER.as_slice()).unwrap();
        assert!(elf.soname.is_some_and(|name| name.starts_with("ld-linux")));
        assert!(elf.versions_offered.contains("GLIBC_PRIVATE"), "{:?}", elf.versions_offered);
    }

    proptest! {
        #[test]
        fn no_change_of_bytes_is_too_much(
            mut flips in prop::collection::vec((0..4096_usize, any::<u8>()), 1..40)
        ) {
            let mut bytes = LOADER.clone();
            let length = bytes.len();
            // Also in the section headers, which stand at the end.
            let tail = flips.iter().map(|(at, byte)| (length - 1 - at, *byte)).collect::<Vec<_>>();
            flips.extend(tail);
            for (at, byte) in flips {
                bytes[at] = byte;
            }
            let _ = Elf::parse(bytes.as_slice());
        }

        #[test]
        fn nor_are_arbitrary_ones(tail in prop::collection::vec(any::<u8>(), 0..600)) {
            let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0".to_vec();
            bytes.extend(tail);
            let _ = Elf::parse(bytes.as_slice());
        }
    }
}
