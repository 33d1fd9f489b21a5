#!/usr/bin/python3
"""Makes and fills a Samba domain controller's database, offline or under a running server.

  samba_db.py provision DIR PASSWORD    a new domain, as DIR/etc/smb.conf describes it
  samba_db.py load DIR N PASSWORD       N people and their groups
  samba_db.py churn DIR K ROUND         K changes to them; rounds count from 1
  samba_db.py limits DIR NAME=VALUE     one of the domain's LDAP policy limits

Needs python3-samba, which belongs to the system's own Python. Writing straight into sam.ldb is
faster than LDAP and may set what LDAP may not: objectGUID, pwdLastSet, lockoutTime, a raw NT hash.
"""
import logging, random, sys, time, uuid

import ldb
from samba.auth import system_session
from samba.crypto import md4_hash_blob
from samba.dsdb import DS_DOMAIN_FUNCTION_2008_R2, DSDB_CONTROL_BYPASS_PASSWORD_HASH_OID
from samba.param import LoadParm
from samba.provision import provision
from samba.samdb import SamDB

from people import TITLE, esc, groups, person

NEVER = "9223372036854775807"
ANY = ["relax:0", f"local_oid:{DSDB_CONTROL_BYPASS_PASSWORD_HASH_OID}:0"]


def filetime(days):
    """Windows time, in days from now."""
    return str(int((time.time() + days * 86400 + 11644473600) * 10**7))


def open_db(dir, *options):
    return SamDB(url=f"{dir}/private/sam.ldb", session_info=system_session(), lp=LoadParm(f"{dir}/etc/smb.conf"),
                 options=list(options))


def do_provision(dir, password):
    lp = LoadParm(f"{dir}/etc/smb.conf")
    provision(logging.getLogger(), system_session(), smbconf=f"{dir}/etc/smb.conf", realm=lp.get("realm"),
              domain=lp.get("workgroup"), hostname="dc1", hostip="127.0.0.1", adminpass=password, lp=lp,
              dns_backend="NONE", serverrole="active directory domain controller", use_rfc2307=True,
              dom_for_fun_level=DS_DOMAIN_FUNCTION_2008_R2,
              skip_sysvolacl=True)      # no file server, so neither xattrs nor root are needed


def user(i, n, base, domain, nt_hash):
    p, r = person(i), random.Random(i)
    if (p["manager"] or 0) >= n: p["manager"] %= n     # a joiner, beyond those loaded
    first = lambda v: (v if isinstance(v, list) else [v])[0]
    m = {"dn": user_dn(i, base), "objectClass": "user", "sAMAccountName": p["uid"], "unicodePwd": nt_hash,
         "userPrincipalName": f"{p['uid']}@{domain}", "objectGUID": uuid.uuid5(uuid.NAMESPACE_DNS, f"u{i}.{domain}").bytes_le,
         "userAccountControl": "514" if p["disabled"] else "66048" if i % 4 == 0 else "512",
         "pwdLastSet": "0" if i % 50 == 21 else filetime(-60) if i % 50 == 27 else filetime(-r.randrange(1, 30)),  # 42 days is the limit
         "accountExpires": filetime(-10) if i % 40 == 22 else filetime(30) if i % 40 == 23 else r.choice([NEVER, "0"])}
    for ours, theirs, limit in (("givenName", "givenName", 64), ("sn", "sn", 64), ("displayName", "displayName", 256),
                                ("mail", "mail", 256), ("employeeNumber", "employeeNumber", 512), ("title", "title", 128),
                                ("departmentNumber", "department", 64), ("telephoneNumber", "telephoneNumber", 64),
                                ("l", "l", 128), ("o", "company", 64), ("description", "description", 1024)):
        if p.get(ours): m[theirs] = first(p[ours])[:limit]
    if isinstance(p["mail"], list): m["proxyAddresses"] = [("smtp:", "SMTP:")[k == 0] + v for k, v in enumerate(p["mail"])]
    if p["photo"]: m["thumbnailPhoto"] = p["photo"]
    if p["manager"] is not None and 0 <= p["manager"] < i: m["manager"] = user_dn(p["manager"], base)
    if i % 60 == 24: m["logonHours"] = bytes(21)                                # never
    if i % 60 == 25: m["logonHours"] = (b"\0\0\0" + b"\0\xff\x01" * 5 + b"\0\0\0")  # Monday to Friday, 8 to 17 UTC
    if i % 100 == 26: m["lockoutTime"] = filetime(-0.01)
    return m


def user_dn(i, base):
    return f"CN={esc(person(i)['cn'])},OU=People,{base}"


def do_load(dir, n, password):
    # Without these two options each add takes longer than the one before it.
    db = open_db(dir, "batch_mode:1", "transaction_index_cache_size:200000")
    base, domain = db.domain_dn(), db.domain_dns_name()
    nt_hash = md4_hash_blob(password.encode("utf-16-le"))
    db.transaction_start()
    for ou in "People", "Groups", "Services":
        db.add({"dn": f"OU={ou},{base}", "objectClass": "organizationalUnit"})
    db.add({"dn": f"CN=sync,OU=Services,{base}", "objectClass": "user", "sAMAccountName": "sync", "userAccountControl": "66048",
            "userPrincipalName": f"sync@{domain}", "unicodePwd": nt_hash, "pwdLastSet": filetime(0)}, controls=ANY)
    t = time.time()
    for i in range(n):
        db.add(user(i, n, base, domain, nt_hash), controls=ANY)
    print(f"users {n}: {time.time() - t:.1f} s", flush=True); t = time.time()
    all_groups = list(groups(n))
    group_dn = lambda name: f"CN={esc(name)},OU=Groups,{base}"
    for k, (name, _, _) in enumerate(all_groups):
        db.add({"dn": group_dn(name), "objectClass": "group", "groupType": "-2147483646",
                "sAMAccountName": name.replace(", ", "-").translate(str.maketrans("", "", '"+#'))})
    print(f"groups {len(all_groups)}: {time.time() - t:.1f} s", flush=True); t = time.time()
    links = 0
    for name, people, inner in all_groups:
        member = [user_dn(i, base) for i in people if i >= 0] + [group_dn(g) for g in inner]
        links += len(member)
        if member:
            db.modify(ldb.Message.from_dict(db, {"dn": group_dn(name), "member": member}, ldb.FLAG_MOD_ADD))
    print(f"links {links}: {time.time() - t:.1f} s", flush=True); t = time.time()
    db.transaction_commit()
    print(f"commit: {time.time() - t:.1f} s", flush=True)
    with open(f"{dir}/n", "w") as f: f.write(str(n))


def do_churn(dir, k, turn):
    """Mostly changed titles; one in 20 joins, is renamed and put in a group; the next round they leave."""
    db, r = open_db(dir), random.Random(turn)
    n, base, domain = int(open(f"{dir}/n").read()), db.domain_dn(), db.domain_dns_name()
    gone = db.search(f"OU=People,{base}", ldb.SCOPE_ONELEVEL, "(cn=moved *)", attrs=["dn"])
    for e in gone: db.delete(e.dn)
    change = lambda dn, how, **kv: db.modify(ldb.Message.from_dict(db, {"dn": dn, **kv}, how))
    for j in range(k):
        if j % 20:
            change(user_dn(r.randrange(20, max(21, n)), base), ldb.FLAG_MOD_REPLACE, title=f"{r.choice(TITLE)} {turn}",
                   userAccountControl=r.choice(["512"] * 9 + ["514"]))
            continue
        i = n + turn * 1000 + j // 20
        db.add(user(i, n, base, domain, bytes(16)), controls=ANY)
        db.rename(user_dn(i, base), f"CN=moved {i},OU=People,{base}")
        change(f"CN=project-00000,OU=Groups,{base}", ldb.FLAG_MOD_ADD, member=f"CN=moved {i},OU=People,{base}")


def set_limit(dir, setting):
    db = open_db(dir)
    dn = f"CN=Default Query Policy,CN=Query-Policies,CN=Directory Service,CN=Windows NT,CN=Services,{db.get_config_basedn()}"
    old = [str(v) for v in db.search(dn, ldb.SCOPE_BASE, attrs=["lDAPAdminLimits"])[0]["lDAPAdminLimits"]]
    new = [v for v in old if v.split("=")[0].lower() != setting.split("=")[0].lower()] + [setting]
    db.modify(ldb.Message.from_dict(db, {"dn": dn, "lDAPAdminLimits": new}, ldb.FLAG_MOD_REPLACE))
    print(" ".join(new))


if __name__ == "__main__":
    what, dir, *rest = sys.argv[1:]
    if what == "provision": do_provision(dir, rest[0])
    if what == "load": do_load(dir, int(rest[0]), rest[1])
    if what == "churn": do_churn(dir, int(rest[0]), int(rest[1]))
    if what == "limits": set_limit(dir, rest[0])
