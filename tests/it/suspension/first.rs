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
