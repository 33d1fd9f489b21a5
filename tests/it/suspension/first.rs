//! First passwords that an application refuses.

use super::durable::{post_to, told};
use super::*;
use crate::support::{Cert, Smtp};

#[test]
fn a_refused_first_password_is_told_to_nobody_and_followed_by_another() {
    let post = Smtp::start("starttls", Cert::Good);
    let mut company = company("reset");
    company.tables += &post_to(&post, &company);
    company.break_with(&["refuse=set-password"]);
    company.publish();
    let refused = run(&company, &["sync"]);
    let text = stdout(&refused);
    assert!(
        text.contains("the first password could not be set"),
        "{text}"
    );
    assert_eq!(told(&post), Vec::<String>::new(), "{text}");
    let first = sealed(&company, Purpose::Initial).unwrap();
    assert_eq!(shadow(&company).password.state, PasswordState::Pending);
    // Lost answers are another matter: the same value again.
    company.break_with(&["lose-answer-of=set-password"]);
    company.publish();
    run(&company, &["sync"]);
    let second = sealed(&company, Purpose::Initial).unwrap();
    assert_ne!(first.expose_secret(), second.expose_secret());
    let inside = practice(&company).inside(&id(&company)).unwrap();
    assert!(inside.is(&id(&company), second.expose_secret()));
    assert_eq!(told(&post), Vec::<String>::new());
    company.break_with(&[]);
    company.publish();
    settle(&company, "it takes them");
    assert_eq!(told(&post), [second.expose_secret()]);
    assert_eq!(signs_in(&company, &second), SignIn::MustChange);
    settle(&company, "once more");
    assert!(
        sealed(&company, Purpose::Initial).is_none(),
        "nobody needs any of them"
    );
    nowhere(&company, &[&refused], &first);
}

#[test]
fn a_kept_password_that_was_refused_again_and_again_fills_no_vault() {
    let mut company = company("managed");
    company.break_with(&["refuse=set-password"]);
    company.publish();
    for _ in 0..4 {
        run(&company, &["sync"]);
    }
    let number = || {
        let copy = copy(&company);
        let labels = vault(&copy).labels().unwrap();
        labels.iter().filter(|one| one.anchor == who()).count()
    };
    assert!((1..=2).contains(&number()), "{} of four", number());
    company.break_with(&[]);
    company.publish();
    settle(&company, "it takes them");
    settle(&company, "once more");
    let copy = copy(&company);
    let labels = vault(&copy).labels().unwrap();
    let left: Vec<_> = labels.iter().filter(|one| one.anchor == who()).collect();
    assert_eq!(left.len(), 1, "{left:?}");
    let kept = sealed(&company, Purpose::Managed).unwrap();
    assert_eq!(signs_in(&company, &kept), SignIn::In);
}
