//! Free ports of the loopback.

use std::{collections::BTreeSet, net::TcpListener, sync::Mutex};

static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port that is free now and was not given to another server of this process.
///
/// Somebody else on the machine can still take it first; who starts a server tries again then.
pub fn free() -> u16 {
    let mut given = GIVEN.lock().expect("no test panics while it holds this");
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
        let port = listener
            .local_addr()
            .expect("a bound socket has an address")
            .port();
        if given.insert(port) {
            return port;
        }
    }
}
