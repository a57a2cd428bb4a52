// Microphone, speaker and the ring, as this machine has them.

export class MicrophoneFault extends Error {
  constructor(readonly problem: 'no_permission' | 'no_microphone' | 'microphone_busy' | 'insecure') {
    super(problem);
  }
}

const MICROPHONE = 'relais.microphone';
const SPEAKER = 'relais.speaker';

export const chosen = { microphone: () => localStorage.getItem(MICROPHONE) ?? '', speaker: () => localStorage.getItem(SPEAKER) ?? '' };

const keep = (key: string, id: string) => (id ? localStorage.setItem(key, id) : localStorage.removeItem(key));
export const chooseMicrophone = (id: string) => keep(MICROPHONE, id);
export const chooseSpeaker = (id: string) => keep(SPEAKER, id);

/** Their names are known once a microphone was allowed. */
export async function devices() {
  const all = await navigator.mediaDevices.enumerateDevices();
  const of = (kind: MediaDeviceKind) => all.filter((device) => device.kind === kind && device.deviceId && device.deviceId !== 'default');
  return { microphones: of('audioinput'), speakers: of('audiooutput') };
}

/** The chosen microphone, or another where that one is gone. `onGone`: it was unplugged. */
export async function openMicrophone(onGone: () => void): Promise<MediaStream> {
  // A browser gives a microphone to pages that came by https only, and to those of this machine.
  if (!navigator.mediaDevices) throw new MicrophoneFault('insecure');
  const id = chosen.microphone();
  const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, ...(id ? { deviceId: { ideal: id } } : {}) };
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio, video: false });
    stream.getAudioTracks()[0]?.addEventListener('ended', onGone, { once: true });
    return stream;
  } catch (error) {
    const name = error instanceof DOMException ? error.name : '';
    if (name === 'NotAllowedError' || name === 'SecurityError') throw new MicrophoneFault('no_permission');
    throw new MicrophoneFault(name === 'NotReadableError' || name === 'AbortError' ? 'microphone_busy' : 'no_microphone');
  }
}

const LEVEL_EVERY_MS = 100;
/** What counts as silence, and as loud, in decibels of full scale. */
const QUIET_DB = -60;
const LOUD_DB = -10;

let context: AudioContext | null = null;

/** One for the page. A browser lets it sound after the first touch or key. */
function sounds(): AudioContext {
  context ??= new AudioContext();
  if (context.state === 'suspended') void context.resume();
  return context;
}

/** Tells how loud a stream is, from 0 to 1, until it is told to stop. */
export function watchLevel(stream: MediaStream, onLevel: (level: number) => void): () => void {
  const source = sounds().createMediaStreamSource(stream);
  const analyser = sounds().createAnalyser();
  analyser.fftSize = 1_024;
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = window.setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    const decibels = 10 * Math.log10(power + 1e-12);
    onLevel(Math.min(1, Math.max(0, (decibels - QUIET_DB) / (LOUD_DB - QUIET_DB))));
  }, LEVEL_EVERY_MS);
  return () => {
    window.clearInterval(timer);
    source.disconnect();
  };
}

/** What comes from the far end, on the chosen speaker. */
export class Speaker {
  private readonly audio = new Audio();

  constructor() {
    this.audio.autoplay = true;
  }

  play(stream: MediaStream) {
    this.audio.srcObject = stream;
    void this.use();
    void this.audio.play().catch(() => undefined);
  }

  async use() {
    // A speaker that is gone is no reason for silence.
    await this.audio.setSinkId?.(chosen.speaker()).catch(() => this.audio.setSinkId(''));
  }

  stop() {
    this.audio.srcObject = null;
  }
}

/** Two tones, one second in four. */
export class Ring {
  private timer = 0;

  start() {
    if (this.timer) return;
    const sound = () => {
      const from = sounds();
      const gain = from.createGain();
      gain.connect(from.destination);
      gain.gain.setValueAtTime(0, from.currentTime);
      gain.gain.linearRampToValueAtTime(0.2, from.currentTime + 0.05);
      gain.gain.setValueAtTime(0.2, from.currentTime + 0.95);
      gain.gain.linearRampToValueAtTime(0, from.currentTime + 1);
      for (const pitch of [440, 554]) {
        const tone = from.createOscillator();
        tone.frequency.value = pitch;
        tone.connect(gain);
        tone.start();
        tone.stop(from.currentTime + 1);
      }
    };
    sound();
    this.timer = window.setInterval(sound, 4_000);
  }

  stop() {
    window.clearInterval(this.timer);
    this.timer = 0;
  }
}
