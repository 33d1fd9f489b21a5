//! Who is at the other end, as the kernel says, and what they may do.

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

use super::ask::Right;
use crate::config::Control;

/// Who is at the other end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer {
    /// The user.
    pub uid: u32,
    /// The group that the process runs as.
    pub gid: u32,
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "uid {}", self.uid)
    }
}

/// Whether a peer has a right. Looks groups up in the system's databases, which may block.
///
/// # Errors
/// What is missing, and where it is configured.
pub(super) fn allowed(peer: Peer, right: Right, control: &Control) -> Result<(), String> {
    let own = rustix::process::geteuid().as_raw();
    if peer.uid == 0 || peer.uid == own {
        return Ok(());
    }
    let groups: Vec<&str> = match right {
        // Whoever may act may look.
        Right::View => [&control.view_group, &control.operate_group]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect(),
        Right::Operate => control.operate_group.iter().map(String::as_str).collect(),
    };
    if groups.iter().any(|group| is_member(peer, group)) {
        return Ok(());
    }
    let (key, what) = match right {
        Right::View => ("view-group", "look"),
        Right::Operate => ("operate-group", "do this"),
    };
    Err(match groups.as_slice() {
        [] => format!("only root may {what}: `{key}` in [control] names no group"),
        [first, ..] => format!(
            "only root and members of the group \"{first}\" may {what}; ask an administrator to add you, and log in again"
        ),
    })
}

fn is_member(peer: Peer, name: &str) -> bool {
    let Ok(Some(group)) = Group::from_name(name) else {
        return false;
    };
    if group.gid.as_raw() == peer.gid {
        return true;
    }
    // By its own record: what the process says of its other groups is not asked.
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(peer.uid)) else {
        return false;
    };
    let Ok(login) = std::ffi::CString::new(user.name) else {
        return false;
    };
    getgrouplist(&login, user.gid).is_ok_and(|all: Vec<Gid>| all.contains(&group.gid))
}
