//! `API.Authorizations`: who has no secret is refused in Kubo's words, over TCP and Unix socket.

use std::fs;
use std::path::Path;

use harness::daemon::{Sockets, proxy_socket};
use harness::http::{Answer, Client};
use harness::stack::{Stack, StackSetup};
use serde_json::{Value, json};

use crate::wire::form;

/// Kubo's own form: a name for each secret, and the path prefixes that it opens.
fn authorizations() -> Value {
    json!({
        "all": { "AuthSecret": "bearer:open-sesame", "AllowedPaths": ["/api/v0"] },
        "reader": { "AuthSecret": "basic:reader:secret", "AllowedPaths": ["/api/v0/pin/ls", "/api/v0/id"] },
    })
}

const ALL: &str = "Authorization: Bearer open-sesame\r\n";
/// `reader:secret` in base 64.
const READER: &str = "Authorization: Basic cmVhZGVyOnNlY3JldA==\r\n";

/// With what a client may come.
const TOKENS: [(&str, &str); 6] = [
    ("no token", ""),
    ("a wrong token", "Authorization: Bearer open\r\n"),
    ("another scheme's case", "Authorization: bearer open-sesame\r\n"),
    (
        "the token with a page's origin",
        "Authorization: Bearer open-sesame\r\nOrigin: http://evil.example\r\n",
    ),
    ("a reader", READER),
    ("everything", ALL),
];

/// Calls that change nothing, so that both sides can be asked one after the other: intercepted,
/// passed through, and spelt in other ways.
const CALLS: [(&str, &str); 12] = [
    ("POST", "/api/v0/pin/ls"),
    ("POST", "/api/v0/pin%2Fls"),
    ("POST", "/api/v0/pin/ls/bafkqaaa"),
    ("POST", "/api/v0/pin/rm?arg=bafkqaaa"),
    ("POST", "/api/v0/pin/add?arg=nonsense"),
    ("POST", "/api/v0/add?only-hash=true"),
    ("POST", "/api/v0/block/put?pin=true&mhtype=nope"),
    ("POST", "/api/v0/version"),
    ("POST", "/api/v0/key/list"),
    ("GET", "/api/v0/pin/add?arg=bafkqaaa"),
    ("OPTIONS", "/api/v0/pin/rm"),
    ("POST", "/api/v0/nonsense"),
];

/// A machine whose Kubo demands a secret; both daemons have what they need as credentials.
fn guarded() -> Stack {
    let setup = StackSetup { sockets: Sockets::Own, ..StackSetup::default() };
    let mut stack = Stack::start_with(&setup).unwrap();
    stack.proxyd.stop().unwrap();
    stack.clusterd.stop().unwrap();
    stack.kubo.stop().unwrap();
    stack.kubo.edit_config(|config| config["API"]["Authorizations"] = authorizations()).unwrap();
    stack.kubo.start().unwrap();
    let credentials = stack.directory().join("credentials");
    fs::create_dir_all(&credentials).unwrap();
    fs::write(credentials.join("api-authorizations"), authorizations().to_string()).unwrap();
    fs::write(credentials.join("ipfs-authorization"), "Bearer open-sesame\n").unwrap();
    fs::copy(stack.directory().join("state/cluster-secret"), credentials.join("cluster-secret"))
        .unwrap();
    listen_on_unix_too(&stack);
    let variable = format!("CREDENTIALS_DIRECTORY={}", credentials.display());
    stack.clusterd.start_under(&["env", &variable]).unwrap();
    stack.proxyd.start_under(&["env", &variable]).unwrap();
    stack
}

fn unix_socket(directory: &Path) -> std::path::PathBuf {
    directory.join("api.sock")
}

fn listen_on_unix_too(stack: &Stack) {
    let file = stack.directory().join("proxyd.toml");
    let settings = fs::read_to_string(&file).unwrap();
    let tcp = format!("/ip4/127.0.0.1/tcp/{}\"", stack.port());
    let both = format!("{tcp}, \"/unix{}\"", unix_socket(stack.directory()).display());
    assert!(
        settings.contains(&tcp)
            && settings.contains(&format!("{:?}", proxy_socket(stack.directory())))
    );
    fs::write(file, settings.replacen(&tcp, &both, 1)).unwrap();
}

/// What a client can compare: all but the date.
fn comparable(answer: Answer) -> (u16, Vec<(String, String)>, String) {
    let body = answer.text();
    let headers = answer.headers.into_iter().filter(|(name, _)| name != "Date");
    (answer.status, headers.collect(), body)
}

#[test]
fn only_those_with_a_secret_get_in_as_at_kubo() {
    let stack = guarded();
    let kubo = Client::tcp(stack.kubo.port());
    let listeners =
        [("TCP", stack.client()), ("Unix", Client::unix(&unix_socket(stack.directory())))];
    // Kubo's own pin of the empty directory is none of the cluster's.
    kubo.call("POST", "/api/v0/pin/rm?arg=QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn", ALL)
        .unwrap();
    for (listener, client) in &listeners {
        for (who, token) in TOKENS {
            for (method, target) in CALLS {
                let [expected, found] =
                    [&kubo, client].map(|c| comparable(form(c, method, target, token)));
                assert_eq!(found, expected, "{who} over {listener}: {method} {target}");
            }
        }
    }
}

#[test]
fn a_guarded_kubo_is_used_with_clusterds_own_secret() {
    let stack = guarded();
    let client = stack.client();
    let added = form(&client, "POST", "/api/v0/add", ALL);
    assert_eq!(added.status, 200, "{}", added.text());
    assert_eq!(added.trailers, [], "{}", added.text());
    let listed = client.call("POST", "/api/v0/pin/ls?type=recursive&quiet=true", READER).unwrap();
    let line: Value = serde_json::from_slice(&added.body).unwrap();
    assert!(listed.text().contains(line["Hash"].as_str().unwrap()), "{}", listed.text());
    let denied = client.call("POST", "/api/v0/pin/ls", "").unwrap();
    assert_eq!(denied.status, 403);
    assert!(denied.text().starts_with("Kubo RPC Access Denied"), "{}", denied.text());
}
