// Phones as providers and companies have them: SIP by UDP, RTP in G.711, and a tone for a voice.
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

/** A socket of this machine's that is bound. A test that failed before it hung up is over all the same. */
async function bound(port = 0) {
  const socket = createSocket('udp4').unref();
  socket.bind(port, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

/** A header of a message, or all of that name. */
const headers = (message, name) => [...message.matchAll(new RegExp(`^${name}: (.*)$`, 'gm'))].map(([, value]) => value.trim());
const header = (message, name) => headers(message, name)[0];
const mediaPort = (sdp) => Number(/^m=audio (\d+) /m.exec(sdp)[1]);

function respond(message, status, { tag = '', more = [], body = '' } = {}) {
  const kept = ['Via', 'From', 'Call-ID', 'CSeq'].flatMap((name) => headers(message, name).map((value) => `${name}: ${value}`));
  const to = header(message, 'To');
  const head = [`SIP/2.0 ${status}`, ...kept, `To: ${to.includes('tag=') || !tag ? to : `${to};tag=${tag}`}`, ...more];
  return `${head.join('\r\n')}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** A mouth that says a tone, and an ear. */
class Voice {
  heardLately = [];
  said = 0;
  /** Whether the far end has hung up. */
  over = false;
  /** The keys that the far end pressed. */
  keys = '';

  description() {
    const port = this.rtp.address().port;
    const lines = ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 'c=IN IP4 127.0.0.1', 't=0 0', `m=audio ${port} RTP/AVP 0 ${EVENT}`];
    return `${[...lines, 'a=rtpmap:0 PCMU/8000', `a=rtpmap:${EVENT} telephone-event/8000`].join('\r\n')}\r\n`;
  }

  talk(hertz, far) {
    this.far = far;
    if (this.speech) return;
    this.rtp.on('message', (packet) => this.listen(packet));
    this.speech = setInterval(() => this.speak(hertz), 20).unref();
  }

  listen(packet) {
    if ((packet[1] & 0x7f) === EVENT) {
      this.keyOf(packet);
      return;
    }
    this.heardLately.push(...Array.from(packet.subarray(12), linear));
    this.heardLately.splice(0, this.heardLately.length - EAR);
  }

  /** RFC 4733: a key is several packets of one time stamp. */
  keyOf(packet) {
    const at = packet.readUInt32BE(4);
    if (at === this.keyAt) return;
    this.keyAt = at;
    this.keys += '0123456789*#ABCD'[packet[12]];
  }

  speak(hertz) {
    const packet = Buffer.alloc(12 + FRAME);
    packet.writeUInt8(0x80, 0);
    packet.writeUInt16BE((this.said / FRAME) & 0xffff, 2);
    packet.writeUInt32BE(this.said, 4);
    packet.writeUInt32BE(0x5eed, 8);
    for (let at = 0; at < FRAME; at += 1) packet[12 + at] = muLaw(Math.round(8_000 * Math.sin((2 * Math.PI * hertz * (this.said + at)) / RATE)));
    this.said += FRAME;
    this.rtp.send(packet, this.far, '127.0.0.1');
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

export class PlainCaller extends Voice {
  cseq = 0;

  /** Calls a number; resolves when the call is answered. */
  static async call(server, number, from, hertz) {
    const caller = new PlainCaller();
    [caller.host, caller.port] = server.split(':');
    caller.target = `sip:${number}@${server}`;
    caller.to = `<${caller.target}>`;
    caller.from = `<sip:${from}@provider.invalid>;tag=${from}`;
    caller.callId = `plain-${from}-${Date.now()}`;
    [caller.sip, caller.rtp] = [await bound(), await bound()];
    const answered = new Promise((done, fail) => {
      caller.sip.on('message', (message) => caller.receive(String(message), done, fail));
    });
    caller.send('INVITE', caller.description());
    const answer = await answered;
    caller.send('ACK');
    caller.talk(hertz, mediaPort(answer));
    return caller;
  }

  receive(message, done, fail) {
    const status = Number(/^SIP\/2.0 (\d+)/.exec(message)?.[1]);
    if (message.startsWith('BYE ')) {
      this.sip.send(respond(message, '200 OK'), this.port, this.host);
      this.over = true;
    } else if (status >= 300) {
      fail(new Error(message));
    } else if (status >= 200 && header(message, 'CSeq')?.endsWith('INVITE')) {
      this.to = header(message, 'To');
      this.target = /<([^>;]+)/.exec(header(message, 'Contact'))[1];
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
}

/** Somebody who is rung at an address of theirs, and answers at once. */
export class PlainPhone extends Voice {
  static async at(port, hertz) {
    const phone = new PlainPhone();
    [phone.sip, phone.rtp] = [await bound(port), await bound()];
    phone.sip.on('message', (message, { address, port: from }) => {
      for (const answer of phone.answers(String(message), hertz)) phone.sip.send(answer, from, address);
    });
    return phone;
  }

  answers(message, hertz) {
    const [method] = message.split(' ');
    const tag = 'plain';
    const more = [`Contact: <sip:plain@127.0.0.1:${this.sip.address().port}>`];
    if (method === 'INVITE') {
      this.over = false;
      this.talk(hertz, mediaPort(message));
      const answer = { tag, more: [...more, 'Content-Type: application/sdp'], body: this.description() };
      return [respond(message, '180 Ringing', { tag, more }), respond(message, '200 OK', answer)];
    }
    if (method === 'BYE') this.over = true;
    if (['BYE', 'OPTIONS', 'CANCEL'].includes(method)) return [respond(message, '200 OK', { tag })];
    // Whether they are there is not told to those who subscribe.
    return method === 'SUBSCRIBE' ? [respond(message, '489 Bad Event', { tag })] : [];
  }
}
