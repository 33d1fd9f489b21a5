//! SIMULATORS of applications that nobody here can reach: each behaves as the application is documented, and every fact
//! that no document settles is a switch. They prove that Provost keeps to what is known; they prove nothing about the
//! application itself. Where a real server differs, the server is right.
//!
//! Each is a server on the loopback with a free port of its own, a clock of its own, and a ledger of every effective
//! change and every mail. The tests compare that ledger with what was wanted.

pub mod emdecs;
pub mod fault;
pub mod host;
pub mod ledger;
pub mod salestrekker;
pub mod securitytrax;
pub mod servicetrade;
pub mod smartertrack;
pub mod switch;
pub mod wire;

pub use fault::{Fault, Harm};
pub use host::{Application, Sim};
pub use ledger::{Entry, Ledger};
pub use switch::{Label, Setting, Switch, fact};
pub use wire::{Answer, Call};
