//! `clusterdctl init`: identity and secret of a new peer.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::unistd::geteuid;

use super::layout::{Layout, Owner};
use super::private;
use crate::ctl::args::{Daemon, SetupArgs};
use crate::ctl::check;
use crate::ctl::failure::{Failure, code};
use crate::ctl::render::{Output, say};

/// Makes what is missing, and nothing anew.
pub(in crate::ctl) fn init(
    instance: Option<&str>,
    args: &SetupArgs,
    out: &mut Output,
) -> Result<u8, Failure> {
    let layout = Layout::of(instance, args.config.as_deref())?;
    let owner = layout.state_directory()?;
    let is_new = layout.secret_in_force()?.is_none();
    if is_new {
        private::write(&layout.secret(), owner, &format!("{}\n", private::new_secret()?))?;
    }
    let peer = make_identity(&layout, owner)?;
    if out.json() {
        let made =
            serde_json::json!({ "peer": peer, "state": layout.state, "secret_made": is_new });
        out.object(&made)?;
        return Ok(code::OK);
    }
    out.line(format!("Peer {peer}, state in {}", layout.state.display()))?;
    out.flush()?;
    if is_new {
        say(&format!(
            "It has a new secret, and so is the first of a new cluster. To begin it:\n    \
             systemctl enable --now {unit} {proxy}\n\
             To add this machine to a cluster that exists: `clusterdctl invite` on one of its machines\n\
             prints what `clusterdctl join` takes here on standard input.",
            unit = layout.unit,
            proxy = layout.unit.replace("clusterd", "proxyd"),
        ));
    }
    Ok(code::OK)
}

/// Lets clusterd make the identity, as the user that will use it.
fn make_identity(layout: &Layout, (uid, gid): Owner) -> Result<String, Failure> {
    let program = check::program(Daemon::Clusterd).ok_or_else(|| {
        Failure::Setup("clusterd is not installed here, so it cannot make an identity".to_owned())
    })?;
    let mut command = Command::new(&program);
    command.arg("--make-identity").arg(&layout.state).stderr(Stdio::inherit());
    if geteuid().is_root() {
        command.uid(uid.as_raw()).gid(gid.as_raw());
    }
    let ran = command.output().map_err(|source| Failure::File {
        attempt: "run",
        path: program,
        source,
    })?;
    if !ran.status.success() {
        return Err(Failure::Setup("clusterd could not make an identity (see above)".to_owned()));
    }
    Ok(String::from_utf8_lossy(&ran.stdout).trim().to_owned())
}
