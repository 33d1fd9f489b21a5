//! A mail server that nobody here wrote (aiosmtpd), and what it took.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

use super::{
    Cert, PASSWORD, ports,
    process::{Server, script, state_dir},
    secrets,
    tls::ca_pem,
};

/// A running mail server.
#[derive(Debug)]
pub struct Smtp {
    server: Server,
    folder: PathBuf,
    /// Where it listens, on localhost.
    pub port: u16,
}

impl Smtp {
    /// Starts one: "starttls", "tls" or "plain".
    pub fn start(security: &str, cert: Cert) -> Self {
        let mut failed = String::new();
        for _ in 0..3 {
            match Self::try_start(security, cert) {
                Ok(up) => return up,
                Err(log) => failed = log, // most likely somebody took the port; another one then
            }
        }
        panic!("the mail server does not start:\n{failed}")
    }

    fn try_start(security: &str, cert: Cert) -> Result<Self, String> {
        let dir = state_dir("smtp");
        let folder = dir.path().to_owned();
        let port = ports::free();
        let mut serve = script("smtp", dir.path());
        serve
            .args([security, cert.word()])
            .env("PORT", port.to_string());
        let mut up = Self {
            server: Server::start(&serve, dir, &[]),
            folder,
            port,
        };
        up.server.wait_until(Duration::from_secs(60), || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        })?;
        Ok(up)
    }

    /// The table that has letters sent to it, without the letters; its password becomes a file in this folder.
    pub fn table(&self, dir: &Path) -> String {
        format!(
            "\n[delivery]\ntype = \"smtp\"\nhost = \"localhost\"\nport = {}\nca-file = \"{}\"\nuser = \"provost\"\n\
             password = \"{}\"\nfrom = \"accounts@example.com\"\n",
            self.port,
            ca_pem().display(),
            secrets::put(dir, "smtp.secret", PASSWORD)
        )
    }

    /// What it does wrong from now on: "grey", "unknown", "drop", "keep-and-drop", or "" for nothing.
    pub fn fault(&self, what: &str) {
        fs::write(self.folder.join("fault"), what).expect("the server's folder is there");
    }

    /// The mails that it took, in the order of arrival.
    pub fn mails(&self) -> Vec<Value> {
        let mut paths: Vec<_> = fs::read_dir(self.folder.join("mails"))
            .expect("the server's folder is there")
            .map(|entry| entry.expect("it can be listed").path())
            .filter(|path| path.extension().is_some_and(|e| e == "json"))
            .collect();
        paths.sort();
        paths
            .iter()
            .map(|path| serde_json::from_slice(&fs::read(path).expect("whole")).expect("JSON"))
            .collect()
    }

    /// Ends it, as a crash would.
    pub fn kill(&mut self) {
        self.server.kill();
    }
}
