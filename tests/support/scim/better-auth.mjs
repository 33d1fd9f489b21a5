// SCIM endpoint of better-auth + @better-auth/scim over bun:sqlite.  Run with bun.
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { scim } from "@better-auth/scim";
import { Database } from "bun:sqlite";

const host = process.env.HOST ?? "127.0.0.1", port = Number(process.env.PORT ?? 8080), token = process.env.TOKEN ?? "test-token";
const database = new Database(process.env.DB ?? ":memory:");
database.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;");
const auth = betterAuth({
    database, baseURL: `http://${host}:${port}`, basePath: "/api/auth", secret: "for-tests-only-for-tests-only-0000",
    telemetry: { enabled: false }, rateLimit: { enabled: false }, emailAndPassword: { enabled: true },
    plugins: [scim({ connections: [{ id: "ldap", credentials: [{ type: "bearer", id: "main", token }] }] })],
});
await (await getMigrations(auth.options)).runMigrations();
Bun.serve({ hostname: host, port, fetch: (req) => auth.handler(req) });
console.log(`better-auth on http://${host}:${port}/api/auth/scim/v2`);
