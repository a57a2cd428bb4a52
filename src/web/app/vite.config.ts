import { defineConfig } from 'vite';

// Everything is served by Relais itself under a strict policy: no inline script, no data: in place of a file.
export default defineConfig({
  base: '/',
  build: {
    target: 'es2022',
    // scripts/clean.mjs empties it; the folder itself belongs to the repository.
    emptyOutDir: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    manifest: true,
  },
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  server: { proxy: { '/api': { target: 'http://127.0.0.1:8080', ws: true } } },
});
