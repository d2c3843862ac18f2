//! Start and end of the daemon: sockets, drain, exit codes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::{UnixListener, UnixStream};

use crate::stage::{Place, Proxyd, always_ok, command, exit_code, post, upstream};

#[test]
fn a_drain_finishes_what_is_under_way_and_closes_the_rest() {
    let (told, hears) = std::sync::mpsc::sync_channel(1);
    let (go, may_go) = std::sync::mpsc::sync_channel(1);
    let (kubo, played) = upstream(1, move |_, kubo| {
        kubo.head();
        told.send(()).unwrap();
        may_go.recv().unwrap();
        kubo.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    let mut proxyd = Proxyd::start(kubo, "");
    let (mut idle, mut busy) = (proxyd.connect(), proxyd.connect());
    busy.send(post("/"));
    hears.recv().unwrap();
    proxyd.terminate();
    assert!(idle.has_ended());
    assert!(TcpStream::connect(proxyd.address).is_err());
    go.send(()).unwrap();
    assert!(busy.rest().ends_with("\r\nConnection: close\r\n\r\nok"));
    assert_eq!(proxyd.wait(), Some(0));
    played.join().unwrap();
}

#[test]
fn busy_clients_lose_no_request_at_a_drain() {
    for threads in [1, 2] {
        let mut proxyd = Proxyd::start(always_ok(), &format!("threads = {threads}"));
        let (told, hears) = std::sync::mpsc::sync_channel(4);
        let busy = || {
            let (mut client, told) = (proxyd.connect(), told.clone());
            std::thread::spawn(move || {
                for answered in 0_u64.. {
                    client.send(post("/api/v0/key/gen"));
                    let answer = client.until("\r\n\r\nok");
                    if answered == 0 {
                        told.send(()).unwrap();
                    }
                    if answer.contains("Connection: close") {
                        return answered;
                    }
                }
                0
            })
        };
        let clients: Vec<_> = (0..4).map(|_| busy()).collect();
        (0..4).for_each(|_| hears.recv().unwrap());
        proxyd.terminate();
        for client in clients {
            assert!(client.join().unwrap() > 0);
        }
        assert_eq!(proxyd.wait(), Some(0));
    }
}

#[test]
fn a_drain_cuts_what_takes_too_long() {
    let (told, hears) = std::sync::mpsc::sync_channel(1);
    let (kubo, played) = upstream(1, move |_, kubo| {
        kubo.head();
        told.send(()).unwrap();
        kubo.has_ended()
    });
    let mut proxyd = Proxyd::start(kubo, "drain = \"100ms\"");
    let mut busy = proxyd.connect();
    busy.send(post("/"));
    hears.recv().unwrap();
    proxyd.terminate();
    assert_eq!(proxyd.wait(), Some(0));
    assert!(busy.has_ended());
    played.join().unwrap();
}

#[test]
fn a_stale_unix_socket_is_replaced_and_a_live_one_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("p.sock");
    let listen = format!("listen = [\"/unix{}\"]\n", socket.display());
    let file = directory.path().join("proxyd.toml");
    std::fs::write(&file, listen).unwrap();

    let live = UnixListener::bind(&socket).unwrap();
    assert_eq!(exit_code(&mut command(&file).spawn().unwrap()), Some(1));
    // Closing leaves the file behind, as a kill would.
    drop(live);
    let mut proxyd = crate::stage::spawn_ready(&file, &directory.path().join("notify.sock"));
    let mut client = UnixStream::connect(&socket).unwrap();
    client.write_all(b"BAD\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    proxyd.kill().unwrap();
    proxyd.wait().unwrap();
}

#[test]
fn a_unix_socket_is_for_the_users_that_are_named() {
    let us = nix::unistd::geteuid().as_raw();
    for (uids, status) in [(vec![us], "200 OK"), (vec![us + 1], "403 Forbidden")] {
        let proxyd = Proxyd::start(always_ok(), &format!("unix_uids = {uids:?}"));
        let mut client = proxyd.connect_unix();
        let request = "POST /api/v0/key/list HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        client.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        // On TCP nobody's user is known.
        let mut client = proxyd.connect();
        client.send(post("/"));
        assert!(client.head().starts_with("HTTP/1.1 200 OK\r\n"));
    }
}

#[test]
fn a_check_tells_what_a_rule_by_user_needs() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("proxyd.toml");
    std::fs::write(&file, "unix_uids = [1000]\n").unwrap();
    let checked = command(&file).arg("--check").output().unwrap();
    let words = String::from_utf8(checked.stderr).unwrap();
    assert_eq!(checked.status.code(), Some(0), "{words}");
    assert!(
        words.contains("PrivateUsers=no") && words.contains("peer-credentials.conf"),
        "{words}"
    );
}

#[test]
fn mistakes_have_their_exit_codes() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("proxyd.toml");
    let run = |text: &str, more: &[&str]| {
        std::fs::write(&file, text).unwrap();
        exit_code(&mut command(&file).args(more).spawn().unwrap())
    };
    assert_eq!(run("", &["--check"]), Some(0));
    assert_eq!(run("", &["--port"]), Some(64));
    assert_eq!(run("listen = [\"here\"]", &[]), Some(78));
    assert_eq!(
        run("[tls]\ncert = \"/nonexistent\"\nkey = \"/nonexistent\"", &["--check"]),
        Some(78)
    );
    let place = Place::reserve();
    let _taken = std::net::TcpListener::bind(place.address).unwrap();
    let port = place.address.port();
    assert_eq!(run(&format!("listen = [\"/ip4/127.0.0.1/tcp/{port}\"]"), &[]), Some(1));
}
