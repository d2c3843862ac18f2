//! Peers that listen to each other, and ask about what they do not know.

use std::collections::BTreeSet;

use clusterd_core::effect::Effect;
use clusterd_core::input::{Input, Time};
use clusterd_core::members::{Metric, PING};
use clusterd_core::pinset::key::PinKey;
use clusterd_core::snapshot::Row;
use clusterd_core::spread::{Lacking, News, PeerState, Report};
use clusterd_core::store::{Space, Store};
use clusterd_core::tracker::phase::Unsettled;
use common::ids::{Cid, PeerId};

use crate::peer;
use crate::world::{Event, World};

/// First and longest wait before others are asked again.
const ASK_AFTER: u64 = 1000;
const ASK_AFTER_MAX: u64 = 30_000;

/// That a peer holds a pin.
pub(crate) fn held(cid: Cid) -> Report {
    Report { cid, news: News::State(PeerState::Held { record: 1_700_000_000 }) }
}

impl World {
    /// Whoever reaches another from now on listens to it and hears how its pins stand; whoever does
    /// not any more hears nothing.
    pub(crate) fn listen(&mut self) {
        let all = 0..self.peers.len();
        let pairs = all.clone().flat_map(|from| all.clone().map(move |to| (from, to)));
        let reached: BTreeSet<(usize, usize)> = pairs
            .filter(|(from, to)| from != to && self.peers[*from].node.is_some())
            .filter(|(from, to)| self.is_reached(*from, *to))
            .collect();
        let fresh: Vec<_> = reached.difference(&self.listening).copied().collect();
        self.listening = reached;
        for (at, of) in fresh {
            self.begin_to_listen(at, of);
        }
    }

    /// Listens to everybody as if for the first time.
    pub(crate) fn listen_anew(&mut self, at: usize) {
        self.listening.retain(|(listener, _)| *listener != at);
        self.listen();
    }

    fn begin_to_listen(&mut self, at: usize, of: usize) {
        let (store, away) = (self.durable_store(of), self.peers[of].away.clone());
        let reports = store.rows(Space::Unsettled).into_iter().filter_map(|(key, row)| {
            let state = PeerState::of_unsettled(Some(&Unsettled::decode(&row).unwrap()), 0)?;
            let is_missing = matches!(state, PeerState::Missing { .. });
            let cid = PinKey::from_stored(key).to_cid().filter(|_| is_missing)?;
            Some(Report { cid, news: News::State(state.while_away(away.as_deref())) })
        });
        let reports: Vec<_> = reports.collect();
        self.reported(at, of, 5, reports);
        self.plan_asking(at, ASK_AFTER);
    }

    fn reported(&mut self, at: usize, of: usize, wait: u64, reports: Vec<Report>) {
        if !reports.is_empty() {
            self.tell(at, wait, Input::PeerReports { peer: peer::id(of), reports });
        }
    }

    /// A peer tells those who listen.
    pub(crate) fn tell_listeners(&mut self, of: usize, report: &Report) {
        let listeners = self.listening.iter().filter(|(_, to)| *to == of).map(|(at, _)| *at);
        for at in listeners.collect::<Vec<_>>() {
            self.reported(at, of, 5, vec![report.clone()]);
        }
    }

    pub(crate) fn plan_asking(&mut self, at: usize, wait: u64) {
        let due = self.now.plus_millis(wait);
        if self.peers[at].ask.is_none_or(|(before, _)| due < before) {
            self.peers[at].ask = Some((due, wait));
            let epoch = self.peers[at].epoch;
            self.after(wait, Event::Ask { peer: at, epoch });
        }
    }

    /// Asks those who are reached about all pins that they are not known to hold.
    pub(crate) fn ask_others(&mut self, at: usize) {
        let Some((_, wait)) = self.peers[at].ask.filter(|(due, _)| *due == self.now) else {
            return;
        };
        self.peers[at].ask = None;
        let rows = self.durable_store(at).rows(Space::Spread);
        let listening = self.listening.iter().filter(|(listener, _)| *listener == at);
        for of in listening.map(|(_, of)| *of).collect::<Vec<_>>() {
            let id = peer::id(of);
            let lacks = |row: &[u8]| Lacking::decode(row).unwrap().0.contains(&id);
            let keys = rows.iter().filter(|(_, row)| lacks(row)).map(|(key, _)| key.clone());
            let keys: Vec<_> = keys.collect();
            if keys.is_empty() {
                continue;
            }
            let reports = self.states(of, keys);
            // An answer may be overtaken by what is told meanwhile.
            let late = 1 + self.chance.below(50);
            self.reported(at, of, late, reports);
        }
        if !rows.is_empty() {
            self.plan_asking(at, (wait * 2).min(ASK_AFTER_MAX));
        }
    }

    fn states(&self, of: usize, keys: Vec<Vec<u8>>) -> Vec<Report> {
        let store = self.durable_store(of);
        let own = peer::id(of).encode();
        let state = |key: &[u8]| {
            let get = |space| store.get(space, key).unwrap();
            let (pin, unsettled) = (get(Space::Pins), get(Space::Unsettled));
            let (pin, unsettled) = (pin.as_deref(), unsettled.as_deref());
            let state = PeerState::of_row(Row { key, pin, unsettled, spread: None }, &own);
            state.while_away(self.peers[of].away.as_deref())
        };
        let report = |key: Vec<u8>| {
            let news = News::State(state(&key));
            Some(Report { cid: PinKey::from_stored(key).to_cid()?, news })
        };
        keys.into_iter().filter_map(report).collect()
    }

    /// Lets another peer try a pin again, if it is reached.
    pub(crate) fn recover_at(&mut self, from: usize, peer: PeerId, cid: Cid) {
        let at = (0..self.peers.len()).find(|at| peer::id(*at) == peer);
        if let Some(at) = at.filter(|at| self.listening.contains(&(from, *at))) {
            self.ask(at, |waiter| Input::Recover { waiter, cid: Some(cid) });
        }
    }

    /// Everybody is a member with room for everything, however long it is away.
    pub(crate) fn introduce(&mut self, to: usize) {
        for of in 0..self.peers.len() {
            self.give_metrics(to, of, &[PING, "freespace", "tag:group"]);
        }
    }

    /// A peer hears metrics of another that last for good.
    pub(crate) fn give_metrics(&mut self, to: usize, of: usize, names: &[&str]) {
        for name in names {
            self.give_metric_until(to, of, name, self.now.plus_millis(1 << 40));
        }
    }

    /// A peer hears a metric of another.
    pub(crate) fn give_metric_until(&mut self, to: usize, of: usize, name: &str, expires: Time) {
        let metric = Metric {
            peer: peer::id(of),
            name: name.to_owned(),
            value: "1".to_owned(),
            weight: 1,
            is_group: name.starts_with("tag"),
            is_valid: true,
            expires,
            received: self.now,
        };
        self.feed(to, Input::Metric(metric));
    }

    /// What concerns other peers' pins.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest happens at this peer")]
    pub(crate) fn happen_elsewhere(&mut self, at: usize, effect: Effect) {
        match effect {
            Effect::TellState { cid } => {
                let key = PinKey::from_cid(&cid).into_bytes();
                let reports = self.states(at, vec![key]);
                reports.iter().for_each(|report| self.tell_listeners(at, report));
            }
            Effect::TellAway { words } => {
                let is_away = words.is_some();
                self.peers[at].away = words;
                if is_away {
                    self.listening.retain(|(_, of)| *of != at);
                    self.listen();
                }
            }
            Effect::TellProgress { cid, nodes, bytes } => {
                let news = News::Progress { nodes, bytes };
                self.tell_listeners(at, &Report { cid, news });
            }
            Effect::AskOthers => self.plan_asking(at, ASK_AFTER),
            Effect::ListenAnew => self.listen_anew(at),
            Effect::RecoverAt { peer, cid } => self.recover_at(at, peer, cid),
            other => panic!("{other:?} is of this peer"),
        }
    }
}
