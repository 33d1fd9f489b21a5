//! How the process takes memory from the kernel.

/// Takes memory page by page. The allocator otherwise asks for 2 MiB at once, for each thread anew, and nearly all that it
/// asks for is cleared for nothing: people and changes are small values.
pub(super) fn page_by_page() {
    if let Err(error) = nix::sys::prctl::set_thp_disable(true) {
        tracing::debug!(%error, "memory comes in large pages");
    }
}
