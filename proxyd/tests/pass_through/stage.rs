//! proxyd on a free port, a scripted upstream behind it, and a raw client in front.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

/// Nothing here takes longer, on the slowest machine, unless it hangs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// In the targets of the questions that proxyd asks on its own account: whom Kubo admits, and whether it
/// is another proxyd.
const PROBES: [&str; 2] = ["timeout=probe", "/api/v0/cluster/via"];

/// A running proxyd; it is killed at the end.
pub(crate) struct Proxyd {
    child: Child,
    pub(crate) address: SocketAddr,
    directory: tempfile::TempDir,
    _place: Arc<Place>,
}

impl Proxyd {
    /// Starts it before this upstream, with further lines of configuration. It listens on a port and
    /// on a Unix socket.
    pub(crate) fn start(upstream: SocketAddr, more: &str) -> Self {
        let ipfs = format!("/ip4/127.0.0.1/tcp/{}", upstream.port());
        Self::start_at(&Arc::new(Place::reserve()), &ipfs, more)
    }

    /// The same on this port, before what is at this multiaddr.
    pub(crate) fn start_at(place: &Arc<Place>, ipfs: &str, more: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (address, place) = (place.address, Arc::clone(place));
        let config = format!(
            "listen = [\"/ip4/127.0.0.1/tcp/{}\", \"/unix{}\"]\n\
             ipfs = \"{ipfs}\"\n{more}\n",
            address.port(),
            socket(directory.path()).display()
        );
        let file = directory.path().join("proxyd.toml");
        std::fs::write(&file, config).unwrap();
        let child = spawn_ready(&file, &directory.path().join("notify.sock"));
        Self { child, address, directory, _place: place }
    }

    /// Its Unix socket.
    pub(crate) fn socket(&self) -> PathBuf {
        socket(self.directory.path())
    }

    /// A client's connection to it.
    pub(crate) fn connect(&self) -> Client {
        Client::new(TcpStream::connect(self.address).unwrap())
    }

    /// The same over its Unix socket.
    pub(crate) fn connect_unix(&self) -> UnixStream {
        let stream = UnixStream::connect(self.socket()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    /// Waits for its end and gives its exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        exit_code(&mut self.child)
    }

    /// Resident memory in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Proxyd {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn socket(directory: &Path) -> PathBuf {
    directory.join("p.sock")
}

/// Starts the binary with this configuration file.
pub(crate) fn command(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_proxyd"));
    command.arg("--config").arg(config);
    command
}

/// Starts it and waits until it says that it is ready.
pub(crate) fn spawn_ready(config: &Path, notify: &Path) -> Child {
    let socket = UnixDatagram::bind(notify).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let child = command(config).env("NOTIFY_SOCKET", notify).spawn().unwrap();
    let mut message = [0; 512];
    let count = socket.recv(&mut message).unwrap();
    assert!(message[..count].starts_with(b"READY=1\n"));
    child
}

/// Waits for a child's end; one that does not end is killed and has no exit code.
pub(crate) fn exit_code(child: &mut Child) -> Option<i32> {
    let (id, (ended, end)) = (child.id().to_string(), mpsc::sync_channel::<()>(1));
    let guard = std::thread::spawn(move || {
        if end.recv_timeout(DEADLINE) == Err(mpsc::RecvTimeoutError::Timeout) {
            drop(Command::new("kill").args(["-KILL", &id]).status());
        }
    });
    let code = child.wait().unwrap().code();
    drop(ended);
    guard.join().unwrap();
    code
}

/// Ports below the kernel's range for outgoing connections, and apart from those of the other tests: a
/// connection must not get the port of a daemon that is not there.
const PORTS: std::ops::Range<u16> = 16_000..24_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// An address that nobody listens on, and that no other test gets.
pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    _lock: File,
}

impl Place {
    pub(crate) fn reserve() -> Self {
        let count = u32::from(PORTS.end - PORTS.start);
        // Processes start at different places, so that they rarely try each other's.
        let offset = std::process::id().wrapping_mul(61);
        let free = (0..count).find_map(|_| {
            let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
            let port = PORTS.start + u16::try_from(offset.wrapping_add(step) % count).unwrap();
            let name = format!("composite-proxyd-{port}.lock");
            let lock = File::create(std::env::temp_dir().join(name)).ok()?;
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            let is_free = lock.try_lock().is_ok() && TcpListener::bind(address).is_ok();
            is_free.then_some(Self { address, _lock: lock })
        });
        free.expect("a port is free")
    }
}

/// Plays Kubo: `script` gets each connection, one after another, until it has played `count`.
pub(crate) fn upstream<T: Send + 'static>(
    count: usize,
    mut script: impl FnMut(usize, &mut Client) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<Vec<T>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let play = move || {
        let play_one = |number| script(number, &mut Client::new(accept(&listener)));
        (0..count).map(play_one).collect()
    };
    (address, std::thread::spawn(play))
}

/// The next connection with a client's request: at its start proxyd asks on its own account whom
/// Kubo admits, which no script reckons with.
fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut start = [0; 256];
        let count = stream.peek(&mut start).unwrap_or(0);
        let start = String::from_utf8_lossy(&start[..count]);
        if start.is_empty() {
            continue;
        }
        if !start.lines().next().is_some_and(|line| PROBES.iter().any(|own| line.contains(own))) {
            return stream;
        }
        // Closed, so that the connection counts for no test.
        let mut asking = stream;
        asking
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .unwrap();
    }
}

/// Plays a Kubo that answers every request of every connection with [`OK`], to the test's end.
pub(crate) fn always_ok() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut kubo = Client::new(stream.unwrap());
            std::thread::spawn(move || {
                while kubo.has_head() {
                    kubo.send(OK);
                }
            });
        }
    });
    address
}

/// A raw connection, of a client or of the upstream.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    held: Vec<u8>,
}

impl Client {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, held: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Everything up to and with `end`.
    pub(crate) fn until(&mut self, end: &str) -> String {
        let mut searched = 0;
        loop {
            let is_end = |window: &[u8]| window == end.as_bytes();
            if let Some(at) = self.held[searched..].windows(end.len()).position(is_end) {
                let bytes: Vec<u8> = self.held.drain(..searched + at + end.len()).collect();
                return String::from_utf8(bytes).unwrap();
            }
            searched = (self.held.len() + 1).saturating_sub(end.len());
            let mut part = [0; 4096];
            let count = self.stream.read(&mut part).unwrap();
            assert!(count > 0, "ended before {end:?}: {}", String::from_utf8_lossy(&self.held));
            self.held.extend_from_slice(&part[..count]);
        }
    }

    /// A message's head.
    pub(crate) fn head(&mut self) -> String {
        self.until("\r\n\r\n")
    }

    /// So many bytes; some may have come with the head.
    pub(crate) fn exactly(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.held);
        assert!(bytes.len() <= count, "more came than was awaited");
        let at_hand = bytes.len();
        bytes.resize(count, 0);
        self.stream.read_exact(&mut bytes[at_hand..]).unwrap();
        bytes
    }

    /// Whether another request without a body came before the end.
    fn has_head(&mut self) -> bool {
        let mut byte = [0];
        let came = matches!(self.stream.read(&mut byte), Ok(1));
        if came {
            self.held.extend_from_slice(&byte);
            self.head();
        }
        came
    }

    /// Everything up to a clean end.
    pub(crate) fn rest(&mut self) -> String {
        let mut bytes = std::mem::take(&mut self.held);
        self.stream.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// Whether the connection is reset (not ended cleanly) once all that came has been read.
    pub(crate) fn is_reset(&mut self) -> bool {
        let mut bytes = Vec::new();
        self.stream
            .read_to_end(&mut bytes)
            .is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset)
    }

    /// Whether the other side has ended, cleanly or not.
    pub(crate) fn has_ended(&mut self) -> bool {
        match self.stream.read(&mut [0; 4096]) {
            Ok(count) => count == 0,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }

    pub(crate) fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }
}

/// A request without a body.
pub(crate) fn post(path: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}

/// A small answer.
pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
