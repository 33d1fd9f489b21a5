//! Faults that a test orders: which operation fails, when, and how.

/// How a call fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Harm {
    /// It takes effect, and the answer never comes: the client's time runs out.
    HangAfter,
    /// It takes no effect, and no answer comes.
    HangBefore,
    /// It takes effect, and the connection breaks instead of an answer.
    CutAfter,
    /// It takes no effect, and the connection breaks.
    CutBefore,
    /// It takes no effect; this status with an HTML page.
    Status(u16),
    /// It takes no effect: 429 with this many seconds in `Retry-After`.
    Throttle(u64),
    /// It takes no effect: an HTML login page with status 200, as proxies and portals send.
    LoginPage,
    /// Every session and token ends first; then the call is answered as usual.
    Expire,
}

/// A fault: after `skip` calls of the operation, the next `times` ones fail.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The operation by the simulator's name for it; `*` is any.
    pub operation: &'static str,
    /// So many go well first.
    pub skip: usize,
    /// So many fail then.
    pub times: usize,
    /// How.
    pub harm: Harm,
}

/// The harm that comes to a call now, if any.
pub fn harm(faults: &mut Vec<Fault>, operation: &str) -> Option<Harm> {
    let matching = |fault: &&mut Fault| fault.operation == "*" || fault.operation == operation;
    let fault = faults.iter_mut().find(matching)?;
    if fault.skip > 0 {
        fault.skip -= 1;
        return None;
    }
    fault.times = fault.times.saturating_sub(1);
    let harm = fault.harm;
    faults.retain(|fault| fault.times > 0);
    Some(harm)
}
