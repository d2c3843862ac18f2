//! `clusterdctl invite`: prints what the next machine needs.

use common::api;
use common::api::client::{Call, ClientError};
use common::api::peers::IdInfo;
use multiaddr::{Multiaddr, Protocol};
use serde_json::Value;

use super::addresses::{dialable, is_loopback, of_interfaces};
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
    let (id, listen, others) = match ask(connection).await {
        Ok(known) => known,
        // Not started yet: its files say enough.
        Err(Failure::Call(ClientError::Unreachable { .. })) => from_files(&layout)?,
        Err(other) => return Err(other),
    };
    let own = match args.address.is_empty() {
        true => dialable(&listen, &of_interfaces()),
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
    if peers.iter().all(is_loopback) {
        say(
            "clusterdctl: only this machine can reach these addresses; name another with --address",
        );
    }
    peers.extend(others.into_iter().filter(|address| !is_loopback(address)));
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

/// Own id, where it listens, and where other members are.
type Known = (String, Vec<Multiaddr>, Vec<Multiaddr>);

async fn ask(connection: &Connection) -> Result<Known, Failure> {
    let own: IdInfo = connection.ask(&Call::new(api::ID, &[])).await?;
    let mut lines = connection.lines(&Call::new(api::PEERS, &[])).await?;
    let mut others = Vec::new();
    while let Some(line) = connection.within(lines.next()).await? {
        let peer: IdInfo = serde_json::from_slice(&line)
            .map_err(|e| ClientError::Unintelligible { reason: e.to_string() })?;
        if peer.id != own.id {
            others.extend(peer.addresses);
        }
    }
    let listen = own.addresses.into_iter().map(without_id).collect();
    Ok((own.id.to_string(), listen, others))
}

fn from_files(layout: &Layout) -> Result<Known, Failure> {
    let path = layout.identity();
    let text = std::fs::read_to_string(&path).map_err(|source| Failure::File {
        attempt: "read",
        path: path.clone(),
        source,
    })?;
    let identity: Option<Value> = serde_json::from_str(&text).ok();
    let id = identity.as_ref().and_then(|identity| identity.get("id")).and_then(Value::as_str);
    let Some(id) = id else {
        return Err(Failure::Setup(format!("{} is no identity of a peer", path.display())));
    };
    let listen = layout.listen.iter().map(|address| {
        address.parse().map_err(|error| {
            Failure::Setup(format!("{}: [peers] listen: {error}", layout.config.display()))
        })
    });
    Ok((id.to_owned(), listen.collect::<Result<_, Failure>>()?, Vec::new()))
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
