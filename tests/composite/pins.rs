//! Our main cluster over ours: pins of every kind reach the Kubos that the records name, and leave them.

use harness::composite::{Composite, Sub, with_clusterd};
use harness::http::Client;
use harness::rpc;
use harness::wait;
use serde_json::Value;

use super::place::{
    SOON, api, assert_placed, call, content_at, everywhere, held, is_gone, refused, wait_for_placed,
};

/// Three main peers, two of which hold a pin, over sub-clusters of two Kubos that keep one or two copies.
pub(super) fn three_over_three() -> Composite {
    let main = with_clusterd("[replication]\nmin = 2\nmax = 2\n");
    let subs = [
        Sub::of(2, ""),
        Sub::of(2, "[replication]\nmin = 1\nmax = 1\n"),
        Sub::of(2, "[replication]\nmin = 2\nmax = 2\n"),
    ];
    let all = Composite::start(&main, &subs).unwrap();
    // Until all have told their free space, too few can be given a pin.
    let probe = content_at(&all.subs[0].rust[0].stack.kubo);
    let client = all.main[0].client();
    wait::until("a first pin", SOON, || rpc::pin_add(&client, &[&probe]).ok()).unwrap();
    all
}

fn wait_for_gone(all: &Composite, cid: &str) {
    wait::until("the end of a pin below", SOON, || is_gone(all, cid).then_some(())).unwrap();
}

#[test]
fn a_pin_is_made_changed_and_removed_on_the_kubos_that_the_records_name() {
    let all = three_over_three();
    let [first, second] = [0, 1].map(|place| all.main[place].client());
    let control = all.main[0].control();
    let kubo = |sub: usize, place: usize| &all.subs[sub].rust[place].stack.kubo;

    // Whoever has the content: a Kubo of a sub-cluster that is not asked, and not its first.
    let plain = content_at(kubo(2, 1));
    rpc::pin_add(&first, &[&plain]).unwrap();
    assert_placed(&all, &control, &plain, "recursive", "");

    let named = content_at(kubo(1, 1));
    call(&second, &format!("pin/add?arg={named}&name=the%20name&progress=true"));
    assert_placed(&all, &control, &named, "recursive", "the name");

    let direct = content_at(kubo(0, 0));
    call(&first, &format!("pin/add?arg={direct}&recursive=false&name=direct%20one"));
    assert_placed(&all, &control, &direct, "direct", "direct one");

    listed(&first, [&plain, &named, &direct]);
    listed(&second, [&plain, &named, &direct]);

    // A name is changed, and nothing else.
    call(&first, &format!("pin/add?arg={named}&name=new"));
    wait_for_placed(&all, &control, &named, ("recursive", "new"));

    let next = content_at(kubo(0, 1));
    call(&first, &format!("pin/update?arg={named}&arg={next}"));
    assert!(everywhere(&all, &next).concat().iter().any(Option::is_some));
    assert_placed(&all, &control, &next, "recursive", "new");
    wait_for_gone(&all, &named);

    for cid in [&plain, &direct, &next] {
        rpc::pin_rm(&first, cid).unwrap();
        assert_eq!(refused(&first, &format!("pin/rm?arg={cid}")), NOT_PINNED);
        wait_for_gone(&all, cid);
        assert_eq!(refused(&second, &format!("pin/rm?arg={cid}")), NOT_PINNED);
    }
}

/// Kubo's words.
pub(super) const NOT_PINNED: &str = "not pinned or pinned indirectly";

/// What the proxy of a main peer lists of a plain pin, a named one, and a direct one.
fn listed(client: &Client, [plain, named, direct]: [&str; 3]) {
    let of = |cid| held(client, cid).map(|(kind, name)| format!("{kind} {name}"));
    let all = || [plain, named, direct].map(|cid| of(cid).unwrap_or_default());
    let wanted = ["recursive ", "recursive the name", "direct direct one"];
    wait::until("the pins in the list", SOON, || (all() == wanted).then_some(())).unwrap();
    let text = call(client, "pin/ls?type=direct&names=true&stream=true").text();
    assert!(text.contains(direct) && !text.contains(plain), "{text}");
    let text = call(client, "pin/ls?type=recursive&stream=true").text();
    assert!(!text.contains(direct) && text.contains(plain) && text.contains(named), "{text}");
}

#[test]
fn what_a_sub_cluster_has_lost_is_unpinned_without_a_complaint() {
    let main = with_clusterd("[tracker]\naudit_every = \"1h\"\n");
    let all = Composite::start(&main, &[Sub::of(1, ""), Sub::of(1, "")]).unwrap();
    let (client, control) = (all.main[0].client(), all.main[0].control());
    let cid = content_at(&all.subs[1].rust[0].stack.kubo);
    rpc::pin_add(&client, &[&cid]).unwrap();
    // By the sub-cluster's own users, and behind the back of another one.
    rpc::pin_rm(&all.subs[0].rust[0].stack.client(), &cid).unwrap();
    rpc::pin_rm(&api(&all.subs[1].rust[0].stack.kubo), &cid).unwrap();
    rpc::pin_rm(&client, &cid).unwrap();
    wait_for_gone(&all, &cid);
    wait::until("both main peers to be done with it", SOON, || {
        let answer = control.call("GET", &format!("/pins/{cid}"), "").ok()?;
        let status: Value = serde_json::from_slice(&answer.body).ok()?;
        let peers = status["peer_map"].as_object()?;
        let is_done = |peer: &Value| peer["status"] == "unpinned" && peer["error"] == "";
        (peers.len() == 2 && peers.values().all(is_done)).then_some(())
    })
    .unwrap();
    let errors = control.call("GET", "/pins?filter=error", "").unwrap().text();
    assert!(!errors.contains(&cid), "{errors}");
}
