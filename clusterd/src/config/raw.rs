//! The file as it is written: each key optional, each value with its place for messages.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use common::config::Faults;
use common::pin::Replication;
use common::units::{ByteSize, Seconds};
use multiaddr::{Multiaddr, Protocol};
use serde::Deserialize;
use toml::Spanned;

use super::{Config, Log};

mod peers;
mod pinset;

use peers::RawPeers;
use pinset::{RawAllocation, RawPinset, RawTags};

/// Longest name of a cluster or peer, in bytes: it goes into each metric that is broadcast.
const NAME_BYTES_MAX: usize = 128;

/// Longest path of a Unix socket, in bytes. Source: unix(7), `sun_path` without its final zero.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Each moved pin is fetched by another Kubo.
const REPINS: std::ops::RangeInclusive<u32> = 1..=60_000;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawConfig {
    cluster_name: Option<Spanned<String>>,
    peername: Option<Spanned<String>>,
    state: Option<Spanned<PathBuf>>,
    sockets: RawSockets,
    ipfs: RawIpfs,
    peers: RawPeers,
    replication: RawReplication,
    pinset: RawPinset,
    allocation: RawAllocation,
    tags: RawTags,
    tracker: RawTracker,
    status: RawListen,
    metrics: RawListen,
    log: RawLog,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawSockets {
    proxy: Option<Spanned<PathBuf>>,
    control: Option<Spanned<PathBuf>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawIpfs {
    api: Option<Spanned<String>>,
    pin_timeout: Option<Spanned<Seconds>>,
    call_timeout: Option<Spanned<Seconds>>,
    reserve: Option<ByteSize>,
    gc_hold_off: Option<Seconds>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawReplication {
    min: Option<Spanned<RawFactor>>,
    max: Option<Spanned<RawFactor>>,
    repin: Option<bool>,
    repin_after: Option<Spanned<Seconds>>,
    repin_per_minute: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a number of peers from 1, or \"everywhere\"")]
enum RawFactor {
    Peers(i32),
    Word(String),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawTracker {
    pins_running_max: Option<Spanned<u16>>,
    retry_after: Option<Spanned<Seconds>>,
    retry_after_max: Option<Spanned<Seconds>>,
    audit_every: Option<Spanned<Seconds>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawListen {
    listen: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLog {
    format: common::log::Format,
    level: common::log::Level,
}

impl RawConfig {
    /// Checks every value; the result counts only when no fault was noted.
    pub(super) fn check(self, faults: &mut Faults) -> Config {
        let mut config = Config::default();
        name(self.cluster_name, &mut config.cluster_name, faults);
        name(self.peername, &mut config.peername, faults);
        if let Some(state) = self.state {
            if !state.as_ref().is_absolute() {
                faults.add(state.span(), "the path is not absolute", "begin it with a slash");
            }
            config.state = state.into_inner();
        }
        socket(self.sockets.proxy, &mut config.sockets.proxy, faults);
        socket(self.sockets.control, &mut config.sockets.control, faults);
        parsed(self.ipfs.api, &mut config.ipfs.api, faults);
        duration(self.ipfs.pin_timeout, &mut config.ipfs.pin_timeout, faults);
        duration(self.ipfs.call_timeout, &mut config.ipfs.call_timeout, faults);
        config.ipfs.reserve = self.ipfs.reserve.map_or(config.ipfs.reserve, |size| size.0);
        config.ipfs.gc_hold_off =
            self.ipfs.gc_hold_off.map_or(config.ipfs.gc_hold_off, |time| time.0);
        self.peers.check(&mut config.peers, faults);
        self.replication.check(&mut config, faults);
        self.pinset.check(&mut config.pinset, faults);
        self.allocation.check(&mut config, faults);
        self.tags.check(&mut config, faults);
        self.tracker.check(&mut config.tracker, faults);
        config.status_listen = self.status.listen.and_then(|raw| loopback_port(&raw, faults));
        config.metrics_listen =
            self.metrics.listen.and_then(|raw| port(&raw, "/ip4/127.0.0.1/tcp/9092", faults));
        config.log = Log { format: self.log.format, level: self.log.level };
        config
    }
}

impl RawReplication {
    fn check(self, config: &mut Config, faults: &mut Faults) {
        config.repin.is_on = self.repin.unwrap_or(config.repin.is_on);
        duration(self.repin_after, &mut config.repin.after, faults);
        if let Some(pins) = self.repin_per_minute {
            if !REPINS.contains(pins.as_ref()) {
                faults.add(pins.span(), "no such number of pins a minute", "use 1 to 60000");
            }
            config.repin.per_minute = pins.into_inner();
        }
        let replication = &mut config.replication;
        match (self.min, self.max) {
            (None, None) => {}
            (Some(min), Some(max)) => {
                let span = min.span().start..max.span().end.max(min.span().end);
                let factors = (factor(&min, faults), factor(&max, faults));
                let (Some(low), Some(high)) = factors else {
                    return;
                };
                match Replication::from_factors(low, high) {
                    Ok(Some(usable)) => *replication = usable,
                    Ok(None) | Err(_) => faults.add(
                        span.start..span.start.max(min.span().end),
                        format!("min {low} and max {high} cannot be used together"),
                        "1 <= min <= max, or \"everywhere\" for both",
                    ),
                }
            }
            (Some(one), None) | (None, Some(one)) => {
                faults.add(one.span(), "min and max belong together", "give both or neither");
            }
        }
    }
}

fn factor(raw: &Spanned<RawFactor>, faults: &mut Faults) -> Option<i32> {
    match raw.as_ref() {
        RawFactor::Peers(number) if *number >= 1 => Some(*number),
        RawFactor::Word(word) if word == "everywhere" => Some(-1),
        RawFactor::Peers(_) | RawFactor::Word(_) => {
            faults.add(raw.span(), "no replication factor", "a number from 1, or \"everywhere\"");
            None
        }
    }
}

impl RawTracker {
    fn check(self, tracker: &mut super::Tracker, faults: &mut Faults) {
        if let Some(running) = self.pins_running_max {
            // More at a time than Kubo serves well only makes each slower.
            if !(1..=1000).contains(running.as_ref()) {
                faults.add(running.span(), "cannot run so many at a time", "use 1 to 1000");
            }
            tracker.pins_running_max = running.into_inner();
        }
        duration(self.retry_after, &mut tracker.retry_after, faults);
        duration(self.retry_after_max, &mut tracker.retry_after_max, faults);
        duration(self.audit_every, &mut tracker.audit_every, faults);
        if tracker.retry_after > tracker.retry_after_max {
            faults.add_general("retry_after is longer than retry_after_max", "make it shorter");
        }
    }
}

fn name(raw: Option<Spanned<String>>, name: &mut String, faults: &mut Faults) {
    let Some(raw) = raw else { return };
    if raw.as_ref().is_empty() || raw.as_ref().len() > NAME_BYTES_MAX {
        let fix = format!("use 1 to {NAME_BYTES_MAX} bytes, or leave the key out");
        faults.add(raw.span(), "the name is empty or too long", fix);
    }
    *name = raw.into_inner();
}

fn socket(raw: Option<Spanned<PathBuf>>, path: &mut PathBuf, faults: &mut Faults) {
    let Some(raw) = raw else { return };
    if !raw.as_ref().is_absolute() {
        faults.add(raw.span(), "the path is not absolute", "begin it with a slash");
    } else if raw.as_ref().as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        let fix = format!("the kernel takes {SOCKET_PATH_BYTES_MAX} bytes at most");
        faults.add(raw.span(), "the path of a socket is too long", fix);
    }
    *path = raw.into_inner();
}

fn duration(raw: Option<Spanned<Seconds>>, to: &mut std::time::Duration, faults: &mut Faults) {
    let Some(raw) = raw else { return };
    if raw.as_ref().0.is_zero() {
        faults.add(raw.span(), "the duration is zero", "use a longer one, or leave the key out");
    }
    *to = raw.into_inner().0;
}

fn parsed<T: FromStr<Err: Display>>(raw: Option<Spanned<String>>, to: &mut T, faults: &mut Faults) {
    if let Some(value) = raw.and_then(|raw| one(&raw, faults)) {
        *to = value;
    }
}

/// A TCP port that this machine alone can connect to.
fn loopback_port(raw: &Spanned<String>, faults: &mut Faults) -> Option<SocketAddr> {
    let address = port(raw, "/ip4/127.0.0.1/tcp/9097", faults)?;
    if address.ip().is_loopback() {
        return Some(address);
    }
    let fault = "the status page is served to this machine alone: it asks nobody who he is";
    let fix = "use /ip4/127.0.0.1/tcp/9097; from another machine, reach it with ssh -L";
    faults.add(raw.span(), fault, fix);
    None
}

/// A TCP port of this machine.
fn port(raw: &Spanned<String>, like: &str, faults: &mut Faults) -> Option<SocketAddr> {
    let address: Multiaddr = one(raw, faults)?;
    let mut parts = address.iter();
    let place = match (parts.next(), parts.next(), parts.next()) {
        (Some(Protocol::Ip4(ip)), Some(Protocol::Tcp(port)), None) => Some((IpAddr::V4(ip), port)),
        (Some(Protocol::Ip6(ip)), Some(Protocol::Tcp(port)), None) => Some((IpAddr::V6(ip), port)),
        _ => None,
    };
    if place.is_none() {
        faults.add(raw.span(), "no TCP port of this machine", format!("use {like}"));
    }
    place.map(SocketAddr::from)
}

fn all<T: FromStr<Err: Display>>(raw: Vec<Spanned<String>>, faults: &mut Faults) -> Vec<T> {
    raw.iter().filter_map(|raw| one(raw, faults)).collect()
}

fn one<T: FromStr<Err: Display>>(raw: &Spanned<String>, faults: &mut Faults) -> Option<T> {
    match raw.as_ref().parse() {
        Ok(value) => Some(value),
        Err(error) => {
            faults.add(raw.span(), error.to_string(), "");
            None
        }
    }
}
