// Puts .br and .gz beside every built text that gets smaller by it.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const dist = new URL('../dist/', import.meta.url);
for (const name of readdirSync(dist, { recursive: true })) {
  if (!/\.(js|css|html|svg|json)$/.test(name)) continue;
  const file = new URL(name, dist);
  const text = readFileSync(file);
  const forms = {
    br: brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
    gz: gzipSync(text, { level: 9 }),
  };
  for (const [ending, small] of Object.entries(forms)) {
    if (small.length + 64 < text.length) writeFileSync(new URL(`${name}.${ending}`, dist), small);
  }
}
