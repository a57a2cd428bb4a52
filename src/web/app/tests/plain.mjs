// A caller as providers bring them: SIP by UDP, RTP in G.711, and a tone for a voice.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const RATE = 8_000;
/** Samples of 20 ms, as much as a packet has. */
const FRAME = 160;
/** What is listened to at once: half a second. */
const EAR = RATE / 2;
const BIAS = 0x84;
/** The payload type of telephone-event. */
const EVENT = 101;

function muLaw(sample) {
  const magnitude = Math.min(Math.abs(sample), 32_635) + BIAS;
  const exponent = 24 - Math.clz32(magnitude);
  return ~((sample < 0 ? 0x80 : 0) | (exponent << 4) | ((magnitude >> (exponent + 3)) & 15)) & 0xff;
}

function linear(octet) {
  const code = ~octet & 0xff;
  const magnitude = ((((code & 15) << 3) + BIAS) << ((code >> 4) & 7)) - BIAS;
  return code & 0x80 ? -magnitude : magnitude;
}

/** A socket of this machine's that is bound. */
async function bound() {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

export class PlainCaller {
  heardLately = [];
  cseq = 0;
  said = 0;
  over = false;
  /** The keys that the far end pressed. */
  keys = '';

  /** Calls a number; resolves when the call is answered. */
  static async call(server, number, from, hertz) {
    const caller = new PlainCaller();
    [caller.host, caller.port] = server.split(':');
    caller.target = `sip:${number}@${server}`;
    caller.to = `<${caller.target}>`;
    caller.from = `<sip:${from}@provider.invalid>;tag=${from}`;
    caller.callId = `plain-${from}-${Date.now()}`;
    [caller.sip, caller.rtp] = [await bound(), await bound()];
    const port = caller.rtp.address().port;
    const offer = ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 'c=IN IP4 127.0.0.1', 't=0 0', `m=audio ${port} RTP/AVP 0 ${EVENT}`, 'a=rtpmap:0 PCMU/8000', `a=rtpmap:${EVENT} telephone-event/8000`, ''];
    const answered = new Promise((done, fail) => {
      caller.sip.on('message', (message) => caller.receive(String(message), done, fail));
    });
    caller.send('INVITE', offer.join('\r\n'));
    const answer = await answered;
    caller.send('ACK');
    const [, far] = /^m=audio (\d+) /m.exec(answer);
    caller.rtp.on('message', (packet) => {
      if ((packet[1] & 0x7f) === EVENT) {
        caller.keyOf(packet);
        return;
      }
      caller.heardLately.push(...Array.from(packet.subarray(12), linear));
      caller.heardLately.splice(0, caller.heardLately.length - EAR);
    });
    caller.speech = setInterval(() => caller.speak(hertz, Number(far)), 20);
    return caller;
  }

  /** RFC 4733: a key is several packets of one time stamp. */
  keyOf(packet) {
    const at = packet.readUInt32BE(4);
    if (at === this.keyAt) return;
    this.keyAt = at;
    this.keys += '0123456789*#ABCD'[packet[12]];
  }

  receive(message, done, fail) {
    const header = (name) => new RegExp(`^${name}: (.*)$`, 'm').exec(message)?.[1].trim();
    const status = Number(/^SIP\/2.0 (\d+)/.exec(message)?.[1]);
    if (message.startsWith('BYE ')) {
      const kept = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].map((name) => `${name}: ${header(name)}\r\n`).join('');
      this.sip.send(`SIP/2.0 200 OK\r\n${kept}Content-Length: 0\r\n\r\n`, this.port, this.host);
      this.over = true;
    } else if (status >= 300) {
      fail(new Error(message));
    } else if (status >= 200 && header('CSeq')?.endsWith('INVITE')) {
      this.to = header('To');
      this.target = /<([^>;]+)/.exec(header('Contact'))[1];
      done(message.split('\r\n\r\n')[1]);
    }
  }

  /** Presses keys, one after the other, by INFO. */
  press(keys) {
    for (const key of keys) this.send('INFO', `Signal=${key}\r\nDuration=160\r\n`, 'application/dtmf-relay');
  }

  hangUp() {
    this.send('BYE');
  }

  send(method, body = '', type = 'application/sdp') {
    if (method !== 'ACK') this.cseq += 1;
    const own = `127.0.0.1:${this.sip.address().port}`;
    const head = [
      `${method} ${this.target} SIP/2.0`,
      `Via: SIP/2.0/UDP ${own};branch=z9hG4bK${this.callId}${this.cseq}${method};rport`,
      'Max-Forwards: 70',
      `From: ${this.from}`,
      `To: ${this.to}`,
      `Call-ID: ${this.callId}`,
      `CSeq: ${this.cseq} ${method}`,
      `Contact: <sip:caller@${own}>`,
      `Content-Type: ${type}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
    ];
    this.sip.send(`${head.join('\r\n')}\r\n\r\n${body}`, this.port, this.host);
  }

  speak(hertz, port) {
    const packet = Buffer.alloc(12 + FRAME);
    packet.writeUInt8(0x80, 0);
    packet.writeUInt16BE((this.said / FRAME) & 0xffff, 2);
    packet.writeUInt32BE(this.said, 4);
    packet.writeUInt32BE(0x5eed, 8);
    for (let at = 0; at < FRAME; at += 1) packet[12 + at] = muLaw(Math.round(8_000 * Math.sin((2 * Math.PI * hertz * (this.said + at)) / RATE)));
    this.said += FRAME;
    this.rtp.send(packet, port, '127.0.0.1');
  }

  /** How loud each tone is in the last half-second, in decibels of full scale. */
  hears(tones) {
    return tones.map((hertz) => {
      let [real, imaginary] = [0, 0];
      this.heardLately.forEach((sample, at) => {
        real += sample * Math.cos((2 * Math.PI * hertz * at) / RATE);
        imaginary += sample * Math.sin((2 * Math.PI * hertz * at) / RATE);
      });
      return 20 * Math.log10((2 * Math.hypot(real, imaginary)) / EAR / 32_768 + 1e-9);
    });
  }

  close() {
    clearInterval(this.speech);
    this.sip.close();
    this.rtp.close();
  }
}
