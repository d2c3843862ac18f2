//! Connections: TCP, the secret's cipher, Noise, Yamux; host names are looked up for each dial.

use std::io;
use std::time::Duration;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::timeout::{TransportTimeout, TransportTimeoutError};
use libp2p::core::transport::{Boxed, Transport, TransportError};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::pnet::{PnetConfig, PreSharedKey};
use libp2p::{PeerId, dns, noise, tcp, yamux};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::TcpUserTimeout;
use thiserror::Error;
use tokio::time::timeout;

use super::traffic::{Meter, Metered};

#[cfg(test)]
mod tests;

/// Look-up of the name and the TCP connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The first 24 bytes of the other side.
const NONCE_TIMEOUT: Duration = Duration::from_secs(5);

/// All of it: whoever reaches this was past the two above, and stuck in the handshake.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(20);

/// For the other machine to acknowledge what was sent: TCP alone would try for a quarter of an hour, and
/// even closing a connection would wait that long.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(30);

/// Streams on one connection. Far above what the protocols allow together, because one stream more ends
/// the connection. What a stream buffers is bounded by its window: 256 kB, more only where the line needs it.
const STREAMS_PER_CONNECTION_MAX: usize = 1024;

/// How far a connection came that failed.
#[derive(Debug, Error)]
pub(super) enum ConnectError {
    /// Nobody is there, or the name is unknown.
    #[error("cannot connect: {0}")]
    Unreachable(String),
    /// Someone accepted and then said nothing at all.
    #[error("connected, but the other side said nothing: {0}")]
    Silent(String),
    /// What came made no sense: with different secrets each side reads noise.
    #[error("the handshake failed: {0}")]
    Handshake(String),
}

/// Whether this failure is what different secrets look like.
pub(super) fn is_handshake_failure(error: &TransportError<io::Error>) -> bool {
    let TransportError::Other(error) = error else { return false };
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<ConnectError>());
    match cause {
        Some(ConnectError::Handshake(_)) => true,
        Some(ConnectError::Unreachable(_) | ConnectError::Silent(_)) | None => false,
    }
}

/// The transport of a private network; `meter` counts what goes over its streams.
///
/// # Errors
/// When the key cannot sign.
pub(super) fn build(
    keypair: &Keypair,
    secret: [u8; 32],
    meter: Meter,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, noise::Error> {
    let cipher = PnetConfig::new(PreSharedKey::new(secret));
    let mut muxer = yamux::Config::default();
    muxer.set_max_num_streams(STREAMS_PER_CONNECTION_MAX);
    let reach = TransportTimeout::new(resolving(), CONNECT_TIMEOUT)
        .map_err(|error| ConnectError::Unreachable(words(&error)));
    let hide = reach
        .and_then(move |socket, _| async move {
            limit_silence(&socket);
            match timeout(NONCE_TIMEOUT, cipher.handshake(socket)).await {
                Ok(Ok(hidden)) => Ok(hidden),
                Ok(Err(error)) => Err(ConnectError::Silent(error.to_string())),
                Err(_) => Err(ConnectError::Silent("time-out".to_owned())),
            }
        })
        .map_err(|error| error.into_inner());
    let upgraded = hide
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(keypair)?)
        .multiplex(muxer)
        .timeout(UPGRADE_TIMEOUT)
        .map(move |(peer, muxer), _| {
            (peer, StreamMuxerBox::new(Metered::new(muxer, meter.clone())))
        })
        .map_err(|error| match error {
            TransportTimeoutError::Other(stage) => stage.either(
                |before| before.either(|own| own, |noise| ConnectError::Handshake(words(&noise))),
                |muxer| ConnectError::Handshake(words(&muxer)),
            ),
            TransportTimeoutError::Timeout => ConnectError::Handshake("time-out".to_owned()),
            TransportTimeoutError::TimerError(error) => ConnectError::Unreachable(words(&error)),
        });
    Ok(upgraded.boxed())
}

type Tcp = tcp::tokio::Transport;

/// TCP behind the system's name servers. Without usable ones addresses with names fail, no others.
fn resolving() -> dns::tokio::Transport<Tcp> {
    let tcp = || Tcp::new(tcp::Config::new().nodelay(true));
    dns::tokio::Transport::system(tcp()).unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot read the settings of name servers; only /ip4 and /ip6 peers can be reached");
        let nobody = dns::ResolverConfig::from_parts(None, Vec::new(), Vec::new());
        dns::tokio::Transport::custom(tcp(), nobody, dns::ResolverOpts::default())
    })
}

fn limit_silence(socket: &tcp::tokio::TcpStream) {
    let limit = u32::try_from(ACKNOWLEDGED_WITHIN.as_millis()).unwrap_or(u32::MAX);
    if let Err(error) = setsockopt(&socket.0, TcpUserTimeout, &limit) {
        tracing::debug!(%error, "a lost connection will be noticed late");
    }
}

/// The last cause's words say most.
fn words(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}
