//! What a proxyd that strangers have taken over could do: system calls made by its own process.

use harness::error::HarnessError;
use nix::libc;

use super::inside::{Inside, Words, word};
use super::machine::Machine;
use super::stage::{self, ipfs};

/// What the kernel may say to an attempt: not there, not allowed, not writable.
const REFUSED: [i32; 4] = [libc::ENOENT, libc::EACCES, libc::EPERM, libc::EROFS];

fn open(words: Words<'_>, flags: i32) -> i64 {
    inside_call(words, |process, path| {
        process.call(libc::SYS_openat, [word(libc::AT_FDCWD), path, word(flags), 0o600, 0, 0])
    })
}

fn inside_call(words: Words<'_>, call: impl FnOnce(&Inside, u64) -> i64) -> i64 {
    let path = words.process.text(words.text);
    call(words.process, path)
}

fn socket(process: &Inside, family: i32, kind: i32) -> i64 {
    process.call(libc::SYS_socket, [word(family), word(kind), 0, 0, 0, 0])
}

fn assert_refused(what: &str, answer: i64) {
    let error = i32::try_from(-answer).unwrap();
    assert!(REFUSED.contains(&error), "{what} was answered with {answer}");
}

fn assert_done(what: &str, answer: i64) {
    assert!(answer >= 0, "{what}, which proxyd needs, failed with {answer}");
}

fn enter(machine: &Machine, unit: &str) -> Result<Inside, HarnessError> {
    Inside::enter(machine.pid(unit)?)
}

fn try_files(process: &Inside) {
    let named = |text| Words { process, text };
    assert_done("reading its settings", open(named("/etc/proxyd/proxyd.toml"), libc::O_RDONLY));
    for secret in [
        "/etc/clusterd/cluster-secret",
        "/var/lib/clusterd/cluster-secret",
        "/var/lib/clusterd/identity.json",
        "/var/lib/clusterd/pinset",
        "/etc/clusterd/clusterd.toml",
        "/etc/passwd",
        "/etc/shadow",
        "/etc/machine-id",
        "/usr/bin/clusterdctl",
        "/bin/sh",
        "/usr/lib/systemd/systemd",
        "/run/systemd/private",
        "/var/log/dpkg.log",
        "/proc/1/environ",
        "/proc/kallsyms",
    ] {
        assert_refused(secret, open(named(secret), libc::O_RDONLY));
    }
    for place in ["/etc/proxyd/new", "/new", "/run/clusterd/new", "/usr/bin/new"] {
        assert_refused(place, open(named(place), libc::O_WRONLY | libc::O_CREAT));
    }
}

fn try_sockets(process: &Inside) {
    for (what, family, kind) in [
        ("UDP", libc::AF_INET, libc::SOCK_DGRAM),
        ("UDP over IPv6", libc::AF_INET6, libc::SOCK_DGRAM),
        ("a raw socket", libc::AF_INET, libc::SOCK_RAW),
        ("a packet socket", libc::AF_PACKET, libc::SOCK_RAW),
        ("netlink", libc::AF_NETLINK, libc::SOCK_RAW),
        ("a VM socket", libc::AF_VSOCK, libc::SOCK_STREAM),
    ] {
        let answer = socket(process, family, kind | libc::SOCK_CLOEXEC);
        let error = i32::try_from(-answer).unwrap();
        assert!([libc::EPERM, libc::EAFNOSUPPORT].contains(&error), "{what}: {answer}");
    }
}

fn try_programs(process: &Inside) {
    for program in ["/usr/bin/proxyd", "/bin/sh", "/usr/bin/id"] {
        let answer = inside_call(Words { process, text: program }, |process, path| {
            process.call(libc::SYS_execve, [path, 0, 0, 0, 0, 0])
        });
        assert_refused(program, answer);
    }
    let name = process.text("x");
    assert_refused(
        "a program in memory",
        process.call(libc::SYS_memfd_create, [name, 0, 0, 0, 0, 0]),
    );
    assert_refused("ptrace", process.call(libc::SYS_ptrace, [16, 1, 0, 0, 0, 0]));
    let whole = [0, 4096, 7, word(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS), u64::MAX, 0];
    assert_refused("memory to write and run", process.call(libc::SYS_mmap, whole));
    let spaces = [word(libc::CLONE_NEWUSER | libc::CLONE_NEWNS), 0, 0, 0, 0, 0];
    assert_refused("a name space", process.call(libc::SYS_unshare, spaces));
    assert_refused("another user", process.call(libc::SYS_setuid, [0; 6]));
}

/// Connects to a Unix socket; the answer of connect(2).
fn connect(process: &Inside, path: &str) -> i64 {
    let descriptor = socket(process, libc::AF_UNIX, libc::SOCK_STREAM);
    assert_done("a Unix socket", descriptor);
    let mut address = word(libc::AF_UNIX).to_le_bytes()[..2].to_vec();
    address.extend(path.as_bytes());
    address.push(0);
    let (length, place) = (address.len() as u64, process.bytes(&address));
    let descriptor = descriptor.cast_unsigned();
    let answer = process.call(libc::SYS_connect, [descriptor, place, length, 0, 0, 0]);
    process.call(libc::SYS_close, [descriptor, 0, 0, 0, 0, 0]);
    answer
}

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn a_proxy_taken_over_reads_nothing_starts_nothing_and_calls_nobody_else() {
    let machine = stage::running("taken-over").unwrap();
    assert_eq!(
        machine.sh("test -s /var/lib/clusterd/cluster-secret; echo there").unwrap(),
        "there\n"
    );
    let process = enter(&machine, "proxyd").unwrap();
    try_files(&process);
    try_sockets(&process);
    assert_done("TCP", socket(&process, libc::AF_INET, libc::SOCK_STREAM));
    try_programs(&process);
    assert_done("proxyd's door", connect(&process, "/run/clusterd/proxy.sock"));
    assert_refused("the operator's door", connect(&process, "/run/clusterd/control.sock"));
    drop(process);
    // It has not even noticed.
    assert_eq!(ipfs(&machine, &["pin", "ls"]).unwrap(), "");
}

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn with_kubo_on_a_unix_socket_the_proxy_has_no_network() {
    let machine = stage::with_kubo("no-network").unwrap();
    stage::install(&machine).unwrap();
    machine
        .sh("groupadd --system kubo; usermod -aG kubo proxyd; usermod -aG kubo clusterd\n\
             mkdir -p /run/kubo\n\
             export IPFS_PATH=/var/lib/kubo\n\
             ipfs config --json Addresses.API '[\"/unix/run/kubo/api.sock\", \"/ip4/127.0.0.1/tcp/5001\"]'\n\
             systemctl restart kubo\n\
             chgrp kubo /run/kubo/api.sock; chmod 0660 /run/kubo/api.sock\n\
             mkdir -p /etc/systemd/system/proxyd.service.d\n\
             cp /usr/share/doc/composite/examples/proxyd-kubo-unix.conf /etc/systemd/system/proxyd.service.d/\n\
             echo 'ipfs = \"/unix/run/kubo/api.sock\"' > /etc/proxyd/proxyd.toml\n\
             printf '[ipfs]\\napi = \"/unix/run/kubo/api.sock\"\\n' > /etc/clusterd/clusterd.toml\n\
             systemctl daemon-reload; systemctl enable --now clusterd proxyd")
        .unwrap();
    // Clients on TCP notice nothing.
    machine.write("/srv/file", "by a Unix socket").unwrap();
    let cid = ipfs(&machine, &["add", "--quieter", "/srv/file"]).unwrap();
    assert!(ipfs(&machine, &["pin", "ls"]).unwrap().contains(&cid));
    let score = machine.ok(&["systemd-analyze", "security", "--threshold=4", "proxyd"]);
    assert!(score.is_ok(), "above 0.4: {score:?}");
    let process = enter(&machine, "proxyd").unwrap();
    try_files(&process);
    try_sockets(&process);
    for family in [libc::AF_INET, libc::AF_INET6] {
        assert!(socket(&process, family, libc::SOCK_STREAM) < 0, "there is a network");
    }
    try_programs(&process);
}

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn the_cluster_daemon_sees_no_other_files_either() {
    let machine = stage::running("keeper").unwrap();
    let process = enter(&machine, "clusterd").unwrap();
    let named = |text| Words { process: &process, text };
    let own = "/var/lib/clusterd/identity.json";
    assert_done("reading its identity", open(named(own), libc::O_RDONLY));
    for other in ["/var/lib/kubo/config", "/etc/shadow", "/var/log/dpkg.log", "/proc/1/environ"] {
        assert_refused(other, open(named(other), libc::O_RDONLY));
    }
    for place in ["/etc/clusterd/new", "/usr/bin/new", "/var/lib/new"] {
        assert_refused(place, open(named(place), libc::O_WRONLY | libc::O_CREAT));
    }
    let name = process.text("x");
    assert_refused(
        "a program in memory",
        process.call(libc::SYS_memfd_create, [name, 0, 0, 0, 0, 0]),
    );
}
