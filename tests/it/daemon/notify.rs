//! What systemd hears.

use std::os::unix::net::UnixDatagram;

use super::{LIMIT, Service};
use crate::company::Company;

struct Ear {
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Ear {
    fn new(company: &Company) -> Self {
        let socket = UnixDatagram::bind(company.dir().join("notify")).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        Self {
            socket,
            heard: Vec::new(),
        }
    }

    /// Listens until a line is heard, and returns everything heard until then, in order.
    fn until(&mut self, line: &str) -> Vec<String> {
        let mut bytes = [0; 4096];
        loop {
            let n = self
                .socket
                .recv(&mut bytes)
                .unwrap_or_else(|e| panic!("{line}: {e}: {:?}", self.heard));
            let text = String::from_utf8(bytes[..n].to_vec()).unwrap();
            self.heard.extend(text.lines().map(str::to_owned));
            if self.heard.iter().any(|one| one.starts_with(line)) {
                return std::mem::take(&mut self.heard);
            }
        }
    }
}

#[test]
fn systemd_hears_of_readiness_reloads_progress_and_the_end() {
    let mut company = Company::new(4);
    company.publish();
    let mut ear = Ear::new(&company);
    let path = company.dir().join("notify");
    let mut service = Service::spawn(&company, "2026-11-22T12:00:00Z", |command| {
        let pid = "WATCHDOG_USEC";
        command.env("NOTIFY_SOCKET", &path).env(pid, "300000")
    });
    let heard = ear.until("READY=1");
    assert!(
        heard.iter().any(|line| line.starts_with("STATUS=")),
        "{heard:?}"
    );
    ear.until("WATCHDOG=1");
    ear.until("STATUS=app: applied");
    service.signal("HUP");
    let heard = ear.until("READY=1");
    let reloading = heard.iter().position(|line| line == "RELOADING=1").unwrap();
    assert!(
        heard[reloading + 1].starts_with("MONOTONIC_USEC="),
        "{heard:?}"
    );
    // A bad file: told in the status, and ready again.
    company.service = "[schedule]\nsync = \"never ever\"".to_owned();
    company.publish();
    service.signal("HUP");
    let heard = ear.until("READY=1");
    assert!(heard.contains(&"RELOADING=1".to_owned()));
    let said = heard
        .iter()
        .any(|line| line.starts_with("STATUS=the configuration file has errors"));
    assert!(said, "{heard:?}");
    service.signal("TERM");
    ear.until("STOPPING=1");
    assert_eq!(service.ended(), Some(0));
}

#[test]
fn a_bad_configuration_is_no_reason_to_start_again() {
    let mut company = Company::new(4);
    company.service = "[schedule]\nzone = \"Mars\"".to_owned();
    company.publish();
    let mut service = Service::spawn(&company, "2026-11-22T12:00:00Z", |command| command);
    assert_eq!(service.ended(), Some(78), "{}", service.log());
}
