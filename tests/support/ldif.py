#!/usr/bin/env python3
"""The company of people.py as LDIF for OpenLDAP.

  ldif.py load N SUFFIX PASSWORD [teams]   to load offline (slapadd); with teams instead of the company's groups
  ldif.py load N SUFFIX PASSWORD 389       to load offline into 389 Directory Server (ldif2db)
  ldif.py churn N SUFFIX K ROUND GROUP     about K changes for ldapmodify -c; rounds count from 1, K is at
                                           most 20000 and the same in every round; joiners enter GROUP
"""
import base64, io, random, re, sys, uuid

from people import TITLE, group_dn, groups, person, teams, user_dn

SAFE = re.compile(rb"(?:[!-9;=-~](?:[ -~]*[!-~])?)?").fullmatch   # needs no base64 (RFC 2849)


def line(out, attr, value):
    for v in value if isinstance(value, list) else [value]:
        b = v if isinstance(v, bytes) else v.encode()
        out.write(f"{attr}: {b.decode()}\n" if SAFE(b) else f"{attr}:: {base64.b64encode(b).decode()}\n")


def write_person(out, i, n, suffix):
    """Writes all but whether the person is disabled, which it returns."""
    p = person(i)
    line(out, "dn", user_dn(i, suffix))
    out.write("objectClass: inetOrgPerson\n")
    manager, pic, disabled = p.pop("manager"), p.pop("photo"), p.pop("disabled")
    for k, v in p.items():
        if v is not None: line(out, k, v)
    if (manager or 0) >= n: manager %= n     # a joiner, beyond those loaded
    if manager is not None: line(out, "manager", user_dn(manager, suffix))
    if pic: line(out, "jpegPhoto", pic)
    return disabled


def closure(name, member_of):
    """The groups that name is in, through any number of steps; circles end."""
    found, todo = set(), [name]
    while todo:
        fresh = [g for g in member_of.get(todo.pop(), []) if g not in found]
        found.update(fresh)
        todo += fresh
    return found


def write_member_of(out, names, suffix, flavour):
    # An offline load runs no memberOf overlay or plugin, so the values come from here. OpenLDAP's are the groups one
    # is in directly; those of 389 go up through groups within groups, and need an object class.
    if names and flavour == "389": out.write("objectClass: nsMemberOf\n")
    for g in names: line(out, "memberOf", group_dn(g, suffix))


# What the bind account may read.
READS = ('aci: (targetattr="*")'
         '(version 3.0; acl "sync reads"; allow (read,search,compare) userdn="ldap:///uid=sync,ou=services,{}";)\n')


def load(n, suffix, password, out, flavour=""):
    line(out, "dn", suffix)
    out.write(f"objectClass: dcObject\nobjectClass: organization\no: Example\ndc: {suffix.split(',')[0][3:]}\n")
    if flavour == "389": out.write(READS.format(suffix))
    for ou in "people", "groups", "services", "policies":
        out.write(f"\ndn: ou={ou},{suffix}\nobjectClass: organizationalUnit\nou: {ou}\n")
    out.write(f"\ndn: uid=sync,ou=services,{suffix}\nobjectClass: account\n"
              f"objectClass: simpleSecurityObject\nuid: sync\nuserPassword: {password}\n\n")
    all_groups, member_of = list(teams(n) if flavour == "teams" else groups(n)), {}
    for name, people, inner in all_groups:
        for x in people + inner: member_of.setdefault(x, []).append(name)
    if flavour == "389":
        above = {name: closure(name, member_of) for name, _, _ in all_groups}
        member_of = {x: sorted({h for g in direct for h in (g, *above[g])} - {x}) for x, direct in member_of.items()}
    locked = "nsAccountLock: true" if flavour == "389" else "pwdAccountLockedTime: 000001010000Z"
    for i in range(n):
        disabled = write_person(out, i, n, suffix)
        if flavour != "389": out.write(f"entryUUID: {uuid.uuid5(uuid.NAMESPACE_DNS, f'u{i}.example.test')}\n")
        if i < 20: out.write(f"userPassword: {password}\n")
        if disabled: out.write(f"{locked}\n")
        write_member_of(out, member_of.get(i, []), suffix, flavour)
        out.write("\n")
    for name, people, inner in all_groups:
        line(out, "dn", group_dn(name, suffix))
        out.write("objectClass: groupOfNames\n"); line(out, "cn", name)
        for i in people: line(out, "member", user_dn(i, suffix))
        for g in inner: line(out, "member", group_dn(g, suffix))
        if not people and not inner and flavour != "389": out.write("member:\n")
        write_member_of(out, member_of.get(name, []), suffix, flavour)
        out.write("\n")


def churn(n, suffix, k, turn, group, out):
    """Mostly changed titles; one in 20 joins and is renamed; the next round they leave."""
    r = random.Random(turn)
    for j in range(k):
        if j % 20: # a person of the loaded ones changes
            line(out, "dn", user_dn(r.randrange(20, max(21, n)), suffix))
            out.write(f"changetype: modify\nreplace: title\ntitle: {r.choice(TITLE)} {turn}\n\n")
            continue
        i, left = n + turn * 1000 + j // 20, n + (turn - 1) * 1000 + j // 20
        line(out, "dn", user_dn(i, suffix)); out.write("changetype: add\n")
        buf = io.StringIO(); write_person(buf, i, n, suffix)
        out.write(buf.getvalue().split("\n", 1)[1])
        line(out, "\ndn", group_dn(group, suffix))
        out.write(f"changetype: modify\nadd: member\nmember: {user_dn(i, suffix)}\n\n")
        out.write(f"dn: {user_dn(i, suffix)}\nchangetype: modrdn\nnewrdn: uid=moved{i}\ndeleteoldrdn: 1\n\n")
        if turn > 1: out.write(f"dn: uid=moved{left},ou=people,{suffix}\nchangetype: delete\n\n")


if __name__ == "__main__":
    what, n, suffix, *rest = sys.argv[1:]
    if what == "load": load(int(n), suffix, rest[0], sys.stdout, *rest[1:])
    else: churn(int(n), suffix, int(rest[0]), int(rest[1]), rest[2], sys.stdout)
