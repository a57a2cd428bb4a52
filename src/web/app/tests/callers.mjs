// Colleagues' browsers that call, each with a library of others' as it comes.
import { build } from 'esbuild';
import { keepPeers } from './sound.mjs';

/** JsSIP and SIP.js as one script that makes them global. */
export async function libraries() {
  const contents = "import JsSIP from 'jssip'; import * as SIP from 'sip.js'; Object.assign(globalThis, { JsSIP, SIP });";
  const built = await build({ stdin: { contents, resolveDir: import.meta.dirname }, bundle: true, format: 'iife', write: false });
  return built.outputFiles[0].text;
}

/** A colleague's browser that calls a number with JsSIP as it comes; resolves when it has begun to. */
export async function callBy({ lab, callers, library }, number, from) {
  const page = await lab.page({ browser: callers });
  await keepPeers(page);
  await page.goto(`http://${lab.web}/`);
  await page.evaluate(library);
  await page.evaluate(
    async ([user, to]) => {
      const { JsSIP } = globalThis;
      const ua = new JsSIP.UA({ sockets: [new JsSIP.WebSocketInterface(`ws://${location.host}/sip`)], uri: `sip:${user}@relais.localhost`, password: `demo-${user}` });
      await new Promise((done, fail) => {
        ua.on('registered', done);
        ua.on('registrationFailed', ({ cause }) => fail(new Error(cause)));
        ua.start();
      });
      globalThis.session = ua.call(`sip:${to}@relais.localhost`, { mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: [] } });
      globalThis.session.on('icecandidate', (event) => event.ready());
      globalThis.over = new Promise((done) => {
        for (const end of ['ended', 'failed']) globalThis.session.on(end, ({ cause }) => done(cause));
      });
    },
    [from, number],
  );
  return page;
}
