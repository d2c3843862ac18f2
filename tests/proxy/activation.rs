//! Both daemons take the sockets that systemd's own tool hands over.

use std::path::Path;
use std::process::Command;

use harness::build;
use harness::daemon::{ClusterdSetup, Daemon, ProxydSetup, Sockets, control_socket, proxy_socket};
use harness::http::Client;
use harness::kubo::Kubo;
use harness::ports::Port;
use harness::program::Program;
use harness::stack::temporary_directory;
use harness::{rpc, wait};

/// `systemd-socket-activate`, from the package `systemd`: it listens, and becomes the daemon when
/// the first client comes.
fn activated(directory: &Path, name: &str, listen: &[&str], names: &str) -> Program {
    let mut command = Command::new("systemd-socket-activate");
    for address in listen {
        command.args(["--listen", address]);
    }
    command.arg(format!("--fdname={names}")).arg(build::find(name).unwrap());
    command.arg("--config").arg(directory.join(format!("{name}.toml")));
    let log = directory.join(format!("{name}.log"));
    Program::start(name, command, &log).expect("the package `systemd` is installed")
}

#[test]
fn the_daemons_serve_on_sockets_that_systemd_hands_over() {
    let directory = temporary_directory().unwrap();
    let kubo = Kubo::start_in(directory.path()).unwrap();
    let (proxy, control) = (proxy_socket(directory.path()), control_socket(directory.path()));
    let setup = ClusterdSetup::new(kubo.api(), Sockets::Own);
    // Only its files are wanted.
    drop(Daemon::clusterd_unstarted(directory.path(), &setup).unwrap());
    let port = Port::reserve().unwrap();
    let setup = ProxydSetup {
        port: port.number(),
        ipfs: kubo.api(),
        cluster: proxy.clone(),
        sockets: Sockets::Own,
        more: String::new(),
    };
    drop(Daemon::proxyd_unstarted(directory.path(), &setup).unwrap());
    let sockets = [proxy.to_str().unwrap(), control.to_str().unwrap()];
    let _clusterd = activated(directory.path(), "clusterd", &sockets, "proxy:control");
    let address = format!("127.0.0.1:{}", port.number());
    let _proxyd = activated(directory.path(), "proxyd", &[&address], "listen");
    let client = Client::tcp(port.number());
    let added = wait::until("an answer of what was started", wait::START_MAX, || {
        rpc::add(&client, "", "activated").ok()
    });
    assert!(rpc::pin_ls(&client).unwrap().contains(&added.unwrap()));
    let id = Client::unix(&control).call("GET", "/id", "").unwrap();
    assert_eq!(id.status, 200, "{}", id.text());
}
