//! The tree as a picture: clusters as boxes with a row for each peer, what is below a peer to its right.

use super::Health;
use super::words::{self, Stand};
use crate::api::tree::{ClusterId, DEPTH_MAX, Daemon, Tree, TreePeer};
use crate::printable::escaped;

mod daemons;
mod shapes;

pub use shapes::STYLE;
use shapes::{Picture, fitting};

/// Most peers that are drawn; what is left is counted.
const PEERS_MAX: usize = 300;
/// Most lines of the description for those who do not see the picture.
const DESCRIBED_MAX: usize = 100;

/// Lengths, in pixels.
const BOX_WIDTH: i32 = 300;
/// Between a box and what is to its right.
const COLUMN_GAP: i32 = 60;
/// Between two things one above the other.
const ROW_GAP: i32 = 14;
const MARGIN: i32 = 16;
const LINE: i32 = 18;
/// From the upper edge of a box to its first line, and from the last one to the first row.
const HEAD: i32 = 38;
/// Room below, in which a loop turns.
const TURN: i32 = 44;

/// Whether the picture has its stylesheet in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Styled {
    /// It has: a file of its own.
    Inside,
    /// It has not: a page around it has [`STYLE`].
    Outside,
}

/// Draws the tree as SVG: without scripts, without references to anything, and of limited size.
#[must_use]
pub fn svg(tree: &Tree, styled: Styled) -> String {
    let mut peers_left = PEERS_MAX;
    let block = cluster(tree, 1, &mut peers_left);
    let (width, height) = (block.width + 2 * MARGIN, block.height + 2 * MARGIN);
    let mut picture = Picture::new();
    picture.put(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"cluster-tree\" role=\"img\" \
         aria-labelledby=\"cluster-tree-title cluster-tree-desc\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\">"
    ));
    let name = words::name(&tree.name);
    let title = format!("Cluster {name}: {}", Health::of(tree).as_str());
    picture.put(format_args!("<title id=\"cluster-tree-title\">{}</title>", escaped(&title)));
    picture
        .put(format_args!("<desc id=\"cluster-tree-desc\">{}</desc>", escaped(&described(tree))));
    if styled == Styled::Inside {
        picture.put(format_args!("<style>{STYLE}</style>"));
    }
    picture.put(format_args!("<rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>"));
    picture.moved(MARGIN, MARGIN, &block.drawn);
    picture.put(format_args!("</svg>"));
    picture.end()
}

fn described(tree: &Tree) -> String {
    let lines = super::lines(tree);
    let lines =
        lines.iter().take(DESCRIBED_MAX).map(|line| format!("{}{}", line.branch, line.words));
    lines.collect::<Vec<_>>().join("\n")
}

/// Something drawn, with its upper left corner at 0, 0.
struct Block {
    drawn: String,
    width: i32,
    height: i32,
    /// Where the line from the left arrives.
    port: i32,
    /// Ends of loops, with the clusters that they lead back to.
    loops: Vec<(ClusterId, i32, i32)>,
}

/// A cluster with all that is below it.
fn cluster(tree: &Tree, depth: usize, peers_left: &mut usize) -> Block {
    if tree.is_above {
        return daemons::own_sub_cluster(tree);
    }
    let shown = match depth <= DEPTH_MAX {
        true => tree.peers.len().min(*peers_left),
        false => 0,
    };
    *peers_left -= shown;
    let peers = &tree.peers[..shown];
    let below: Vec<Option<Block>> = peers.iter().map(|p| daemon(p, depth, peers_left)).collect();
    let sheet = Sheet::of(tree, shown);
    let stacked: i32 =
        below.iter().flatten().map(|block| block.height + ROW_GAP).sum::<i32>() - ROW_GAP;
    // Higher than the box: the box is in the middle. Else each is beside its row, if there is room.
    let (top, is_beside) = ((stacked - sheet.height()).max(0) / 2, stacked <= sheet.height());
    let mut picture = Picture::new();
    let (mut next, mut width, mut loops) = (0, BOX_WIDTH, Vec::new());
    let mut placed = Vec::new();
    for (row, (peer, block)) in peers.iter().zip(below).enumerate() {
        let Some(block) = block else { continue };
        let from = top + sheet.middle(row);
        let y = if is_beside { (from - block.port).max(next) } else { next };
        let is_broken = !peer.is_member || super::below(peer) >= Health::Down;
        picture.edge(is_broken, (BOX_WIDTH, from), (BOX_WIDTH + COLUMN_GAP, y + block.port));
        let x = BOX_WIDTH + COLUMN_GAP;
        loops.extend(block.loops.into_iter().map(|(id, end, low)| (id, x + end, y + low)));
        placed.push((x, y, block.drawn));
        (next, width) = (y + block.height + ROW_GAP, width.max(x + block.width));
    }
    let bottom = top + sheet.height();
    let mut height = bottom.max(next - ROW_GAP);
    let (own, others): (Vec<_>, Vec<_>) = loops.into_iter().partition(|(id, ..)| *id == tree.id);
    for (_, x, y) in own {
        let low = y.max(bottom) + TURN;
        picture.back((x, y), (BOX_WIDTH / 2, bottom), low);
        height = height.max(low);
    }
    placed.iter().for_each(|(x, y, drawn)| picture.moved(*x, *y, drawn));
    picture.moved(0, top, &sheet.draw(tree, peers));
    Block { drawn: picture.end(), width, height, port: top + HEAD / 2, loops: others }
}

/// What a peer has for a daemon.
fn daemon(peer: &TreePeer, depth: usize, peers_left: &mut usize) -> Option<Block> {
    let daemon = peer.daemon.as_ref()?;
    if let Daemon::Cluster { tree } = daemon {
        return Some(cluster(tree, depth + 1, peers_left));
    }
    daemons::draw(daemon)
}

/// The box of a cluster.
struct Sheet {
    /// Lines below its name, with what they say of the pin that was asked for.
    lines: Vec<(Option<Stand>, String)>,
    row_height: i32,
    rows: i32,
    /// Peers that are not drawn.
    more: usize,
}

impl Sheet {
    fn of(tree: &Tree, shown: usize) -> Self {
        let mut lines = vec![(None, words::figures(tree))];
        lines.extend(tree.pin.as_ref().map(|pin| {
            let (stand, words) = words::cluster_pin(tree, pin);
            (Some(stand), words)
        }));
        lines.extend(words::trouble(tree).map(|words| (Some(Stand::Failed), words)));
        let has_second = |peer: &TreePeer| peer.pin.is_some() || !peer.unsettled.is_empty();
        let row_height = if tree.peers.iter().any(has_second) { 44 } else { 30 };
        let more = tree.peers.len() - shown;
        let rows = i32::try_from(shown).unwrap_or(0) + i32::from(more > 0);
        Self { lines, row_height, rows, more }
    }

    fn head(&self) -> i32 {
        HEAD + LINE * i32::try_from(self.lines.len()).unwrap_or(0)
    }

    fn height(&self) -> i32 {
        self.head() + self.rows * self.row_height
    }

    /// The middle of a row.
    fn middle(&self, row: usize) -> i32 {
        self.head() + i32::try_from(row).unwrap_or(0) * self.row_height + self.row_height / 2
    }

    fn draw(&self, tree: &Tree, peers: &[TreePeer]) -> String {
        let health = Health::of(tree);
        let mut picture = Picture::new();
        let name = words::name(&tree.name);
        let titles: Vec<_> = self.lines.iter().map(|(_, line)| line.as_str()).collect();
        picture.open(&format!("cluster {name}: {}\n{}", health.as_str(), titles.join("\n")));
        picture.rect(&format!("box {}", health.as_str()), (0, 0), (BOX_WIDTH, self.height()));
        picture.text("name", (14, 24), &fitting(&name, 24));
        picture.pill(health, BOX_WIDTH - 12, 9);
        for (line, y) in self.lines.iter().zip((0..).map(|line| HEAD + LINE * line + 8)) {
            let (x, cells) = if line.0.is_some() { (34, 38) } else { (14, 42) };
            line.0.iter().for_each(|stand| picture.mark(*stand, (20, y - 4)));
            picture.text("", (x, y), &fitting(&line.1, cells));
        }
        picture.close();
        for (row, peer) in peers.iter().enumerate() {
            self.row(peer, self.middle(row), &mut picture);
        }
        if self.more > 0 {
            let more = words::count(u64::try_from(self.more).unwrap_or(u64::MAX), "more peer");
            picture.text("faint", (34, self.middle(peers.len()) + 4), &format!("… and {more}"));
        }
        picture.end()
    }

    fn row(&self, peer: &TreePeer, middle: i32, picture: &mut Picture) {
        let pin = peer.pin.as_ref().map(words::peer_pin);
        let figures = words::peer_figures(peer);
        let name = words::name(&peer.name);
        let whole = pin.as_ref().map_or(String::new(), |(_, words)| format!("\n{words}"));
        picture.open(&format!("{name} {}\n{figures}{whole}", peer.peer));
        picture.line((0, middle - self.row_height / 2), BOX_WIDTH);
        let first = if self.row_height > 30 { middle - 4 } else { middle + 4 };
        picture.dot(peer.is_member, (20, first - 4));
        picture.text("", (34, first), &fitting(&name, 22));
        let right = match peer.is_member {
            true => words::free(peer.free).unwrap_or_default(),
            false => "silent".to_owned(),
        };
        let class = if peer.is_member { "right faint" } else { "right strong" };
        picture.text(class, (BOX_WIDTH - 14, first), &right);
        match pin {
            Some((stand, words)) => {
                picture.mark(stand, (42, first + 14));
                picture.text("", (54, first + 18), &fitting(&words, 35));
            }
            None => picture.text("faint", (34, first + 18), &fitting(&words::unsettled(peer), 38)),
        }
        picture.close();
    }
}
