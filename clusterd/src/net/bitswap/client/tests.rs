//! The client against a made-up clock and peers.

use std::time::{Duration, Instant};

use super::*;

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

/// A client, its clock, and peers by number.
struct Stage {
    client: Client,
    now: Instant,
    peers: Vec<PeerId>,
}

impl Stage {
    fn new(peers: usize) -> Self {
        let limits = Limits { wants: 100, ..Limits::default() };
        let peers: Vec<PeerId> = (0..peers).map(|_| PeerId::random()).collect();
        let mut stage = Self { client: Client::new(&limits), now: Instant::now(), peers };
        for peer in stage.peers.clone() {
            stage.client.peer_came(peer, stage.now);
        }
        stage
    }

    fn want(&mut self, number: u8) -> Vec<(usize, Ask)> {
        self.client.want(id(number), self.now).unwrap();
        self.said(number)
    }

    /// What was said of a block since the last time, sorted by peer.
    fn said(&mut self, number: u8) -> Vec<(usize, Ask)> {
        let words: Vec<Word> = self.client.words().collect();
        let mut said = Vec::new();
        for word in words {
            assert_eq!(word.id, id(number));
            let peer = self.peers.iter().position(|peer| *peer == word.peer).unwrap();
            match word.say {
                Say::Ask(ask) => said.push((peer, ask)),
                Say::Settle => {}
            }
        }
        said.sort_by_key(|(peer, _)| *peer);
        said
    }

    fn presence(&mut self, peer: usize, number: u8, presence: Presence) -> Vec<(usize, Ask)> {
        self.client.presences(self.peers[peer], &[(id(number), presence)], self.now);
        self.said(number)
    }

    fn block(&mut self, peer: usize, number: u8) -> Vec<(usize, Ask)> {
        let block = (id(number), vec![number]);
        self.client.blocks(self.peers[peer], vec![block], 0, self.now);
        self.said(number)
    }

    fn lie(&mut self, peer: usize, number: u8) -> Vec<(usize, Ask)> {
        let lie = b"something else".to_vec();
        self.client.blocks(self.peers[peer], vec![(BlockId::of(&lie), lie)], 0, self.now);
        self.said(number)
    }

    fn pass(&mut self, time: Duration, number: u8) -> Vec<(usize, Ask)> {
        self.now += time;
        self.client.tick(self.now);
        self.said(number)
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.client.next_event()).collect()
    }

    fn arrival(&self, peer: usize, number: u8) -> Event {
        Event::Block { id: id(number), bytes: vec![number], from: self.peers[peer] }
    }

    /// A peer delivers a block, so that it is asked first for the next.
    fn make_useful(&mut self, peer: usize) {
        self.want(255);
        self.block(peer, 255);
        self.events();
    }
}

fn id(number: u8) -> BlockId {
    BlockId::of(&[number])
}

#[test]
fn all_are_asked_whether_and_the_first_that_has_it_is_asked_for_it() {
    let mut stage = Stage::new(3);
    assert_eq!(stage.want(1), [(0, Ask::Have), (1, Ask::Have), (2, Ask::Have)]);
    assert_eq!(stage.presence(1, 1, Presence::Have), [(1, Ask::Block)]);
    assert_eq!(stage.presence(2, 1, Presence::Have), [], "one is enough");
    assert_eq!(stage.block(1, 1), [(0, Ask::Cancel), (2, Ask::Cancel)]);
    assert_eq!(stage.events(), [stage.arrival(1, 1)]);
    assert_eq!(stage.client.next_alarm(), None, "nothing is left behind");
}

#[test]
fn a_small_block_comes_at_once_instead_of_a_word() {
    let mut stage = Stage::new(2);
    stage.want(1);
    assert_eq!(stage.block(0, 1), [(1, Ask::Cancel)]);
    assert_eq!(stage.events(), [stage.arrival(0, 1)]);
}

#[test]
fn the_useful_peer_is_asked_at_once_and_the_others_a_little_later() {
    let mut stage = Stage::new(3);
    stage.make_useful(1);
    assert_eq!(stage.want(1), [(1, Ask::Block)]);
    assert_eq!(stage.pass(199 * MS, 1), []);
    assert_eq!(stage.pass(MS, 1), [(0, Ask::Have), (2, Ask::Have)]);
    assert_eq!(stage.presence(0, 1, Presence::Have), [], "the useful peer has its time");
    assert_eq!(stage.block(1, 1), [(0, Ask::Cancel), (2, Ask::Cancel)]);
}

#[test]
fn the_useful_peer_says_no_and_the_others_are_asked_at_once() {
    let mut stage = Stage::new(2);
    stage.make_useful(1);
    stage.want(1);
    let said = stage.presence(1, 1, Presence::DontHave);
    assert_eq!(said, [(0, Ask::Have), (1, Ask::Have)]);
}

#[test]
fn a_far_useful_peer_gets_twice_its_time_before_the_others() {
    let mut stage = Stage::new(2);
    stage.want(255);
    stage.now += 400 * MS;
    stage.block(0, 255);
    assert_eq!(stage.want(1), [(0, Ask::Block)]);
    assert_eq!(stage.pass(799 * MS, 1), []);
    assert_eq!(stage.pass(MS, 1), [(1, Ask::Have)]);
}

#[test]
fn usefulness_fades() {
    let mut stage = Stage::new(2);
    stage.make_useful(1);
    stage.now += USEFUL_FOR;
    assert_eq!(stage.want(1), [(0, Ask::Have), (1, Ask::Have)]);
}

#[test]
fn who_does_not_deliver_is_followed_by_the_next_and_may_still_deliver() {
    let mut stage = Stage::new(3);
    stage.want(1);
    stage.presence(0, 1, Presence::Have);
    stage.presence(2, 1, Presence::Have);
    assert_eq!(stage.pass(4999 * MS, 1), []);
    assert_eq!(stage.pass(MS, 1), [(2, Ask::Block)]);
    assert_eq!(stage.client.counts().timeouts, 1);
    assert_eq!(stage.block(0, 1), [(1, Ask::Cancel), (2, Ask::Cancel)]);
    assert_eq!(stage.events(), [stage.arrival(0, 1)]);
}

#[test]
fn a_slow_peer_is_asked_only_when_no_other_has_the_block() {
    let mut stage = Stage::new(2);
    stage.want(1);
    stage.presence(0, 1, Presence::Have);
    stage.pass(5 * S, 1);
    stage.client.cancel(&id(1));
    stage.said(1);
    stage.want(2);
    assert_eq!(stage.presence(0, 2, Presence::Have), []);
    assert_eq!(stage.presence(1, 2, Presence::Have), [(1, Ask::Block)]);
    stage.block(1, 2);
    stage.now += USEFUL_FOR;
    stage.want(3);
    assert_eq!(stage.presence(0, 3, Presence::Have), []);
    assert_eq!(stage.pass(S, 3), [(0, Ask::Block)], "better than none");
}

#[test]
fn a_peer_that_works_through_many_wants_is_given_time() {
    let mut stage = Stage::new(1);
    stage.want(1);
    stage.want(2);
    stage.presence(0, 1, Presence::Have);
    stage.presence(0, 2, Presence::Have);
    stage.now += 3 * S;
    stage.block(0, 1);
    assert_eq!(stage.pass(2 * S, 2), []);
    assert_eq!(stage.client.counts().timeouts, 0);
    stage.pass(3 * S, 2);
    assert_eq!(stage.client.counts().timeouts, 1);
}

#[test]
fn nobody_answers_and_all_are_asked_again_ever_more_rarely() {
    let mut stage = Stage::new(1);
    stage.want(1);
    for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(stage.pass(S * seconds - MS, 1), [], "before {seconds} s");
        assert_eq!(stage.pass(MS, 1), [(0, Ask::Have)], "after {seconds} s");
    }
}

#[test]
fn a_want_without_peers_waits_for_one() {
    let mut stage = Stage::new(0);
    assert_eq!(stage.want(1), []);
    stage.pass(3600 * S, 1);
    let peer = PeerId::random();
    stage.peers.push(peer);
    stage.client.peer_came(peer, stage.now);
    assert_eq!(stage.said(1), [(0, Ask::Have)]);
    assert_eq!(stage.block(0, 1), []);
    assert_eq!(stage.events(), [stage.arrival(0, 1)]);
}

#[test]
fn a_peer_leaves_in_the_middle_and_the_next_is_asked() {
    let mut stage = Stage::new(3);
    stage.want(1);
    stage.presence(0, 1, Presence::Have);
    stage.presence(1, 1, Presence::Have);
    stage.client.peer_left(&stage.peers[0], stage.now);
    assert_eq!(stage.said(1), [(1, Ask::Block)]);
    stage.client.peer_left(&stage.peers[1], stage.now);
    assert_eq!(stage.said(1), []);
    assert_eq!(stage.pass(S, 1), [(2, Ask::Have)]);
}

#[test]
fn a_liar_is_asked_no_more_for_that_block_but_for_others() {
    let mut stage = Stage::new(2);
    stage.want(1);
    stage.presence(0, 1, Presence::Have);
    stage.presence(1, 1, Presence::Have);
    assert_eq!(stage.lie(0, 1), [(0, Ask::Cancel), (1, Ask::Block)]);
    assert_eq!(stage.events(), [Event::Rejected { from: stage.peers[0], count: 1 }]);
    stage.client.peer_left(&stage.peers[1], stage.now);
    stage.said(1);
    for _ in 0..5 {
        assert_eq!(stage.pass(60 * S, 1), [], "is not asked again");
    }
    stage.client.cancel(&id(1));
    assert_eq!(stage.want(2), [(0, Ask::Have)]);
}

#[test]
fn a_right_block_after_a_lie_is_taken() {
    let mut stage = Stage::new(1);
    stage.want(1);
    stage.presence(0, 1, Presence::Have);
    stage.lie(0, 1);
    stage.block(0, 1);
    assert!(stage.events().contains(&stage.arrival(0, 1)));
}

#[test]
fn lies_are_reported_once_a_minute_and_end_the_talk_at_last() {
    let mut stage = Stage::new(1);
    let from = stage.peers[0];
    for _ in 0..10 {
        stage.lie(0, 1);
    }
    assert_eq!(stage.events(), [Event::Rejected { from, count: 1 }]);
    stage.now += 60 * S;
    stage.lie(0, 1);
    assert_eq!(stage.events(), [Event::Rejected { from, count: 10 }]);
    for _ in 0..100 {
        stage.lie(0, 1);
    }
    assert_eq!(stage.events(), [Event::Rejected { from, count: 53 }]);
    assert_eq!(stage.client.counts().rejected, 111);
    assert_eq!(stage.want(2), [], "is not asked any more");
    stage.client.peer_came(from, stage.now);
    assert_eq!(stage.said(2), [(0, Ask::Have)], "until it connects anew");
}

#[test]
fn a_late_copy_is_no_lie() {
    let mut stage = Stage::new(2);
    stage.want(1);
    stage.block(0, 1);
    stage.block(1, 1);
    stage.want(2);
    stage.client.cancel(&id(2));
    stage.said(2);
    stage.block(1, 2);
    assert_eq!(stage.events(), [stage.arrival(0, 1)]);
    let counts = Counts { received: 1, duplicates: 2, ..Counts::default() };
    assert_eq!(stage.client.counts(), counts);
}

#[test]
fn wants_have_a_limit() {
    let mut stage = Stage::new(0);
    for number in 0..100 {
        stage.want(number);
    }
    assert_eq!(stage.client.want(id(100), stage.now), Err(WantsFull));
    assert_eq!(stage.client.want(id(99), stage.now), Ok(()), "one that is there");
    stage.client.cancel(&id(0));
    assert_eq!(stage.client.want(id(100), stage.now), Ok(()));
    assert_eq!(stage.client.alarms.len(), 100);
}

#[test]
fn only_the_newest_ids_are_remembered() {
    let mut done = Done::default();
    for number in 0..10_000_u32 {
        done.insert(BlockId::of(&number.to_be_bytes()));
    }
    assert!(done.contains(&BlockId::of(&9_999_u32.to_be_bytes())));
    assert!(!done.contains(&BlockId::of(&0_u32.to_be_bytes())));
}
