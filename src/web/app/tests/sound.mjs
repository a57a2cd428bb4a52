// Tones: a microphone that says one, and ears that know one.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const RATE = 48_000;

/** A browser whose microphone says this tone for ever. */
export function microphoneOf(hertz) {
  const samples = RATE;
  const wav = Buffer.alloc(44 + 2 * samples);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(36 + 2 * samples, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(RATE, 24);
  wav.writeUInt32LE(2 * RATE, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(2 * samples, 40);
  for (let at = 0; at < samples; at += 1) wav.writeInt16LE(Math.round(8_000 * Math.sin((2 * Math.PI * hertz * at) / RATE)), 44 + 2 * at);
  const file = join(mkdtempSync(join(tmpdir(), 'relais-tone-')), 'tone.wav');
  writeFileSync(file, wav);
  return ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', `--use-file-for-fake-audio-capture=${file}`, '--autoplay-policy=no-user-gesture-required', '--allow-loopback-in-peer-connection'];
}

/** Keeps every peer connection of a page where a test finds it. */
export const keepPeers = (page) =>
  page.addInitScript(() => {
    globalThis.peers = [];
    const Real = globalThis.RTCPeerConnection;
    globalThis.RTCPeerConnection = class extends Real {
      constructor(...given) {
        super(...given);
        globalThis.peers.push(this);
      }
    };
  });

/** What the page's voice is coded by. */
export const codecs = (page) =>
  page.evaluate(async () => {
    const peer = globalThis.peers.findLast((one) => one.connectionState !== 'closed');
    const told = [...(await peer.getStats()).values()];
    const used = told.filter(({ type, kind }) => type === 'outbound-rtp' && kind === 'audio').map(({ codecId }) => codecId);
    return told.filter(({ id }) => used.includes(id)).map(({ mimeType }) => mimeType);
  });

/** How much louder each tone is than the rest of what the page hears now, in decibels. */
export const heard = (page, tones) =>
  page.evaluate(async (all) => {
    const peer = globalThis.peers.findLast((one) => one.connectionState === 'connected');
    const track = peer?.getReceivers()[0]?.track;
    if (!track) return all.map(() => -99);
    // Chromium decodes what some element plays, and nothing else.
    globalThis.ear ??= Object.assign(new Audio(), { muted: true });
    if (globalThis.ear.srcObject?.getTracks()[0] !== track) globalThis.ear.srcObject = new MediaStream([track]);
    await globalThis.ear.play();
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 8_192;
    analyser.smoothingTimeConstant = 0;
    context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    await new Promise((done) => setTimeout(done, 400));
    const bins = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(bins);
    const width = context.sampleRate / analyser.fftSize;
    await context.close();
    return all.map((hertz) => Math.max(...bins.slice(Math.floor(hertz / width) - 1, Math.ceil(hertz / width) + 2)));
  }, tones);

/** The level of each tone in each channel of a recording, in decibels of full scale. */
export const recorded = (page, audio, tones) =>
  page.evaluate(
    async ([base64, all]) => {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const sound = await new OfflineAudioContext(2, 1, 8_000).decodeAudioData(bytes.buffer);
      const channels = Array.from({ length: sound.numberOfChannels }, (_, at) => sound.getChannelData(at));
      return channels.map((samples) => {
        const middle = samples.slice(samples.length / 3, (2 * samples.length) / 3);
        return all.map((hertz) => {
          const step = (2 * Math.PI * hertz) / sound.sampleRate;
          let [real, imaginary] = [0, 0];
          middle.forEach((sample, at) => {
            real += sample * Math.cos(step * at);
            imaginary += sample * Math.sin(step * at);
          });
          return 20 * Math.log10((2 * Math.hypot(real, imaginary)) / middle.length + 1e-9);
        });
      });
    },
    [audio.toString('base64'), tones],
  );
