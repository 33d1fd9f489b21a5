//! Facts about SmarterTrack that its simulator keeps to.

use super::{call, words};
use crate::support::sim::Label::{Assumed, HelpPage, Observed, Vendor};
use crate::support::sim::smartertrack::{NAMESPACE, SERVICE, SWITCHES, Smartertrack};
use crate::support::sim::{Answer, Application as _, Setting, fact};

fn app(switches: &[(&str, &str)]) -> Smartertrack {
    let mut setting = Setting::first(SWITCHES);
    for (name, option) in switches {
        setting = setting.with(name, option);
    }
    Smartertrack::new(setting)
}

const PATH: &str = "/Services2/svcOrganization.asmx";

/// Sends an envelope of SOAP 1.1 with the parameters as they are.
fn soap(app: &mut Smartertrack, method: &str, password: &str, parameters: &str) -> Answer {
    let envelope = format!(
        "<?xml version=\"1.0\"?><e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body>\
        <{method} xmlns=\"{NAMESPACE}\"><authUserName>{}</authUserName><authPassword>{password}</authPassword>{parameters}\
        </{method}></e:Body></e:Envelope>",
        SERVICE.0
    );
    let action = format!("\"{NAMESPACE}/{method}\"");
    let headers = [
        ("content-type", "text/xml; charset=utf-8"),
        ("soapaction", action.as_str()),
    ];
    app.answer(&call("POST", PATH, &headers, &envelope))
}

const ADA: &str = "<username>ada</username><password>p</password><email>a@example.com</email>\
    <isEmailVerified>true</isEmailVerified><displayName>A &amp; B</displayName>";

#[test]
fn failures_come_with_status_200() {
    let mut app = app(&[]);
    fact(
        Vendor,
        "every method has Message, Result and ResultCode, and HTTP 200 even on failure",
    );
    let made = soap(&mut app, "CreateUser", SERVICE.1, ADA);
    assert!(
        words(&made)
            .contains("<Result>true</Result><ResultCode>0</ResultCode><UserID>101</UserID>")
    );
    let again = soap(&mut app, "CreateUser", SERVICE.1, ADA);
    assert_eq!(again.status, 200);
    assert!(
        words(&again)
            .contains("<Message>The username already exists</Message><Result>false</Result>")
    );
    fact(
        HelpPage,
        "user name, password, e-mail address and display name are required",
    );
    let short = soap(&mut app, "CreateUser", SERVICE.1, "<username>x</username>");
    assert!(words(&short).contains("The password is required"));
    fact(Vendor, "credentials are the first parameters of every call");
    assert!(words(&soap(&mut app, "GetAllAgents", "wrong", "")).contains("Authentication failed"));
    assert_eq!(app.named("ada").unwrap().1.display_name, "A & B");
}

#[test]
fn the_wsdl_tells_which_methods_there_are() {
    fact(Vendor, "the WSDL is at ?WSDL");
    fact(
        Observed,
        "no code shows methods for listing, deleting and roles",
    );
    for (switches, there, absent) in [
        (
            vec![],
            vec!["GetAllUsers", "AddUserToRole"],
            vec!["DeleteUser"],
        ),
        (
            vec![
                ("list", "absent"),
                ("roles", "absent"),
                ("delete", "DeleteUser"),
            ],
            vec!["DeleteUser", "GetAllAgents"],
            vec!["GetAllUsers", "AddUserToRole"],
        ),
    ] {
        let mut app = app(&switches);
        let wsdl = words(&app.answer(&call("GET", &format!("{PATH}?WSDL"), &[], "")));
        for method in there {
            assert!(
                wsdl.contains(&format!("operation name=\"{method}\"")),
                "{method}"
            );
        }
        for method in absent {
            assert!(!wsdl.contains(method), "{method}");
            let refused = soap(&mut app, method, SERVICE.1, "");
            assert_eq!(refused.status, 500);
            assert!(words(&refused).contains("Fault"));
        }
    }
}

#[test]
fn properties_are_bags_of_texts() {
    let mut app = app(&[("parameters", "by-name-and-order")]);
    soap(&mut app, "CreateUser", SERVICE.1, ADA);
    fact(
        Vendor,
        "a property is key=value; the value is everything after the first =",
    );
    let set = "<userId>101</userId><properties><string>EmployeeID=a=b</string><string>Password=&lt;x&gt;</string></properties>";
    assert!(words(&soap(&mut app, "SetUsersProperties", SERVICE.1, set)).contains("<Result>true"));
    let get = "<userId>101</userId><requestedValues><string>EmployeeID</string><string>Email</string></requestedValues>";
    let read = words(&soap(&mut app, "GetUsersProperties", SERVICE.1, get));
    assert!(
        read.contains("<string>EmployeeID=a=b</string><string>Email=a@example.com</string>"),
        "{read}"
    );
    assert_eq!(app.named("ada").unwrap().1.password, "<x>");
    fact(
        Assumed,
        "parameters may have to be in the order of the schema",
    );
    let wrong = "<requestedValues/><userId>101</userId>";
    assert_eq!(
        soap(&mut app, "GetUsersProperties", SERVICE.1, wrong).status,
        500
    );
}

#[test]
fn privileges_come_from_roles() {
    let mut app = app(&[]);
    soap(&mut app, "CreateUser", SERVICE.1, ADA);
    fact(HelpPage, "assigning roles is a step of its own");
    assert!(app.named("ada").unwrap().1.roles.is_empty());
    let agents = |app: &mut Smartertrack| words(&soap(app, "GetAllAgents", SERVICE.1, ""));
    assert!(!agents(&mut app).contains("ada"));
    let role = "<userId>101</userId><roleName>Agent</roleName>";
    soap(&mut app, "AddUserToRole", SERVICE.1, role);
    fact(Vendor, "agents are users with agent rights");
    assert!(agents(&mut app).contains("<ID>101</ID><UserName>ada</UserName>"));
    soap(&mut app, "RemoveUserFromRole", SERVICE.1, role);
    assert_eq!(
        app.ledger.about("ada")[1..],
        ["grant Agent", "revoke Agent"]
    );
}

#[test]
fn ten_failures_lock_for_five_minutes() {
    fact(Vendor, "ten failures lock an account for five minutes");
    let mut app = app(&[]);
    for _ in 0..10 {
        assert!(!app.sign_in(SERVICE.0, "wrong"));
    }
    assert!(!app.sign_in(SERVICE.0, SERVICE.1));
    app.ledger.now += 301;
    assert!(app.sign_in(SERVICE.0, SERVICE.1));
    fact(
        Vendor,
        "a user of the directory is not stopped by another password here",
    );
    let mut user = app.users[&1].clone();
    user.by_directory = true;
    user.username = "ad".to_owned();
    user.password = "fuzzed".to_owned();
    app.users.insert(2, user);
    assert!(app.sign_in("ad", "their directory password"));
}
