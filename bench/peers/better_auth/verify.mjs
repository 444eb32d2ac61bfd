// How fast better-auth's verifyApiKey is: node verify.mjs DATABASE KEYS VERIFIES
// It digests the key with SHA-256, looks it up, checks enabled, expiry and permissions (ten resources with GET and
// POST), and writes the use into the key's row, as it always does. Its rate limit, part of another check, is off.
// The database is in WAL mode and does not wait for the disk at each commit. Prints JSON.
import { apiKey } from '@better-auth/api-key';
import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import Database from 'better-sqlite3';

const [path, keys, verifies] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const TOGETHER = 32;
const permissions = Object.fromEntries(
  Array.from({ length: 10 }, (_, i) => [`resource${i}`, ['GET', 'POST']]),
);

const database = new Database(path);
database.pragma('journal_mode = WAL');
database.pragma('synchronous = NORMAL');
const options = {
  database,
  baseURL: 'http://127.0.0.1',
  secret: 'a secret of the benchmark, which signs nothing',
  telemetry: { enabled: false },
  logger: { disabled: true },
  plugins: [apiKey({ rateLimit: { enabled: false } })],
};
await (await getMigrations(options)).runMigrations();
const auth = betterAuth(options);
const context = await auth.$context;
const user = await context.internalAdapter.createUser({ name: 'Bench', email: 'bench@example.com' });
const tokens = [];
for (let i = 0; i < keys; i++) {
  const made = await auth.api.createApiKey({ body: { userId: user.id, name: 'Bench', permissions } });
  tokens.push(made.key);
}

async function verify(i) {
  const key = tokens[(i * 7919) % tokens.length];
  const verdict = await auth.api.verifyApiKey({ body: { key, permissions: { resource7: ['GET'] } } });
  if (!verdict.valid) throw new Error(JSON.stringify(verdict.error));
}

async function oneByOne(count) {
  const took = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const before = performance.now();
    await verify(i);
    took[i] = (performance.now() - before) * 1000;
  }
  return took.sort();
}

async function together(count) {
  let next = 0;
  const worker = async () => { while (next < count) await verify(next++); };
  await Promise.all(Array.from({ length: TOGETHER }, worker));
}

const refused = await auth.api.verifyApiKey({ body: { key: `${tokens[0]}x` } });
const denied = await auth.api.verifyApiKey({ body: { key: tokens[0], permissions: { resource7: ['PUT'] } } });
if (refused.valid || denied.valid) throw new Error('accepted what must be refused');
await oneByOne(verifies / 10);
let began = performance.now();
const took = await oneByOne(verifies);
const alone = verifies / (performance.now() - began) * 1000;
began = performance.now();
await together(verifies);
console.log(JSON.stringify({
  one_by_one_per_second: alone,
  together_per_second: verifies / (performance.now() - began) * 1000,
  p50_us: took[Math.floor(verifies / 2)],
  p99_us: took[Math.floor(verifies * 0.99)],
}));
