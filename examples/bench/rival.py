#!/usr/bin/env python3
"""The rival of the benchmark: what a competent administrator would write in an afternoon to keep a SCIM application
in step with a directory, made as fast as such a script gets without becoming a product.

  rival.py LDAP_URL CA BIND_DN PASSWORD PEOPLE_BASE GROUPS_BASE SCIM_URL TOKEN STATE_FILE

python-ldap for the paged read, aiohttp with 16 workers over kept-alive connections for the writes, SQLite for what was
sent last (a hash per user, the member set per group). It POSTs new users, PATCHes changed ones, deactivates leavers,
and PATCHes groups in chunks of 100 members. It trusts every answer and has no dry run, limits, journal or retries.
"""
import asyncio, hashlib, json, sqlite3, sys

import aiohttp, ldap, ldap.dn
from ldap.controls import SimplePagedResultsControl

WORKERS, CHUNK, PAGE = 16, 100, 1000
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def read(connection, base, what, attributes):
    """Every entry, page by page."""
    page = SimplePagedResultsControl(True, size=PAGE, cookie="")
    while True:
        message = connection.search_ext(base, ldap.SCOPE_SUBTREE, what, attributes, serverctrls=[page])
        _, entries, _, controls = connection.result3(message)
        yield from entries
        page.cookie = next(c.cookie for c in controls if c.controlType == page.controlType)
        if not page.cookie:
            return


def key(dn):
    """A DN as one text, however the server spelled its escapes."""
    return ldap.dn.dn2str(ldap.dn.str2dn(dn)).lower() if "\\" in dn else dn.lower()


def user_of(entry):
    first = lambda name: entry[name][0].decode() if name in entry else None
    user = {"schemas": [USER, ENTERPRISE], "userName": first("uid"), "externalId": first("entryUUID"),
            "name": {"givenName": first("givenName"), "familyName": first("sn")},
            "displayName": first("displayName"), "title": first("title"), "active": True,
            ENTERPRISE: {"employeeNumber": first("employeeNumber"), "department": first("departmentNumber")}}
    if mail := first("mail"):
        user["emails"] = [{"value": mail, "type": "work", "primary": True}]
    return user


def wanted(url, ca, bind_dn, password, people_base, groups_base):
    """{entryUUID: (user, hash)} and {group: set of entryUUID}."""
    ldap.set_option(ldap.OPT_X_TLS_CACERTFILE, ca)
    connection = ldap.initialize(url)
    connection.simple_bind_s(bind_dn, password)
    users, by_dn, groups = {}, {}, {}
    for dn, entry in read(connection, people_base, "(objectClass=inetOrgPerson)",
                          ["uid", "entryUUID", "givenName", "sn", "displayName", "mail", "title", "employeeNumber",
                           "departmentNumber", "pwdAccountLockedTime"]):
        if "pwdAccountLockedTime" in entry:     # disabled: gets no account, and loses one like a leaver
            continue
        user = user_of(entry)
        text = json.dumps(user, sort_keys=True).encode()
        users[user["externalId"]] = user, hashlib.blake2b(text, digest_size=16).digest()
        by_dn[key(dn)] = user["externalId"]
    for _, entry in read(connection, groups_base, "(objectClass=groupOfNames)", ["cn", "member"]):
        members = (by_dn.get(key(dn.decode())) for dn in entry.get("member", []))
        groups[entry["cn"][0].decode()] = {m for m in members if m}
    return users, groups


async def each(work, do):
    """do(item) for all items, WORKERS at a time."""
    items = iter(work)
    async def worker():
        for item in items:
            await do(item)
    await asyncio.gather(*(worker() for _ in range(WORKERS)))


async def main(url, ca, bind_dn, password, people_base, groups_base, scim, token, state_file):
    users, groups = wanted(url, ca, bind_dn, password, people_base, groups_base)
    db = sqlite3.connect(state_file, isolation_level=None)
    db.executescript("""PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;
        CREATE TABLE IF NOT EXISTS users (anchor TEXT PRIMARY KEY, id TEXT, hash BLOB);
        CREATE TABLE IF NOT EXISTS groups (name TEXT PRIMARY KEY, id TEXT);
        CREATE TABLE IF NOT EXISTS members (name TEXT, anchor TEXT, PRIMARY KEY (name, anchor)) WITHOUT ROWID;""")
    known = {anchor: (id, hash) for anchor, id, hash in db.execute("SELECT anchor, id, hash FROM users")}
    known_groups = dict(db.execute("SELECT name, id FROM groups"))
    had = {}
    for name, anchor in db.execute("SELECT name, anchor FROM members"):
        had.setdefault(name, set()).add(anchor)
    ids = {anchor: id for anchor, (id, _) in known.items()}
    count = dict.fromkeys(("created", "updated", "deactivated", "memberships"), 0)

    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"}
    connector = aiohttp.TCPConnector(limit=WORKERS)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as http:

        async def send(method, path, body):
            async with http.request(method, scim + path, data=json.dumps(body).encode()) as answer:
                if answer.status >= 300:
                    raise SystemExit(f"{method} {path}: {answer.status} {await answer.text()}")
                return await answer.json(content_type=None) if answer.status != 204 else None

        def patch(*operations):
            return {"schemas": [PATCH], "Operations": list(operations)}

        async def put_user(anchor):
            user, hash = users[anchor]
            if anchor in known:
                await send("PATCH", f"/Users/{ids[anchor]}", patch({"op": "replace", "value": user}))
                count["updated"] += 1
            else:
                ids[anchor] = (await send("POST", "/Users", user))["id"]
                count["created"] += 1
            db.execute("INSERT OR REPLACE INTO users VALUES (?, ?, ?)", (anchor, ids[anchor], hash))

        async def deactivate(anchor):
            await send("PATCH", f"/Users/{ids[anchor]}", patch({"op": "replace", "path": "active", "value": False}))
            db.execute("UPDATE users SET hash = NULL WHERE anchor = ?", (anchor,))
            count["deactivated"] += 1

        async def put_group(name):
            if name not in known_groups:
                made = await send("POST", "/Groups", {"schemas": [GROUP], "displayName": name})
                known_groups[name] = made["id"]
                db.execute("INSERT INTO groups VALUES (?, ?)", (name, made["id"]))
            before, now = had.get(name, set()), groups[name]
            add, remove = sorted(now - before), sorted(before - now)
            for op, whom in ("add", add), ("remove", remove):
                for k in range(0, len(whom), CHUNK):
                    part = whom[k:k + CHUNK]
                    values = [{"value": ids[a]} for a in part]
                    operation = {"op": op, "path": "members", "value": values}
                    await send("PATCH", f"/Groups/{known_groups[name]}", patch(operation))
                    count["memberships"] += len(part)
            db.executemany("INSERT INTO members VALUES (?, ?)", [(name, a) for a in add])
            db.executemany("DELETE FROM members WHERE name = ? AND anchor = ?", [(name, a) for a in remove])

        # One transaction per stage: the cheapest that still remembers finished stages.
        for work, do in (([a for a, (_, h) in known.items() if a not in users and h is not None], deactivate),
                         ([a for a, (_, h) in users.items() if known.get(a, (None, None))[1] != h], put_user),
                         ([g for g in groups if groups[g] != had.get(g, set()) or g not in known_groups], put_group)):
            db.execute("BEGIN")
            await each(work, do)
            db.execute("COMMIT")
    print(json.dumps(count))


if __name__ == "__main__":
    if len(sys.argv) != 10:
        sys.exit(__doc__)
    asyncio.run(main(*sys.argv[1:]))
