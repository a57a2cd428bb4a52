// Records from the microphone. What comes out is a WAV: browsers' own formats are none that the server takes.
import { openMicrophone } from '../../phone/sound';
import tap from './tap.worklet.js?url';

/** As long as a prompt may be. */
export const LONGEST_S = 300;

export interface Take {
  samples: Float32Array<ArrayBuffer>;
  rate: number;
  /** The loudest sample, 0 to 1. */
  peak: number;
}

export const lengthMs = (take: Take) => (take.samples.length / take.rate) * 1_000;

export class Recorder {
  private readonly pieces: Float32Array[] = [];
  private length = 0;
  private peak = 0;

  private constructor(
    private readonly stream: MediaStream,
    private readonly context: AudioContext,
    private readonly onHeard: (level: number, ms: number) => void,
    private readonly onFull: () => void,
  ) {}

  /** `onHeard`: how loud it is just now, and how long it lasts; `onEnd`: no more fits, or the microphone is gone. */
  static async start(onHeard: (level: number, ms: number) => void, onEnd: () => void): Promise<Recorder> {
    const stream = await openMicrophone(onEnd);
    const context = new AudioContext();
    const recorder = new Recorder(stream, context, onHeard, onEnd);
    try {
      await context.audioWorklet.addModule(tap);
    } catch (error) {
      recorder.close();
      throw error;
    }
    const node = new AudioWorkletNode(context, 'tap', { numberOfOutputs: 1 });
    node.port.onmessage = ({ data }: MessageEvent<Float32Array>) => recorder.take(data);
    context.createMediaStreamSource(stream).connect(node).connect(context.destination);
    return recorder;
  }

  private take(piece: Float32Array) {
    this.pieces.push(piece);
    this.length += piece.length;
    const loudest = piece.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    this.peak = Math.max(this.peak, loudest);
    this.onHeard(loudest, (this.length / this.context.sampleRate) * 1_000);
    if (this.length >= LONGEST_S * this.context.sampleRate) this.onFull();
  }

  private close() {
    for (const track of this.stream.getTracks()) track.stop();
    void this.context.close();
  }

  stop(): Take {
    this.close();
    const samples = new Float32Array(Math.min(this.length, LONGEST_S * this.context.sampleRate));
    let at = 0;
    for (const piece of this.pieces) {
      const fits = piece.subarray(0, samples.length - at);
      samples.set(fits, at);
      at += fits.length;
    }
    return { samples, rate: this.context.sampleRate, peak: this.peak };
  }
}

const HEAD = 44;

/** One channel, 16 bits. */
export function wavOf({ samples, rate }: Take): ArrayBuffer {
  const file = new ArrayBuffer(HEAD + 2 * samples.length);
  const view = new DataView(file);
  const word = (at: number, text: string) => [...text].forEach((letter, n) => view.setUint8(at + n, letter.charCodeAt(0)));
  word(0, 'RIFF');
  view.setUint32(4, file.byteLength - 8, true);
  word(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  word(36, 'data');
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((sample, n) => view.setInt16(HEAD + 2 * n, Math.round(Math.max(-1, Math.min(1, sample)) * 0x7fff), true));
  return file;
}

/** Plays a take; gives what stops it. The page's policy lets no address of its own making be played, so no element does it. */
export function listen({ samples, rate }: Take, onEnd: () => void): () => void {
  const context = new AudioContext();
  const buffer = context.createBuffer(1, samples.length, rate);
  buffer.copyToChannel(samples, 0);
  const source = context.createBufferSource();
  source.buffer = buffer;
  source.connect(context.destination);
  source.onended = () => {
    void context.close();
    onEnd();
  };
  source.start();
  return () => source.stop();
}
