use secrecy::ExposeSecret as _;

use super::*;

/// A small generator, so that the same test always sees the same passwords (splitmix64).
fn source(mut state: u64) -> impl FnMut(&mut [u8]) -> bool {
    move |bytes| {
        for chunk in bytes.chunks_mut(8) {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            for (to, from) in chunk.iter_mut().zip((z ^ (z >> 31)).to_le_bytes()) {
                *to = from;
            }
        }
        true
    }
}

fn small(length: usize, symbols: &str) -> PasswordPolicy {
    PasswordPolicy {
        length,
        classes: BTreeMap::from([(Class::Symbol, 0), (Class::Digit, 2)]),
        symbols: symbols.to_owned(),
        forbidden: "3456789".to_owned(),
        no_ambiguous: false,
        max_repeat: Some(2),
        begin_with_letter: false,
    }
}

/// Every text over the alphabet, one by one.
fn brute_force(policy: &PasswordPolicy) -> f64 {
    let alphabet = policy.alphabet();
    let mut count = 0.0;
    for n in 0..alphabet.len().pow(u32::try_from(policy.length).unwrap()) {
        let mut rest = n;
        let mut text = String::new();
        for _ in 0..policy.length {
            text.push(alphabet[rest % alphabet.len()].0);
            rest /= alphabet.len();
        }
        count += f64::from(u8::from(policy.keeps(&text)));
    }
    count
}

#[test]
fn passwords_are_counted_exactly() {
    for length in 1..=6 {
        for max_repeat in [None, Some(1), Some(2), Some(3)] {
            for least in [0, 1, 3] {
                let mut policy = small(length, "!#a");
                policy.symbols = "!#".to_owned();
                policy.max_repeat = max_repeat;
                policy.classes.insert(Class::Symbol, least);
                let counts = count::up_to(&policy, length);
                assert_eq!(counts.len(), length + 1);
                assert!(
                    (counts[length] - brute_force(&policy)).abs() < 0.5,
                    "{policy:?}"
                );
            }
        }
    }
    let mut letters = small(5, "");
    letters.classes = BTreeMap::from([(Class::Lower, 1), (Class::Digit, 1)]);
    letters.forbidden = "abcdefghijklmnopqrstuvw012345".to_owned();
    letters.begin_with_letter = true;
    let counted = count::up_to(&letters, 5)[5];
    assert!((counted - brute_force(&letters)).abs() < 0.5);
}

#[test]
fn the_default_is_strong_and_weak_ones_are_told_what_helps() {
    let bits = PasswordPolicy::default().prove().unwrap();
    assert!((140.0..150.0).contains(&bits), "{bits}");
    let short = PasswordPolicy {
        length: 16,
        ..PasswordPolicy::default()
    };
    let PolicyError::Weak { bits, enough } = short.prove().unwrap_err() else {
        panic!("it is weak");
    };
    assert!((90.0..100.0).contains(&bits), "{bits}");
    let enough = PasswordPolicy {
        length: enough.unwrap(),
        ..PasswordPolicy::default()
    };
    assert!(enough.prove().unwrap() >= ENOUGH);
    let one_less = PasswordPolicy {
        length: enough.length - 1,
        ..PasswordPolicy::default()
    };
    assert!(one_less.prove().is_err());
    let said = one_less.prove().unwrap_err().to_string();
    assert!(
        said.contains(&format!("length = {}", enough.length)),
        "{said}"
    );
}

#[test]
fn rules_that_contradict_are_refused() {
    let none = PasswordPolicy {
        forbidden: "0123456789".to_owned(),
        ..PasswordPolicy::default()
    };
    assert_eq!(none.prove(), Err(PolicyError::Empty("digit")));
    let demanding = |length| PasswordPolicy {
        length,
        classes: BTreeMap::from([(Class::Digit, 5), (Class::Symbol, 5), (Class::Lower, 0)]),
        ..PasswordPolicy::default()
    };
    assert!(demanding(30).prove().is_ok());
    assert_eq!(demanding(10).prove(), Err(PolicyError::Contradictory(10)));
    assert_eq!(small(1, "!").prove(), Err(PolicyError::Contradictory(1)));
}

#[test]
fn a_hundred_thousand_passwords_keep_their_policies_and_are_spread_evenly() {
    let policies = [
        PasswordPolicy::default(),
        PasswordPolicy {
            length: 30,
            classes: BTreeMap::from([(Class::Lower, 2), (Class::Digit, 4)]),
            max_repeat: Some(1),
            ..PasswordPolicy::default()
        },
        PasswordPolicy {
            length: 20,
            symbols: "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~".to_owned(),
            forbidden: "\"'\\<&".to_owned(),
            no_ambiguous: false,
            max_repeat: None,
            begin_with_letter: false,
            ..PasswordPolicy::default()
        },
        PasswordPolicy {
            length: 40,
            classes: BTreeMap::from([(Class::Digit, 0)]),
            begin_with_letter: false,
            no_ambiguous: false,
            ..PasswordPolicy::default()
        },
    ];
    let mut random = source(20_261_122);
    for policy in policies {
        policy.prove().unwrap();
        let mut seen: BTreeMap<char, f64> = BTreeMap::new();
        for _ in 0..25_000 {
            let password = policy.generate(&mut random).unwrap();
            let password = password.expose_secret();
            assert!(policy.keeps(password));
            // The last character is bound by hardly any rule.
            *seen.entry(password.chars().last().unwrap()).or_default() += 1.0;
        }
        let alphabet = policy.alphabet();
        assert_eq!(seen.len(), alphabet.len(), "every character is used");
        let expected = 25_000.0 / f64::from(u32::try_from(alphabet.len()).unwrap());
        let chi: f64 = seen
            .values()
            .map(|n| (n - expected).powi(2) / expected)
            .sum();
        let freedom = f64::from(u32::try_from(alphabet.len() - 1).unwrap());
        // Six standard deviations; the rules shift the last character by less than that.
        assert!(
            chi < freedom + 6.0 * (2.0 * freedom).sqrt(),
            "{chi} {freedom}"
        );
    }
}

#[test]
fn without_randomness_there_is_no_password() {
    let policy = PasswordPolicy::default();
    assert!(policy.generate(&mut |_| false).is_none());
    let stuck = policy.generate(&mut |bytes| {
        bytes.fill(7);
        true
    });
    assert!(stuck.is_none());
}
