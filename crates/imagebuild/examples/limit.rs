//! How long compressing and hashing some files takes by itself, in seconds: all cores, nothing read
//! or written meanwhile. `dev/bench image` prints it beside what building an image takes.

use std::io::{self, Write};
use std::time::Instant;

use imagebuild::compress::{Compression, compress};
use sha2::{Digest as _, Sha256};

struct Hashed(Sha256);

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn main() -> io::Result<()> {
    let mut bytes = Vec::new();
    for path in std::env::args().skip(1) {
        bytes.extend(std::fs::read(path)?);
    }
    let threads = std::thread::available_parallelism()?.get();
    let begun = Instant::now();
    let mut packed = Hashed(Sha256::new());
    compress(Compression::Gzip, threads, &mut packed, |out| {
        let mut plain = Hashed(Sha256::new());
        for chunk in bytes.chunks(1 << 17) {
            plain.write_all(chunk)?;
            out.write_all(chunk)?;
        }
        Ok(())
    })?;
    writeln!(io::stdout(), "{:.4}", begun.elapsed().as_secs_f64())
}
