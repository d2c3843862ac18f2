//! The web's own proxies, one process and one thread each, as an operator would set them up.

use std::fs;
use std::path::Path;
use std::process::Command;

use harness::error::HarnessError;
use harness::ports::Port;
use harness::program::Program;
use harness::wait;

use crate::BenchError;

/// A running haproxy or nginx.
#[derive(Debug)]
pub(crate) struct Proxy {
    /// The one process that does the work.
    pub(crate) program: Program,
    port: Port,
}

impl Proxy {
    /// haproxy before `upstream`; `more` are lines of its `global` and of its `defaults` section.
    ///
    /// # Errors
    /// When it is missing or does not start.
    pub(crate) fn haproxy(
        directory: &Path,
        upstream: u16,
        more: [&str; 2],
    ) -> Result<Self, BenchError> {
        let port = Port::reserve()?;
        let [global, defaults] = more;
        let settings = format!(
            "global\n nbthread 1\n maxconn 4096\n {global}\n\
             defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n \
             {defaults}\n\
             frontend clients\n bind 127.0.0.1:{}\n default_backend kubo\n\
             backend kubo\n server kubo 127.0.0.1:{upstream}\n",
            port.number()
        );
        let file = directory.join(format!("haproxy-{}.cfg", port.number()));
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(&file);
        Self::start("haproxy", command, &file, &settings, port)
    }

    /// nginx before `upstream`, told not to buffer, as is right before a Kubo.
    ///
    /// # Errors
    /// When it is missing or does not start.
    pub(crate) fn nginx(directory: &Path, upstream: u16) -> Result<Self, BenchError> {
        let server = "proxy_pass http://kubo;\n proxy_http_version 1.1;\n \
             proxy_set_header Connection \"\";\n proxy_buffering off;\n \
             proxy_request_buffering off;\n";
        let kubo = format!("upstream kubo {{ server 127.0.0.1:{upstream}; keepalive 64; }}\n");
        Self::nginx_with(directory, &kubo, server)
    }

    /// nginx alone: the fastest thing here that answers small requests.
    ///
    /// # Errors
    /// As [`Proxy::nginx`].
    pub(crate) fn fast_upstream(directory: &Path) -> Result<Self, BenchError> {
        // What Kubo answers to `version`, about as long.
        let answer = r#"{"Version":"0.42.0","Commit":"","Repo":"18","System":"amd64/linux","Golang":"go1.26"}"#;
        let server = format!("default_type application/json;\n return 200 '{answer}';\n");
        Self::nginx_with(directory, "", &server)
    }

    fn nginx_with(directory: &Path, http: &str, location: &str) -> Result<Self, BenchError> {
        let port = Port::reserve()?;
        let home = directory.join(format!("nginx-{}", port.number()));
        fs::create_dir_all(&home).map_err(HarnessError::io("make nginx's directory"))?;
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {};\n", home.join(name).display()))
            .concat();
        // One process, with connections kept however long the load lasts.
        let settings = format!(
            "daemon off;\nmaster_process off;\nworker_processes 1;\npid {}/pid;\n\
             events {{ worker_connections 4096; }}\n\
             http {{\n access_log off;\n client_max_body_size 0;\n keepalive_requests 100000000;\n\
             {temporary}{http}server {{\n listen 127.0.0.1:{};\n location / {{\n {location} }}\n }}\n}}\n",
            home.display(),
            port.number()
        );
        let file = home.join("nginx.conf");
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&home).arg("-e").arg(home.join("error.log")).arg("-c").arg(&file);
        Self::start("nginx", command, &file, &settings, port)
    }

    fn start(
        name: &'static str,
        command: Command,
        file: &Path,
        settings: &str,
        port: Port,
    ) -> Result<Self, BenchError> {
        fs::write(file, settings).map_err(HarnessError::io(format!("write {}", file.display())))?;
        let found = Command::new(name).arg("-v").output().is_ok();
        if !found {
            return Err(BenchError::tool(name));
        }
        let mut program = Program::start(name, command, &file.with_extension("log"))?;
        wait::until(&format!("{name} to listen"), wait::START_MAX, || {
            if let Err(ended) = program.check_running() {
                return Some(Err(ended));
            }
            std::net::TcpStream::connect(("127.0.0.1", port.number())).ok().map(|_| Ok(()))
        })??;
        Ok(Self { program, port })
    }

    /// The port that it serves.
    pub(crate) fn port(&self) -> u16 {
        self.port.number()
    }
}
