//! People who had groups, and show no membership any more.
//!
//! To whoever may not read `memberOf` of somebody, that person looks as if they had left every group, and would lose what groups gave them.
//! A group that lists the person all the same says that it is not so. Where the members of groups may not be read either, nobody can tell.

use super::connect::Connection;
use super::entry::printable;
use super::rule::escape_filter;
use super::search::{self, Found, Scope, Search};
use super::settings::LdapSettings;

/// A group that lists the person with this DN as a member.
///
/// # Errors
/// Says why the server does not tell.
pub(super) async fn group_that_lists(
    connection: &mut Connection,
    ldap: &LdapSettings,
    dn: &[u8],
) -> Result<Option<String>, String> {
    let dn = std::str::from_utf8(dn).map_err(|_| "the DN is not UTF-8 text".to_owned())?;
    let dn = escape_filter(dn);
    let groups = &ldap.groups.filter;
    let filter = format!("(&{groups}(|(member={dn})(uniqueMember={dn})))");
    for base in ldap.group_bases() {
        let search = Search {
            base,
            scope: Scope::Subtree,
            filter: &filter,
            attributes: vec!["1.1".to_owned()],
            page_size: 1,
        };
        let mut found = None;
        let end = search::first_page(connection, &search, &mut |item: Found<'_>| {
            let dn = match item {
                Found::Entry(entry) => entry.dn,
                Found::Huge { dn, .. } => dn,
            };
            found.get_or_insert_with(|| printable(dn));
        })
        .await;
        if found.is_some() {
            return Ok(found);
        }
        end.map_err(|why| why.to_string())?;
    }
    Ok(None)
}
