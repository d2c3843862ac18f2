//! From the roots of an upload to pins, and what stays in Kubo where that fails.

use std::time::Duration;

use clusterd_core::input::{Input, PinRequest, Until};
use common::api::add::{AddOptions, Format};
use common::api::error::{ApiError, ErrorCode};
use common::ids::{Cid, PeerId};
use common::pin::{FastProvide, Pin, PinMode, Replication};

use super::super::super::room::Room;
use super::super::pins::ask;

/// Roots that are looked for in Kubo after a failure, and named where it holds them.
const NAMED_MAX: usize = 20;
/// How long Kubo may take to say whether it holds one.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// Accepts the roots, which this machine's Kubo holds with its own pins: all or none. Gives their records.
pub(super) async fn pin(
    room: &Room,
    roots: &[Cid],
    options: &AddOptions,
) -> Result<Vec<Pin>, ApiError> {
    let pins = roots.iter().map(|root| request(*root, options, &room.me.peer)).collect();
    ask(room, |waiter| Input::Pin { waiter, call: None, pins, until: Until::Accepted }).await?;
    let mut records = Vec::with_capacity(roots.len());
    for root in roots {
        // Somebody else may have unpinned it again.
        records.extend(room.record(root).await?);
    }
    Ok(records)
}

fn request(cid: Cid, options: &AddOptions, me: &PeerId) -> PinRequest {
    let pin = &options.pin;
    let name = Some(pin.name.clone()).filter(|name| !name.is_empty());
    let mut user_allocations = pin.user_allocations.clone();
    let here = is_for_here(options, me);
    // Kubo gives the pin of a CAR file's root no name: the tracker does, as for any pin that differs.
    let lacks_name = here && options.format == Format::Car && name.is_some();
    if lacks_name && !user_allocations.contains(me) {
        user_allocations.insert(0, *me);
    }
    PinRequest {
        cid,
        mode: PinMode::Recursive,
        name,
        replication: pin.replication,
        user_allocations,
        metadata: pin.metadata.clone(),
        origins: pin.origins.clone(),
        expires_at: pin.expires_at,
        update_from: None,
        local: !lacks_name,
        provide: FastProvide::default(),
    }
}

/// Whether this machine, which has the content, shall be among the holders where it can. Peers that the
/// client named go ahead of it, as in Go.
fn is_for_here(options: &AddOptions, me: &PeerId) -> bool {
    let named = &options.pin.user_allocations;
    let has_room = match options.pin.replication {
        Some(Replication::Everywhere) => true,
        Some(Replication::Between { max, .. }) => usize::from(max.get()) > named.len(),
        Some(Replication::Unusable { .. }) | None => false,
    };
    named.is_empty() || named.contains(me) || has_room
}

/// The failure, with the roots that this machine's Kubo holds and the cluster does not.
pub(super) async fn naming_kept(room: &Room, roots: &[Cid], error: ApiError) -> ApiError {
    let (mut kept, mut unknown) = (Vec::new(), Vec::new());
    for root in roots.iter().take(NAMED_MAX) {
        if matches!(room.record(root).await, Ok(Some(_))) {
            continue;
        }
        match room.kubo.holds(*root, PinMode::Recursive, Some(LOOK_MAX)).await {
            Ok(true) => kept.push(root.to_string()),
            Ok(false) => {}
            Err(answer) => {
                unknown.push(root.to_string());
                if answer.reason == ErrorCode::IpfsUnreachable {
                    break;
                }
            }
        }
    }
    let more = if roots.len() > NAMED_MAX { " and maybe more" } else { "" };
    let mut words = error.message.clone();
    for (how, which) in [("", kept), ("perhaps ", unknown)] {
        if !which.is_empty() {
            words = format!(
                "{words}; {how}pinned in this machine's Kubo, and not in the cluster: {}{more}",
                which.join(" ")
            );
        }
    }
    if words != error.message {
        let cid = roots.first().map(tracing::field::display);
        tracing::warn!(
            name: common::messages::STRAY_PIN, cid, error = words,
            "an upload is not pinned in the cluster"
        );
    }
    ApiError { message: words, ..error }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: &str = "12D3KooWPU2wk6iUQAcXnhcPm7z5TzpGe6fe9HZYrmDfWz3FJCHt";
    const CID: &str = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPBdX";
    const OTHER: &str = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn";

    fn asked(replication: (i32, i32), named: &[&str], format: Format, name: &str) -> PinRequest {
        let mut options = AddOptions { format, ..AddOptions::default() };
        options.pin.replication = Replication::from_factors(replication.0, replication.1).unwrap();
        options.pin.user_allocations = named.iter().map(|peer| peer.parse().unwrap()).collect();
        options.pin.name = name.to_owned();
        request(CID.parse().unwrap(), &options, &ME.parse().unwrap())
    }

    #[test]
    fn the_machine_that_has_the_content_is_first_unless_others_are_named() {
        let is_preferred = |replication, named: &[&str]| {
            let asked = asked(replication, named, Format::Car, "backup");
            asked.user_allocations.contains(&ME.parse().unwrap())
        };
        assert!(is_preferred((0, 0), &[]));
        assert!(is_preferred((2, 2), &[OTHER]), "there is room for both");
        assert!(!is_preferred((1, 1), &[OTHER]));
        assert!(!is_preferred((0, 0), &[OTHER]));
        assert!(is_preferred((1, 1), &[OTHER, ME]));
        assert!(is_preferred((-1, -1), &[OTHER]));
    }

    #[test]
    fn a_named_car_is_for_here_but_not_as_it_shall_be() {
        let named = asked((1, 1), &[], Format::Car, "backup");
        assert!(!named.local && named.user_allocations == [ME.parse().unwrap()]);
        assert!(asked((1, 1), &[], Format::Car, "").local);
        assert!(asked((1, 1), &[OTHER], Format::Car, "backup").local, "it is to be let go");
    }
}
