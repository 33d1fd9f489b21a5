//! A company of 1,000 in three time zones lives through eight days with two changes of clocks: the real service between
//! two servers that nobody here wrote. At each edge the application's own view is what the policies say, by an oracle
//! that walks the wall clock minute by minute.

mod policy;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use self::policy::{Policies, Staff};
use super::between::Between;
use crate::cycle::entries;

const PEOPLE: u32 = 1000;
/// Saturday. Clocks go back in Berlin the night after, in New York eight nights later.
const BEGIN: &str = "2026-10-24T12:00:00Z";
/// The three places of work, each with a third of the people.
const PLACES: [&str; 3] = ["Berlin", "New York", "Mumbai"];

/// What the application shows of everybody: whether they may get in, and when their account was last written.
type View = BTreeMap<String, (bool, String)>;

/// Directory, application and service, and who there is.
struct World {
    between: Between,
    staff: Vec<Staff>,
}

impl World {
    fn new() -> Self {
        let between = Between::people(PEOPLE);
        let ldap = &between.ldap;
        let mut moves = String::new();
        for number in 20..PEOPLE {
            let place = PLACES[number as usize % PLACES.len()];
            moves.push_str(&format!(
                "dn: uid=u{number:06},{}\nchangetype: modify\nreplace: l\nl: {place}\n\n",
                ldap.people_base
            ));
        }
        ldap.modify(&moves);
        let filter = "(objectClass=inetOrgPerson)";
        let found = ldap.search(&["-E", "pr=500/noprompt", filter, "*", "+"]);
        let staff: Vec<Staff> = entries(&found).iter().map(Staff::of).collect();
        assert_eq!(staff.len(), PEOPLE as usize);
        // Newcomers are many here. Suspensions have their usual limits: what the clock does was foretold.
        let tables = format!(
            "[target.limits]\ncreate = {{ count = 1000, percent = 100 }}\n\n{}",
            Policies::text(&ldap.people_base)
        );
        between.configure("0 */6 * * *", "parallelism = 8", &tables);
        Self { between, staff }
    }

    /// What the application says itself.
    fn view(&self) -> View {
        let users = self.between.scim.users();
        let mut view = View::new();
        for user in users {
            let name = user["userName"].as_str().unwrap().to_owned();
            let written = user["meta"]["lastModified"].as_str().unwrap().to_owned();
            let active = user["active"].as_bool().unwrap();
            let twice = view.insert(name.clone(), (active, written));
            assert_eq!(twice, None, "{name} has two accounts");
        }
        view
    }

    /// Who should get in.
    fn wanted(&self, policies: &Policies, at: i64) -> BTreeSet<String> {
        let open = self.staff.iter().filter(|one| policies.let_in(one, at));
        open.map(|one| one.login.clone()).collect()
    }
}

fn active(view: &View) -> BTreeSet<String> {
    let open = view.iter().filter(|(_, (active, _))| *active);
    open.map(|(name, _)| name.clone()).collect()
}

/// Whose accounts were written between two looks.
fn written(before: &View, after: &View) -> BTreeSet<String> {
    let new = after
        .iter()
        .filter(|(name, now)| before.get(*name).is_none_or(|then| then.1 != now.1));
    new.map(|(name, _)| name.clone()).collect()
}

fn difference(a: &BTreeSet<String>, b: &BTreeSet<String>) -> Vec<String> {
    a.symmetric_difference(b).take(20).cloned().collect()
}

fn moment(second: i64) -> String {
    Timestamp::from_second(second).unwrap().to_string()
}

#[test]
fn a_thousand_people_in_three_zones_are_let_in_and_out_to_the_second_for_eight_days() {
    let world = World::new();
    let begin = BEGIN.parse::<Timestamp>().unwrap().as_second();
    let policies = Policies::new(begin, 9);
    let edges = policies.edges(begin, begin + 8 * 86_400);
    for night in ["2026-10-25T00:30:00Z", "2026-11-01T06:30:00Z"] {
        let night = night.parse::<Timestamp>().unwrap().as_second();
        assert!(edges.contains(&night), "nothing happens at {night}");
    }
    let service = world.between.service(BEGIN);
    service.await_rest(BEGIN);
    let mut before = world.view();
    let mut open = world.wanted(&policies, begin);
    assert_eq!(active(&before), open, "{}", service.log());
    let (mut moved, mut largest) = (0, 0);
    for (step, edge) in edges.iter().enumerate() {
        if step % 5 == 0 {
            // Nobody is let in or out a second early, and nothing else is written either.
            let early = moment(edge - 1);
            service.clock(&early);
            service.await_rest(&early);
            let view = world.view();
            assert!(view == before, "{early}: {:?}", written(&before, &view));
        }
        let now = moment(*edge);
        service.clock(&now);
        service.await_rest(&now);
        let view = world.view();
        let should = world.wanted(&policies, *edge);
        let wrong = difference(&active(&view), &should);
        assert!(wrong.is_empty(), "{now}: {wrong:?}\n{}", service.log());
        // One write for each whose access changed, and none for anybody else.
        let turned: BTreeSet<String> = open.symmetric_difference(&should).cloned().collect();
        let extra = difference(&written(&before, &view), &turned);
        assert!(extra.is_empty(), "{now}: {extra:?}\n{}", service.log());
        moved += turned.len();
        largest = largest.max(turned.len());
        (before, open) = (view, should);
    }
    // The clock was wrong, and is set: back into an evening, forward over a night, back again.
    for now in [
        "2026-10-30T19:00:00Z",
        "2026-11-01T11:00:00Z",
        "2026-10-31T11:30:00Z",
    ] {
        service.clock(now);
        service.await_rest(now);
        let at = now.parse::<Timestamp>().unwrap().as_second();
        let wrong = difference(&active(&world.view()), &world.wanted(&policies, at));
        assert!(wrong.is_empty(), "{now}: {wrong:?}\n{}", service.log());
    }
    assert!(edges.len() > 50, "only {} edges", edges.len());
    assert!(moved > 8 * 1000 && largest > 250, "{moved}, {largest}");
}
