//! Stands between a runner and its server, counts what the runner asks, and can keep an answer to
//! itself: so a test stops a runner at any point it likes, without the runner's help.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A proxy of one server, for one connection at a time.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    commands: Arc<AtomicUsize>,
    texts: Arc<Mutex<Vec<String>>>,
    reached: Receiver<()>,
}

impl Proxy {
    /// Keeps the answer to command number `halt`, from 1, and all after it to itself.
    pub(crate) fn start(server: &str, halt: Option<usize>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, reached) = channel();
        let (commands, texts) = (Arc::default(), Arc::default());
        let proxy =
            Self { port, commands: Arc::clone(&commands), texts: Arc::clone(&texts), reached };
        let server = server.to_owned();
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let server = TcpStream::connect(&server).unwrap();
                let relay = Relay {
                    commands: Arc::clone(&commands),
                    texts: Arc::clone(&texts),
                    halt,
                    reached: sender.clone(),
                };
                relay.start(client, server);
            }
        });
        proxy
    }

    /// How many commands the client sent so far.
    pub(crate) fn commands(&self) -> usize {
        self.commands.load(Ordering::SeqCst)
    }

    /// What it sent.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.texts.lock().unwrap().clone()
    }

    /// Waits until the place to halt is reached.
    pub(crate) fn wait(&self) -> bool {
        self.reached.recv_timeout(Duration::from_secs(30)).is_ok()
    }
}

struct Relay {
    commands: Arc<AtomicUsize>,
    texts: Arc<Mutex<Vec<String>>>,
    halt: Option<usize>,
    reached: Sender<()>,
}

impl Relay {
    fn start(self, mut client: TcpStream, mut server: TcpStream) {
        let (mut answers, mut to_client) =
            (server.try_clone().unwrap(), client.try_clone().unwrap());
        let (commands, halt, reached) =
            (Arc::clone(&self.commands), self.halt, self.reached.clone());
        thread::spawn(move || {
            let mut buffer = [0; 16_384];
            while let Ok(length @ 1..) = answers.read(&mut buffer) {
                if halt.is_some_and(|halt| commands.load(Ordering::SeqCst) >= halt) {
                    let _ = reached.send(());
                    // Until the connection ends: the client hears nothing more.
                    continue;
                }
                if to_client.write_all(&buffer[..length]).is_err() {
                    break;
                }
            }
            let _ = to_client.shutdown(Shutdown::Both);
        });
        thread::spawn(move || {
            while let Ok(packet) = packet(&mut client) {
                // A command begins a new sequence; what belongs to the handshake goes on with one.
                if packet[3] == 0 {
                    let text = String::from_utf8_lossy(&packet[5..]).into_owned();
                    self.texts.lock().unwrap().push(text);
                    self.commands.fetch_add(1, Ordering::SeqCst);
                }
                if server.write_all(&packet).is_err() {
                    break;
                }
            }
            let _ = server.shutdown(Shutdown::Both);
        });
    }
}

/// One packet of the client/server protocol: three bytes of length, a sequence number, the rest.
fn packet(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut packet = vec![0; 4];
    client.read_exact(&mut packet)?;
    let length = u32::from_le_bytes([packet[0], packet[1], packet[2], 0]) as usize;
    packet.resize(4 + length, 0);
    client.read_exact(&mut packet[4..])?;
    Ok(packet)
}
