// The script that the agent's page loads, gzipped, held to its bound.
import { existsSync, readFileSync, statSync } from 'node:fs';

const BOUND = 300_000;
const dist = new URL('../dist/', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', dist)));
const load = (name, seen = new Set()) => {
  if (seen.has(name)) return seen;
  seen.add(name);
  for (const next of manifest[name].imports ?? []) load(next, seen);
  return seen;
};
// The start page, and what it fetches when an agent has logged in, and when the page becomes their phone.
const needed = new Set([...load('index.html'), ...load('src/pages/desk/index.tsx'), ...load('src/phone/softphone.ts')]);
let sum = 0;
for (const name of needed) {
  const file = manifest[name].file;
  const packed = new URL(`${file}.gz`, dist);
  const size = statSync(existsSync(packed) ? packed : new URL(file, dist)).size;
  console.log(`${String(size).padStart(8)}  ${file}`);
  sum += size;
}
console.log(`${String(sum).padStart(8)}  script of the agent's page, gzipped; at most ${BOUND}`);
if (sum > BOUND) process.exit(1);
