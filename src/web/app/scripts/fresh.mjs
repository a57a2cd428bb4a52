// The checked-in client types are those of the checked-in description; a Rust test holds that to the program.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = mkdtempSync(join(tmpdir(), 'relais-types-'));
const made = join(folder, 'schema.ts');
execFileSync('npx', ['--no-install', 'openapi-typescript', 'openapi.json', '--output', made], { stdio: 'ignore' });
const fresh = readFileSync(made, 'utf8') === readFileSync('src/api/schema.ts', 'utf8');
rmSync(folder, { recursive: true });
if (!fresh) {
  console.error('src/api/schema.ts is not what openapi.json says: run npm run types');
  process.exit(1);
}
