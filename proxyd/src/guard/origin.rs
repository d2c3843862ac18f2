//! Browser origins of this listener, as Kubo knows its own: the same hosts with another port.

/// Names under which a listener is local to a browser on the same machine. Source: Kubo's default origins.
const LOCAL_HOSTS: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

/// What Kubo's list holds in place of the port when it listens on a Unix socket.
const NO_PORT: &str = "<port>";

/// The ports on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// Of the listener that the client came through.
    pub ours: u16,
    /// Of Kubo's API; `None` behind a Unix socket.
    pub kubos: Option<u16>,
}

impl Ports {
    /// The value of `Origin` for Kubo; `None` when it stays as it is.
    #[must_use]
    pub fn origin(self, value: &str) -> Option<String> {
        let (translated, rest) = self.split(value)?;
        rest.is_empty().then_some(translated)
    }

    /// The value of `Referer` for Kubo; `None` when it stays as it is.
    #[must_use]
    pub fn referer(self, value: &str) -> Option<String> {
        let (translated, rest) = self.split(value)?;
        (rest.is_empty() || rest.starts_with(['/', '?', '#'])).then(|| translated + rest)
    }

    /// `value` with Kubo's port in place of ours, up to the port, and what follows. Letters keep
    /// their case, as Kubo's rules tell them apart and its CORS library does not.
    fn split(self, value: &str) -> Option<(String, &str)> {
        let (scheme, rest) = value.split_once("://")?;
        if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return None;
        }
        LOCAL_HOSTS.iter().find_map(|host| {
            let (given, after) = rest.split_at_checked(host.len())?;
            let after = after.strip_prefix(':')?.strip_prefix(self.ours.to_string().as_str())?;
            if !given.eq_ignore_ascii_case(host) {
                return None;
            }
            let port = self.kubos.map_or_else(|| NO_PORT.to_owned(), |port| port.to_string());
            Some((format!("{scheme}://{given}:{port}"), after))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: Ports = Ports { ours: 9095, kubos: Some(5001) };

    #[test]
    fn local_origins_get_kubos_port() {
        for host in LOCAL_HOSTS {
            let ours = format!("http://{host}:9095");
            assert_eq!(PORTS.origin(&ours), Some(format!("http://{host}:5001")));
        }
        let odd = PORTS.origin("HTTP://LocalHost:9095");
        assert_eq!(odd.as_deref(), Some("HTTP://LocalHost:5001"));
        let behind_a_socket = Ports { ours: 9095, kubos: None };
        let origin = behind_a_socket.origin("https://localhost:9095");
        assert_eq!(origin.as_deref(), Some("https://localhost:<port>"));
    }

    #[test]
    fn everything_else_stays_for_kubo_to_judge() {
        for other in [
            "http://evil.example",
            "http://127.0.0.1:90951",
            "http://127.0.0.1:9095/",
            "http://127.0.0.1",
            "null",
            "http://localhost:9095.evil.example",
        ] {
            assert_eq!(PORTS.origin(other), None, "{other}");
        }
    }

    #[test]
    fn a_referer_keeps_its_path() {
        let referer = PORTS.referer("http://127.0.0.1:9095/webui/#/files");
        assert_eq!(referer.as_deref(), Some("http://127.0.0.1:5001/webui/#/files"));
        assert_eq!(PORTS.referer("http://127.0.0.1:90951/x"), None);
    }
}
