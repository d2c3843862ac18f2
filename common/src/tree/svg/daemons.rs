//! Daemons that are no cluster of ours, each in a small box.

use super::shapes::{Picture, fitting};
use super::{Block, Daemon, Tree, words};

const WIDTH: i32 = 210;
/// For one line, in pixels.
const LOW: i32 = 28;
/// For two lines.
const HIGH: i32 = 44;
/// Last letters of an id, enough to tell Kubos apart.
const SHORT_ID: usize = 6;

/// Draws a daemon; nothing for a cluster of ours.
pub(super) fn draw(daemon: &Daemon) -> Option<Block> {
    let whole = words::daemon(daemon)?;
    let (class, first, second) = match daemon {
        Daemon::Kubo { id } => ("kubo", format!("Kubo {}", short(id)), String::new()),
        Daemon::GoCluster { id } => (
            "go",
            format!("Go ipfs-cluster, Kubo {}", short(id)),
            "accepted counts as pinned".to_owned(),
        ),
        Daemon::Untold { id } => {
            ("untold", "Kubo or a cluster".to_owned(), format!("{}, not told by Go", short(id)))
        }
        Daemon::Unknown { error } => ("unknown", "unknown daemon".to_owned(), words::said(error)),
        Daemon::Cluster { .. } => return None,
    };
    Some(chip(class, &whole, &first, &second))
}

/// Draws a cluster that stands above already.
pub(super) fn own_sub_cluster(tree: &Tree) -> Block {
    let first = format!("loop: {}", words::name(&tree.name));
    let chip = chip("loop", &words::is_loop(tree), &first, "it stands above already");
    Block { loops: vec![(tree.id.clone(), WIDTH / 2, chip.height)], ..chip }
}

fn chip(class: &str, whole: &str, first: &str, second: &str) -> Block {
    let height = if second.is_empty() { LOW } else { HIGH };
    let mut picture = Picture::new();
    picture.open(whole);
    picture.rect(&format!("chip {class}"), (0, 0), (WIDTH, height));
    picture.text("", (12, 18), &fitting(first, 29));
    picture.text("faint", (12, 35), &fitting(second, 29));
    picture.close();
    Block { drawn: picture.end(), width: WIDTH, height, port: height / 2, loops: Vec::new() }
}

fn short(id: &str) -> String {
    let letters = id.chars().count();
    match letters > SHORT_ID {
        true => {
            format!("…{}", words::said(&id.chars().skip(letters - SHORT_ID).collect::<String>()))
        }
        false => words::said(id),
    }
}
