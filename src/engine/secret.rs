//! Passwords from the system's randomness.

use secrecy::SecretString;

use super::EngineError;
use crate::random;
use crate::reconcile::password::PasswordPolicy;

/// Makes a password that keeps a policy.
///
/// # Errors
/// When the system gives no randomness, or nothing that can be random.
pub fn password(policy: &PasswordPolicy) -> Result<SecretString, EngineError> {
    let mut why = None;
    let made = policy.generate(&mut |bytes| match random::fill(bytes) {
        Ok(()) => true,
        Err(error) => {
            why = Some(error.to_string());
            false
        }
    });
    made.ok_or_else(|| {
        EngineError::Randomness(why.unwrap_or_else(|| {
            "what the system gives as randomness is not random; no password can be made".to_owned()
        }))
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn passwords_keep_the_policy_and_differ() {
        let policy = PasswordPolicy::default();
        let (a, b) = (password(&policy).unwrap(), password(&policy).unwrap());
        assert!(policy.keeps(a.expose_secret()) && policy.keeps(b.expose_secret()));
        assert_ne!(a.expose_secret(), b.expose_secret());
    }
}
