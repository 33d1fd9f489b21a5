//! The one reader of the system's randomness: passwords, nonces and names of instances all come from here.
//!
//! There is no fallback and no generator of our own: without randomness nothing secret is made.

use rand::TryRng as _;
use rand::rngs::SysRng;

/// The system gave no randomness.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the system gives no randomness ({0}); nothing secret can be made without it")]
pub struct NoRandomness(String);

/// Fills bytes from the system's generator.
///
/// # Errors
/// When the system refuses.
pub fn fill(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    SysRng
        .try_fill_bytes(bytes)
        .map_err(|why| NoRandomness(why.to_string()))
}

/// As [`fill`], as an array.
///
/// # Errors
/// As [`fill`].
pub fn array<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_differs() {
        let (a, b): ([u8; 32], [u8; 32]) = (array().unwrap(), array().unwrap());
        assert_ne!(a, b);
        assert_ne!(a, [0; 32]);
    }
}
