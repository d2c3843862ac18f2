//! Gives up, for the rest of the process's life, what the unit cannot take away before it starts.
//!
//! The unit's filter must let `execve` through, as it starts the daemon with it, and knows address
//! families but not kinds of sockets.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};
use thiserror::Error;

/// Bits of a socket's kind in the second argument of socket(2); the others are flags.
const KIND: u64 = 0xf;

/// All kinds but streams: datagrams (UDP), raw packets, and those that nobody uses.
const OTHER_KINDS: [libc::c_int; 4] =
    [libc::SOCK_DGRAM, libc::SOCK_RAW, libc::SOCK_RDM, libc::SOCK_SEQPACKET];

/// Nothing that proxyd does needs these: other programs and other processes.
const NEVER: [libc::c_long; 5] = [
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
];

/// The kernel refused the filter, or there is none for this processor.
#[derive(Debug, Error)]
#[error("cannot give up rights that are not needed: {0}")]
pub struct ConfineError(String);

/// From here on this process and its later threads start no program and, unless `looks_names_up`
/// (the C library asks name servers over UDP), open no network socket but TCP.
///
/// # Errors
/// [`ConfineError`]; nothing has changed then.
pub fn confine(looks_names_up: bool) -> Result<(), ConfineError> {
    let program = program(looks_names_up).map_err(|error| ConfineError(error.to_string()))?;
    seccompiler::apply_filter(&program).map_err(|error| ConfineError(error.to_string()))
}

fn program(looks_names_up: bool) -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        NEVER.into_iter().map(|call| (call, Vec::new())).collect();
    if !looks_names_up {
        let sockets = OTHER_KINDS.into_iter().map(network_socket).collect::<Result<_, _>>()?;
        rules.insert(libc::SYS_socket, sockets);
    }
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, SeccompAction::Allow, refused, arch)?.try_into()
}

/// A socket of this kind that is no Unix socket: those lead to the journal and the service manager.
fn network_socket(kind: libc::c_int) -> Result<SeccompRule, seccompiler::BackendError> {
    let is_network = SeccompCondition::new(
        0,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::Ne,
        u64::from(libc::AF_UNIX.unsigned_abs()),
    )?;
    let is_kind = SeccompCondition::new(
        1,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::MaskedEq(KIND),
        u64::from(kind.unsigned_abs()),
    )?;
    SeccompRule::new(vec![is_network, is_kind])
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::UnixDatagram;
    use std::process::Command;

    use super::*;

    /// Runs `f` in a thread of its own: a filter is the thread's, and stays.
    fn apart<T: Send>(f: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| scope.spawn(f).join().unwrap())
    }

    #[test]
    fn no_program_can_be_started_and_no_datagram_sent() {
        apart(|| {
            confine(false).unwrap();
            assert!(Command::new("true").status().is_err());
            assert!(UdpSocket::bind("127.0.0.1:0").is_err());
            UnixDatagram::unbound().unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        });
    }

    #[test]
    fn who_looks_names_up_may_ask_name_servers() {
        apart(|| {
            confine(true).unwrap();
            UdpSocket::bind("127.0.0.1:0").unwrap();
            assert!(Command::new("true").status().is_err());
        });
    }
}
