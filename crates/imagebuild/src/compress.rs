//! Compresses on all cores, with the same bytes whatever their number.
//!
//! A stream is cut into blocks of a fixed size, each of which becomes a gzip member of its own
//! (RFC 1952, section 2.2: a file is a series of members), or a zstd frame (RFC 8878, section 3.1:
//! data is a series of frames). Memory stays at a few blocks for each core, however long the stream
//! is.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use libdeflater::{CompressionLvl, Compressor};
use oci_spec::image::MediaType;
use serde::{Deserialize, Serialize};

/// Bytes in a block. A part of what is written: another number makes other digests.
pub const BLOCK: usize = 1 << 20;

/// How hard to try: of libdeflate's levels the one with the best size for its time. A part of what
/// is written as well.
const GZIP_LEVEL: i32 = 6;
/// Of zstd's levels one that takes about as long, and makes less of it.
const ZSTD_LEVEL: i32 = 7;

/// How layers are compressed (image-spec, "Layer Media Types").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Understood by everything.
    #[default]
    Gzip,
    /// Smaller, and unpacked faster; understood by Docker 23 and containerd 1.5, or later.
    Zstd,
}

impl Compression {
    /// Of a layer that is compressed so.
    pub(crate) fn media_type(self) -> MediaType {
        match self {
            Self::Gzip => MediaType::ImageLayerGzip,
            Self::Zstd => MediaType::ImageLayerZstd,
        }
    }
}

/// Compresses what `produce` writes, into `out`.
pub fn compress<T>(
    compression: Compression,
    threads: usize,
    out: &mut (dyn Write + Send),
    produce: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> io::Result<T> {
    let threads = threads.max(1);
    // Each block has a place from when it is cut until it is written, so that a slow one can't make
    // the others pile up behind it.
    let places = 2 * threads + 1;
    let (place, free) = sync_channel::<()>(places);
    let (cut, blocks) = sync_channel::<(usize, Vec<u8>)>(places);
    let (packed, members) = sync_channel::<(usize, Vec<u8>)>(places);
    let blocks = Arc::new(Mutex::new(blocks));
    thread::scope(|scope| {
        for _ in 0..threads {
            let (blocks, packed) = (Arc::clone(&blocks), packed.clone());
            scope.spawn(move || pack(compression, &blocks, &packed));
        }
        drop(packed);
        drop(blocks);
        let writer = scope.spawn(move || write_in_order(&members, &free, out));
        let mut cutter = Cutter { block: Vec::with_capacity(BLOCK), number: 0, place, cut };
        let produced = produce(&mut cutter).and_then(|made| cutter.finish().map(|()| made));
        // What the writer could not write is why nobody took the blocks any more.
        let written = writer.join().unwrap_or_else(|_| Err(io::Error::other("compressing failed")));
        written.and(produced)
    })
}

/// Cuts a stream into blocks.
struct Cutter {
    block: Vec<u8>,
    number: usize,
    place: SyncSender<()>,
    cut: SyncSender<(usize, Vec<u8>)>,
}

impl Cutter {
    fn send(&mut self) -> io::Result<()> {
        let block = std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK));
        let ended = || io::Error::from(io::ErrorKind::BrokenPipe);
        self.place.send(()).map_err(|_| ended())?;
        self.cut.send((self.number, block)).map_err(|_| ended())?;
        self.number += 1;
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        // An empty stream is one empty member.
        if self.block.is_empty() && self.number > 0 { Ok(()) } else { self.send() }
    }
}

impl Write for Cutter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(BLOCK - self.block.len());
        self.block.extend_from_slice(bytes.get(..taken).unwrap_or(bytes));
        if self.block.len() == BLOCK {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn pack(
    compression: Compression,
    blocks: &Mutex<Receiver<(usize, Vec<u8>)>>,
    packed: &SyncSender<(usize, Vec<u8>)>,
) {
    let Some(mut compressor) = Packer::new(compression) else { return };
    loop {
        let next = blocks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, block)) = next else { return };
        let Some(member) = compressor.pack(&block) else { return };
        if packed.send((number, member)).is_err() {
            return;
        }
    }
}

enum Packer {
    /// With room to write to, which is used again and again.
    Gzip(Compressor, Vec<u8>),
    Zstd(zstd::bulk::Compressor<'static>),
}

impl Packer {
    fn new(compression: Compression) -> Option<Self> {
        match compression {
            Compression::Gzip => {
                let level = CompressionLvl::new(GZIP_LEVEL).unwrap_or_default();
                Some(Self::Gzip(Compressor::new(level), Vec::new()))
            }
            Compression::Zstd => zstd::bulk::Compressor::new(ZSTD_LEVEL).ok().map(Self::Zstd),
        }
    }

    /// A gzip member or zstd frame of a block.
    fn pack(&mut self, block: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Gzip(compressor, room) => {
                let most = compressor.gzip_compress_bound(block.len());
                room.resize(room.len().max(most), 0);
                // The bound is what it says: there is room.
                let length = compressor.gzip_compress(block, room).ok()?;
                room.get(..length).map(<[u8]>::to_vec)
            }
            Self::Zstd(compressor) => compressor.compress(block).ok(),
        }
    }
}

fn write_in_order(
    members: &Receiver<(usize, Vec<u8>)>,
    free: &Receiver<()>,
    out: &mut (dyn Write + Send),
) -> io::Result<()> {
    let mut early = BTreeMap::new();
    let mut next = 0;
    for (number, member) in members {
        early.insert(number, member);
        while let Some(member) = early.remove(&next) {
            out.write_all(&member)?;
            let _ = free.recv();
            next += 1;
        }
    }
    if early.is_empty() { Ok(()) } else { Err(io::Error::other("a block was not compressed")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn packed(how: Compression, threads: usize, bytes: &[u8], step: usize) -> Vec<u8> {
        let mut out = Vec::new();
        compress(how, threads, &mut out, |into| {
            bytes.chunks(step).try_for_each(|chunk| into.write_all(chunk))
        })
        .unwrap();
        out
    }

    fn unpacked(how: Compression, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match how {
            Compression::Gzip => flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut out),
            Compression::Zstd => zstd::Decoder::new(bytes).unwrap().read_to_end(&mut out),
        }
        .unwrap();
        out
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Half of it compresses.
            if state & 0x100 == 0 { (state >> 24) as u8 } else { b' ' }
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn the_bytes_do_not_depend_on_threads_or_writes() {
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 77] {
            let bytes = noise(length);
            for how in [Compression::Gzip, Compression::Zstd] {
                let one = packed(how, 1, &bytes, usize::MAX);
                assert_eq!(unpacked(how, &one), bytes, "{length} {how:?}");
                assert_eq!(packed(how, 8, &bytes, 3000), one, "{length} {how:?}");
            }
        }
    }

    #[test]
    fn an_error_of_either_side_ends_it() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::Error::other("no space"))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let failed = compress(Compression::Gzip, 2, &mut Vec::new(), |into| {
            into.write_all(&noise(3 * BLOCK))?;
            Err::<(), _>(io::Error::other("the source"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "the source");

        let failed =
            compress(Compression::Gzip, 2, &mut Full, |into| into.write_all(&noise(40 * BLOCK)));
        assert_eq!(failed.unwrap_err().to_string(), "no space");
    }
}
