"""A made-up company, the same for the same N: people and groups, as plain Python values.

Person 0 is the head; person i reports to (i-1)//8. People 1-19 are the awkward ones (QUIRKS).
"""
import base64, random

GIVEN = ("Anna Ben Chloé Dmitri Elif François Grace Håkon Ines José Kateřina Liam Mei Noah Olga Pål "
         "Quinn René Søren Tomás Uma Věra William Xenia Yusuf Zoë").split()
SURNAME = ("Andersson Brown Çelik Dvořák Evans Fernández Garcia Hansen Ivanov Jones Kowalski Lindström "
           "Müller Nguyen O'Brien Petrov Quist Rossi Schmidt Tanaka Ünal Van-den-Berg Weiß Xu Yilmaz Žák").split()
DEPT = "Sales Support Marketing Finance Legal People Engineering Research Operations Security Facilities IT".split()
CITY = "London Paris Praha Oslo Istanbul Tokyo Zürich Kraków".split()
TITLE = "Analyst Engineer Manager Consultant Assistant Specialist Director Architect".split()
# The smallest JPEG (1x1 grey), to be padded with comment segments to a photo's usual size.
JPEG = base64.b64decode(
    "/9j/2wBDAAMCAgICAgMCAgIDAwMDBAYEBAQEBAgGBgUGCQgKCgkICQkKDA8MCgsOCwkJDRENDg8QEBEQCgwSExIQEw8QEBD/"
    "yQALCAABAAEBAREA/8wABgAQEAX/2gAIAQEAAD8A0s8g/9k=")


def photo(size):
    out = bytearray(JPEG[:2])
    while len(out) < size:
        part = min(60000, size)
        out += b"\xff\xfe" + (part + 2).to_bytes(2, "big") + b"." * part
    return bytes(out + JPEG[2:])


QUIRKS = {  # person -> what differs; None leaves the attribute out
    1: {"cn": 'Smith, "Jo" + Sons; <#1> = \\end'}, 2: {"mail": None}, 3: {"mail": ["three@example.test", "third@example.test"]},
    4: {"uid": "MixedCase4"}, 5: {"mail": "Same@Example.Test"}, 6: {"mail": "same@example.test"},
    7: {"givenName": "田中", "sn": "שלום 🙂", "cn": "田中 שלום 🙂"}, 8: {"displayName": "  two  spaces  "},
    9: {"title": "Vice " * 250 + "President"}, 10: {"givenName": None}, 11: {"cn": "Zoe\u0308 Nfd", "sn": "Nfd"},
    12: {"cn": "Zo\u00eb Nfd", "sn": "Nfd"}, 13: {"telephoneNumber": ["+44 (0)20 7946 0013", "ext. 13"]},
    14: {"title": ["Engineer", "Team Lead"]}, 15: {"employeeNumber": None}, 16: {"description": "line one\nline two"},
    17: {"mail": "not-an-address"}, 18: {"manager": 18}, 19: {"manager": -1},
}


def person(i):
    """The attributes of person i; manager is a person's number (-1: one who never existed)."""
    r = random.Random(i * 7919 + 1)
    g, s = r.choice(GIVEN), r.choice(SURNAME)
    p = {"uid": f"u{i:06d}", "givenName": g, "sn": s, "cn": f"{g} {s} {i}", "displayName": f"{g} {s}",
         "mail": f"u{i:06d}@example.test", "employeeNumber": str(100000 + i), "departmentNumber": DEPT[i % len(DEPT)],
         "title": r.choice(TITLE), "telephoneNumber": f"+44 20 7946 {i % 10000:04d}", "l": r.choice(CITY),
         "o": "Example Ltd", "employeeType": "contractor" if r.random() < 0.1 else "employee",
         "manager": (i - 1) // 8 if i else None, "photo": photo(8000) if i % 500 == 20 else None,
         "disabled": i > 19 and r.random() < 0.03}
    p.update(QUIRKS.get(i, {}))
    return p


def groups(n):
    """(name, people, groups inside it): flat, nested three deep, in a circle, empty, dangling."""
    r = random.Random(n)
    for d, name in enumerate(DEPT):
        yield f"dept-{name}", list(range(d, n, len(DEPT))), []
    for d in range(0, len(DEPT), 3):
        yield f"division-{d // 3}", [], [f"dept-{x}" for x in DEPT[d:d + 3]]
    yield "company", [], [f"division-{d}" for d in range(len(DEPT) // 3)]
    yield "all-staff", list(range(n)), []
    projects = max(2, n // 25)
    for k in range(projects):
        yield f"project-{k:05d}", sorted(r.sample(range(n), min(n, r.randint(3, 40)))), []
    for k in range(max(1, n // 100)):
        yield f"role-{k:04d}", r.sample(range(n), min(n, 2)), [f"project-{r.randrange(projects):05d}" for _ in (1, 2)]
    yield "circle-a", [0], ["circle-b"]
    yield "circle-b", [1], ["circle-a"]
    yield "empty", [], []
    yield "dangling", [2, -1], []
    yield 'Ops, "EMEA" + #1', [1, 3], []


def teams(n):
    """Instead of groups(n), for the benchmark: one team per 50 people, of 100 each, so everybody is in about two."""
    r = random.Random(n)
    for k in range(max(1, n // 50)):
        yield f"team-{k:04d}", sorted(r.sample(range(n), min(n, 100))), []


def esc(v):
    """An RDN value as RFC 4514 wants it."""
    v = "".join("\\" + c if c in ',+"\\<>;=' else c for c in v)
    return "\\" + v if v[:1] in ("#", " ") else v


def user_dn(i, suffix):
    q = QUIRKS.get(i, {})
    rdn = "cn=" + esc(q["cn"]) if i == 1 else "uid=" + q.get("uid", f"u{i:06d}" if i >= 0 else "gone")
    return f"{rdn},ou=people,{suffix}"          # one awkward DN is enough


def group_dn(name, suffix):
    return f"cn={esc(name)},ou=groups,{suffix}"
