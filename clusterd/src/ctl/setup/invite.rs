//! `clusterdctl invite`: prints what the next machine needs.

use common::api;
use common::api::client::{Call, ClientError};
use common::api::peers::IdInfo;
use multiaddr::{Multiaddr, Protocol};
use serde_json::Value;

use super::addresses::{dialable, is_for_others, of_interfaces};
use super::invitation::Invitation;
use super::layout::Layout;
use crate::ctl::args::InviteArgs;
use crate::ctl::connection::Connection;
use crate::ctl::failure::{Failure, code};
use crate::ctl::render::{Output, say};

pub(in crate::ctl) async fn invite(
    connection: &Connection,
    args: &InviteArgs,
    out: &mut Output,
) -> Result<u8, Failure> {
    let layout = Layout::of(connection.instance(), args.setup.config.as_deref())?;
    let Some((_, secret)) = layout.secret_in_force()? else {
        return Err(Failure::Setup(
            "this peer has no secret yet; `clusterdctl init` makes one".to_owned(),
        ));
    };
    let (id, shown, others) = match ask(connection).await {
        Ok(known) => known,
        // Not started yet: its files say enough.
        Err(Failure::Call(ClientError::Unreachable { .. })) => {
            (id_in_file(&layout)?, Vec::new(), Vec::new())
        }
        Err(other) => return Err(other),
    };
    let own = match args.address.is_empty() {
        true => own_addresses(&layout, &shown)?,
        false => args.address.clone(),
    };
    let mut peers: Vec<Multiaddr> =
        own.into_iter().map(|address| with_id(address, &id)).collect::<Result<_, _>>()?;
    if peers.is_empty() {
        return Err(Failure::Setup(
            "no address at which others can reach this peer; name one, as --address /dns4/NAME/tcp/9096"
                .to_owned(),
        ));
    }
    if !peers.iter().any(is_for_others) {
        say("clusterdctl: no other machine can reach these addresses; name another with --address");
    }
    peers.extend(others);
    let invitation = Invitation { cluster_name: layout.cluster_name, secret, peers };
    if out.json() {
        let peers: Vec<String> = invitation.peers.iter().map(Multiaddr::to_string).collect();
        out.object(&serde_json::json!({
            "cluster_name": invitation.cluster_name, "secret": invitation.secret, "peers": peers,
        }))?;
    } else {
        out.bytes(invitation.text().as_bytes())?;
    }
    Ok(code::OK)
}

/// Own id, where clusterd says that it is reached, and where other members are.
type Known = (String, Vec<Multiaddr>, Vec<Multiaddr>);

async fn ask(connection: &Connection) -> Result<Known, Failure> {
    let own: IdInfo = connection.ask(&Call::new(api::ID, &[])).await?;
    let mut lines = connection.lines(&Call::new(api::PEERS, &[])).await?;
    let mut others = Vec::new();
    while let Some(line) = connection.within(lines.next()).await? {
        let peer: IdInfo = serde_json::from_slice(&line)
            .map_err(|e| ClientError::Unintelligible { reason: e.to_string() })?;
        // Of one that does not answer only the connection's address is known: nobody listens there
        // when the connection came from the peer.
        if peer.id != own.id && peer.error.is_empty() {
            let id = peer.id.to_string();
            let places = peer.addresses.into_iter().filter(is_for_others);
            let whole = places.map(|address| with_id(address, &id));
            others.append(&mut whole.collect::<Result<_, _>>()?);
        }
    }
    let shown = own.addresses.into_iter().map(without_id).collect();
    Ok((own.id.to_string(), shown, others))
}

/// Where others reach this peer: as clusterd shows it, else by its settings. It shows nothing yet
/// while it starts, and nothing but loopback for a moment after.
fn own_addresses(layout: &Layout, shown: &[Multiaddr]) -> Result<Vec<Multiaddr>, Failure> {
    let interfaces = of_interfaces();
    let shown = dialable(shown, &interfaces);
    if shown.iter().any(is_for_others) {
        return Ok(shown);
    }
    let set = layout.addresses.iter().map(|address| {
        address.parse().map_err(|error| {
            let file = layout.config.display();
            Failure::Setup(format!("{file}: [peers] announce or listen: {address:?}: {error}"))
        })
    });
    let set = dialable(&set.collect::<Result<Vec<_>, Failure>>()?, &interfaces);
    match shown.is_empty() || set.iter().any(is_for_others) {
        true => Ok(set),
        false => Ok(shown),
    }
}

fn id_in_file(layout: &Layout) -> Result<String, Failure> {
    let path = layout.identity();
    let text = std::fs::read_to_string(&path).map_err(|source| Failure::File {
        attempt: "read",
        path: path.clone(),
        source,
    })?;
    let identity: Option<Value> = serde_json::from_str(&text).ok();
    let id = identity.as_ref().and_then(|identity| identity.get("id")).and_then(Value::as_str);
    id.map(str::to_owned)
        .ok_or_else(|| Failure::Setup(format!("{} is no identity of a peer", path.display())))
}

fn without_id(mut address: Multiaddr) -> Multiaddr {
    if let Some(Protocol::P2p(_)) = address.iter().last() {
        address.pop();
    }
    address
}

fn with_id(address: Multiaddr, id: &str) -> Result<Multiaddr, Failure> {
    let whole = format!("{}/p2p/{id}", without_id(address));
    whole.parse().map_err(|error| Failure::Setup(format!("{whole}: {error}")))
}
