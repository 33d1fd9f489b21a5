//! Windows that close by a fuzzed password, with the real service and a clock that the test moves.

use provost::model::PasswordState;
use provost::store::Purpose;
use provost::target::sandbox::SignIn;
use secrecy::ExposeSecret as _;

use super::{CAN, id, practice, sealed, shadow, signs_in};
use crate::company::{Company, OFFICE, QUIET};
use crate::daemon::Service;
use crate::support::secrets;

fn company() -> Company {
    let mut company = Company::new(6);
    company.extra = "review-first-run = false\nledger = true\ncredentials = \"managed\"\n\
         suspend-with = [\"fuzz-password\", \"revoke-sessions\"]";
    company.mapping = company.mapping.replace("adopt = true", "adopt = false");
    company.can = CAN;
    company.tables = OFFICE.to_owned() + &secrets::table(company.dir());
    company.service = QUIET.to_owned();
    company.publish();
    company
}

#[test]
fn a_password_is_fuzzed_each_evening_and_set_back_each_morning() {
    let company = company();
    let noon = "2026-11-23T12:00:00Z";
    let service = Service::start(&company, noon);
    service.await_rest(noon);
    let own = sealed(&company, Purpose::Managed).unwrap();
    assert_eq!(signs_in(&company, &own), SignIn::In);
    for day in ["2026-11-23", "2026-11-24", "2026-11-25"] {
        let now = format!("{day}T16:59:59Z");
        service.clock(&now);
        service.await_rest(&now);
        assert_eq!(signs_in(&company, &own), SignIn::In, "{now}");
        let now = format!("{day}T17:00:00Z");
        service.clock(&now);
        service.await_rest(&now);
        assert_ne!(signs_in(&company, &own), SignIn::In, "{now}");
        assert_eq!(shadow(&company).password.state, PasswordState::Fuzzed);
        assert!(sealed(&company, Purpose::Fuzz).is_none(), "it is forgotten");
        let inside = practice(&company).inside(&id(&company)).unwrap();
        assert!(!inside.is(&id(&company), own.expose_secret()));
        let next = day
            .replace("25", "26")
            .replace("24", "25")
            .replace("23", "24");
        let now = format!("{next}T07:00:00Z");
        service.clock(&now);
        service.await_rest(&now);
        assert_eq!(
            signs_in(&company, &own),
            SignIn::In,
            "{now}: the same one again"
        );
    }
    assert_eq!(
        practice(&company).mails(),
        Ok(Vec::new()),
        "nobody is told a password"
    );
    assert!(!service.log().contains(own.expose_secret()));
}
