//! clusterd on a full disk: a clear error, nothing lost, and all is well when space returns.

use std::fs;
use std::path::Path;
use std::time::Duration;

use harness::daemon::{ClusterdSetup, Daemon, ProxydSetup, Sockets, control_socket, proxy_socket};
use harness::http::Client;
use harness::kubo::Kubo;
use harness::ports::Port;
use harness::stack::temporary_directory;
use harness::volume::{self, SURVIVE_FILE_LIMIT, Volume};
use harness::{rpc, wait};

/// The journal must be full by then: each try writes at least one record.
const TRIES_MAX: usize = 200_000;

/// clusterd looks for space again after some seconds.
const RECOVERY_MAX: Duration = Duration::from_secs(60);

/// A disk that can be filled: a small file system, or a limit on the size of files.
enum Disk {
    Small(Volume),
    Limited,
}

impl Disk {
    fn fill(&self, clusterd: &Daemon) {
        match self {
            Self::Small(volume) => volume.fill().unwrap(),
            Self::Limited => {
                volume::limit_files(clusterd.program().unwrap().pid(), Some(4096)).unwrap();
            }
        }
    }

    fn free(&self, clusterd: &Daemon) {
        match self {
            Self::Small(volume) => volume.free().unwrap(),
            Self::Limited => {
                volume::limit_files(clusterd.program().unwrap().pid(), None).unwrap();
            }
        }
    }
}

#[test]
fn a_full_disk_refuses_new_pins_and_loses_none() {
    // Only root may mount; for others the next test stands alone.
    if volume::may_mount() {
        refuses_new_pins_and_loses_none(|state| Disk::Small(Volume::mount(state).unwrap()));
    }
}

#[test]
fn a_limit_of_file_sizes_refuses_new_pins_and_loses_none() {
    refuses_new_pins_and_loses_none(|_| Disk::Limited);
}

/// The disk is full for a while.
fn refuses_new_pins_and_loses_none(disk: impl FnOnce(&Path) -> Disk) {
    let directory = temporary_directory().unwrap();
    let disk = disk(&directory.path().join("state"));
    let kubo = Kubo::start_in(directory.path()).unwrap();
    let setup = ClusterdSetup::new(kubo.api(), Sockets::Handed);
    let mut clusterd = Daemon::clusterd_unstarted(directory.path(), &setup).unwrap();
    clusterd.start_under(&SURVIVE_FILE_LIMIT).unwrap();
    let port = Port::reserve().unwrap();
    let setup = ProxydSetup {
        port: port.number(),
        ipfs: kubo.api(),
        cluster: proxy_socket(directory.path()),
        sockets: Sockets::Handed,
        more: String::new(),
    };
    let proxyd = Daemon::proxyd(directory.path(), &setup).unwrap();
    let client = Client::tcp(port.number());

    let mut answered: Vec<String> =
        (0..50).map(|number| rpc::add(&client, "", &format!("before {number}")).unwrap()).collect();
    disk.fill(&clusterd);
    // The store has room in the file that it writes to; pins are answered until that is used up.
    let refusal = (0..TRIES_MAX).find_map(|number| {
        match rpc::add(&client, "", &format!("meanwhile {number}")) {
            Ok(cid) => {
                answered.push(cid);
                None
            }
            Err(refusal) => Some(refusal.to_string()),
        }
    });
    let refusal = refusal.expect("a full disk refuses pins");
    println!("refused with: {refusal}");
    assert!(refusal.contains("full") || refusal.contains("space"), "unclear: {refusal}");
    assert_all_listed(&client, &answered);
    let page = Client::unix(&control_socket(directory.path())).call("GET", "/metrics", "").unwrap();
    let refused = |line: &str| line.strip_prefix("clusterd_changes_refused_total ")?.parse().ok();
    assert!(page.text().lines().find_map(refused).is_some_and(|count: u64| count > 0));
    disk.free(&clusterd);
    let after = wait::until("a pin after space has returned", RECOVERY_MAX, || {
        rpc::add(&client, "", "afterwards").ok()
    });
    answered.push(after.unwrap());
    assert_all_listed(&client, &answered);
    clusterd.kill().unwrap();
    clusterd.start().unwrap();
    assert_all_listed(&client, &answered);
    drop(proxyd);
    assert!(fs::read_dir(directory.path().join("state")).unwrap().count() > 0);
}

fn assert_all_listed(client: &Client, answered: &[String]) {
    let listed = rpc::pin_ls(client).unwrap();
    let lost: Vec<&String> = answered.iter().filter(|cid| !listed.contains(*cid)).collect();
    assert!(lost.is_empty(), "{} of {} pins are gone: {lost:?}", lost.len(), answered.len());
}
