// An in-memory SCIM 2.0 service provider on SCIMMY + scimmy-routers (npm).
// All protocol work (schemas, filters, PATCH, paging, bulk) is the libraries'; this file only stores.
import { randomUUID } from "node:crypto";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const host = process.env.HOST ?? "127.0.0.1", port = Number(process.env.PORT ?? 8080);
const token = process.env.TOKEN ?? "test-token";

function store(kind, uniqueKey) {
    const rows = new Map(), byKey = new Map();
    const key = (r) => String(r[uniqueKey] ?? "").toLowerCase();
    kind.ingress((resource, data) => {
        const old = resource.id ? rows.get(resource.id) : undefined;
        if (resource.id && !old) throw new SCIMMY.Types.Error(404, null, `${resource.id} not found`);
        // A password is taken and never shown again: it is not among what is listed.
        const secret = data.password ?? old?.password;
        const plain = { ...JSON.parse(JSON.stringify(data)), ...(secret && { password: secret }) }, holder = byKey.get(key(plain));
        if (holder && holder !== resource.id)
            throw new SCIMMY.Types.Error(409, "uniqueness", `${uniqueKey} is taken`);
        const now = new Date().toISOString(), id = resource.id ?? randomUUID();
        const row = { ...plain, id, meta: { created: old?.meta.created ?? now, lastModified: now } };
        if (old) byKey.delete(key(old));
        byKey.set(key(row), id);
        rows.set(id, row);
        return structuredClone(row);
    });
    kind.egress((resource) => {
        if (resource.id) {
            const row = rows.get(resource.id);
            if (!row) throw new SCIMMY.Types.Error(404, null, `${resource.id} not found`);
            return structuredClone(row);
        }
        const all = [...rows.values()];
        return (resource.filter ? resource.filter.match(all) : all).map((r) => structuredClone(r));
    });
    kind.degress((resource) => {
        const row = rows.get(resource.id);
        if (!row) throw new SCIMMY.Types.Error(404, null, `${resource.id} not found`);
        byKey.delete(key(row));
        rows.delete(resource.id);
    });
    return (name) => rows.get(byKey.get(String(name).toLowerCase()));
}

SCIMMY.Resources.declare(SCIMMY.Resources.User.extend(SCIMMY.Schemas.EnterpriseUser));
SCIMMY.Resources.declare(SCIMMY.Resources.Group);
const user = store(SCIMMY.Resources.User, "userName");
store(SCIMMY.Resources.Group, "displayName");
SCIMMY.Config.set({ patch: true, filter: { supported: true, maxResults: Number(process.env.MAX_RESULTS ?? 200) },
    sort: true, bulk: { supported: true, maxOperations: 1000, maxPayloadSize: 10485760 } });

const app = express();
app.use("/scim/v2", new SCIMMYRouters({
    type: "bearer",
    handler: (req) => {
        if (req.header("authorization") !== `Bearer ${token}`) throw new Error("invalid token");
        return "daemon";
    },
}));
// Where people log in: with the password that the protocol's own library took and stored.
app.post("/login", express.json({ type: () => true }), (req, res) => {
    const row = user(req.body.userName), open = row && row.active !== false && row.password === req.body.password;
    res.status(open ? 200 : 403).json({ open: Boolean(open) });
});
app.listen(port, host, () => console.log(`scimmy on http://${host}:${port}/scim/v2`));
