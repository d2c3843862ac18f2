//! TLS on the TCP listener. Certificate and key beside this file are for this test alone.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::stage::{Place, Proxyd, post, upstream};

/// Longer than the buffers of both sides together.
const BODY: usize = 8 << 20;

fn directory() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pass_through/tls")
}

fn settings() -> String {
    let (cert, key) = (directory().join("cert.pem"), directory().join("key.pem"));
    format!("[tls]\ncert = \"{}\"\nkey = \"{}\"", cert.display(), key.display())
}

fn connect(proxyd: &Proxyd) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(directory().join("cert.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(session, TcpStream::connect(proxyd.address).unwrap())
}

#[test]
fn bodies_pass_both_ways_through_tls_and_the_end_is_clean() {
    let (kubo, played) = upstream(1, |_, kubo| {
        kubo.head();
        let body = kubo.exactly(BODY);
        kubo.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n"));
        kubo.send(&body);
        kubo.head();
        kubo.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    });
    let proxyd = Proxyd::start(kubo, &settings());
    let mut client = connect(&proxyd);
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {BODY}\r\n\r\n");
    client.write_all(head.as_bytes()).unwrap();
    client.write_all(&vec![b'x'; BODY]).unwrap();
    let mut answer = vec![0; format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n").len()];
    client.read_exact(&mut answer).unwrap();
    let mut body = vec![0; BODY];
    client.read_exact(&mut body).unwrap();
    assert!(body.iter().all(|byte| *byte == b'x'));
    client.write_all(post("/").as_bytes()).unwrap();
    let mut rest = String::new();
    // A close without TLS's own end would be an error here.
    client.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("\r\n\r\nok"), "{rest}");
    played.join().unwrap();
}

#[test]
fn over_tls_a_cut_answer_ends_without_its_goodbye() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        let (kubo, played) = upstream(1, move |_, kubo| {
            kubo.head();
            kubo.send(answer);
        });
        let proxyd = Proxyd::start(kubo, &settings());
        let mut client = connect(&proxyd);
        client.write_all(post("/").as_bytes()).unwrap();
        let mut got = Vec::new();
        let ended = client.read_to_end(&mut got);
        assert!(ended.is_err(), "{}", String::from_utf8_lossy(&got));
        played.join().unwrap();
    }
}

#[test]
fn a_client_without_tls_gets_nothing() {
    let nobody = Place::reserve();
    let proxyd = Proxyd::start(nobody.address, &settings());
    let mut client = proxyd.connect();
    client.send(post("/"));
    let mut answer = Vec::new();
    drop(client.stream.read_to_end(&mut answer));
    assert!(!answer.starts_with(b"HTTP"));
}
