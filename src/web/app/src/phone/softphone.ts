// SIP over WebSocket and the browser's own WebRTC, by JsSIP: one registration, one call.
import JsSIP from 'jssip';
import type { RTCSession } from 'jssip/lib/RTCSession';
import type { RTCSessionEvent } from 'jssip/lib/UA';
import { api, ok, Refused, type Schemas } from '../api/client';
import type { Problem, Ringing } from './index';
import { Speaker } from './sound';

type UA = InstanceType<typeof JsSIP.UA>;

interface Told {
  stream: () => MediaStream | null;
  onStatus: (status: 'ready' | 'connecting') => void;
  onProblem: (problem: Problem) => void;
  onRinging: (ringing: Ringing | null) => void;
  onBusy: (busy: boolean) => void;
}

const REGISTER_EXPIRES_S = 300;
/** RFC 4733: long enough for every receiver. */
const KEY_MS = 160;
/** What was lent is lent anew in half its time, and sooner where that fails. */
const AGAIN_MS = 15_000;

/** The dialog of the call, kept over a reload of the page: the new page takes the place of the old one in it. */
const KEPT = 'relais.call';

interface Dialog {
  callId: string;
  localTag: string;
  remoteTag: string;
}

export class Softphone {
  private session: RTCSession | null = null;
  private readonly speaker = new Speaker();
  private renewal = 0;
  private stopped = false;
  private registeredBefore = false;

  private constructor(
    private readonly ua: UA,
    private readonly agent: string,
    private readonly address: string,
    private iceServers: Schemas['IceServer'][],
    private readonly told: Told,
  ) {}

  /** Registers; what becomes of that is told. */
  static async start(agent: string, told: Told): Promise<Softphone> {
    const lent = await lend(agent);
    const socket = new URL(lent.socket, location.href);
    socket.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    const ua = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(socket.href)],
      uri: lent.address,
      authorization_user: lent.user,
      password: lent.password,
      register_expires: REGISTER_EXPIRES_S,
      connection_recovery_min_interval: 1,
      connection_recovery_max_interval: 8,
      user_agent: 'Relais desk',
    });
    const phone = new Softphone(ua, agent, lent.address, lent.ice_servers, told);
    phone.follow();
    phone.renewIn(Date.parse(lent.expires_at) - Date.now());
    ua.start();
    return phone;
  }

  private follow() {
    const connecting = () => {
      if (!this.stopped) this.told.onStatus('connecting');
    };
    this.ua.on('connecting', connecting);
    this.ua.on('disconnected', connecting);
    this.ua.on('unregistered', connecting);
    this.ua.on('registered', () => {
      this.told.onStatus('ready');
      if (!this.registeredBefore) this.resume();
      else if (this.session?.isEstablished()) this.mend();
      this.registeredBefore = true;
    });
    this.ua.on('registrationFailed', () => {
      connecting();
      if (this.stopped) return;
      this.told.onProblem('not_registered');
      this.renewIn(0);
    });
    this.ua.on('newRTCSession', (event: RTCSessionEvent) => {
      if (event.originator === 'remote') this.incoming(event.session);
    });
  }

  private renewIn(left: number) {
    window.clearTimeout(this.renewal);
    this.renewal = window.setTimeout(() => void this.renew(), Math.max(AGAIN_MS, left / 2));
  }

  /** A session that is over is told by the page itself; anything else is tried again. */
  private async renew() {
    try {
      const lent = await lend(this.agent);
      if (this.stopped) return;
      this.ua.set('password', lent.password);
      this.iceServers = lent.ice_servers;
      this.renewIn(Date.parse(lent.expires_at) - Date.now());
      if (this.ua.isConnected() && !this.ua.isRegistered()) this.ua.register();
    } catch (error) {
      if (!(error instanceof Refused && error.status === 401)) this.renewIn(0);
    }
  }

  private incoming(session: RTCSession) {
    if (this.session) {
      session.terminate({ status_code: 486 });
      return;
    }
    this.take(session);
    this.told.onRinging({ from: session.remote_identity.display_name || session.remote_identity.uri.user || '' });
  }

  /** From now on this is the call of the phone. */
  private take(session: RTCSession) {
    this.session = session;
    // Waiting for every candidate would keep the caller waiting too: our server needs none of ours.
    session.on('icecandidate', (event) => event.ready());
    session.on('peerconnection', ({ peerconnection }) => this.listen(peerconnection));
    if (session.connection) this.listen(session.connection);
    session.on('accepted', () => this.told.onRinging(null));
    session.on('confirmed', () => {
      this.told.onBusy(true);
      keep(session);
    });
    const over = (failed: boolean) => {
      if (this.session !== session) return;
      this.session = null;
      sessionStorage.removeItem(KEPT);
      this.speaker.stop();
      this.told.onRinging(null);
      this.told.onBusy(false);
      if (failed) this.told.onProblem('call_failed');
    };
    session.on('ended', () => over(false));
    session.on('failed', ({ cause }) => over(FAULTS.has(cause)));
  }

  private listen(connection: RTCPeerConnection) {
    connection.addEventListener('track', ({ streams, track }) => this.speaker.play(streams[0] ?? new MediaStream([track])));
  }

  answer() {
    const stream = this.told.stream();
    if (this.session && stream) this.session.answer({ mediaStream: stream, pcConfig: { iceServers: this.iceServers } });
  }

  decline() {
    this.session?.terminate({ status_code: 486, reason_phrase: 'Busy Here' });
  }

  sendKey(key: string) {
    this.session?.sendDTMF(key, { duration: KEY_MS, transportType: JsSIP.C.DTMF_TRANSPORT.RFC2833 });
  }

  mute(on: boolean) {
    if (on) this.session?.mute({ audio: true });
    else this.session?.unmute({ audio: true });
  }

  async replaceMicrophone(stream: MediaStream) {
    const sender = this.session?.connection?.getSenders().find(({ track }) => track?.kind === 'audio');
    const muted = this.session?.isMuted().audio ?? false;
    for (const track of stream.getAudioTracks()) track.enabled = !muted;
    await sender?.replaceTrack(stream.getAudioTracks()[0] ?? null);
  }

  useSpeaker() {
    return this.speaker.use();
  }

  /** The network is another one, perhaps: a new way for the voice (RFC 8445 §9). */
  private mend() {
    this.session?.renegotiate({ rtcOfferConstraints: { iceRestart: true } });
  }

  /** A page that was loaded anew takes the call back that the one before had. */
  private resume() {
    const stream = this.told.stream();
    const dialog = kept();
    sessionStorage.removeItem(KEPT);
    if (!dialog || !stream) return;
    const replaces = `Replaces: ${dialog.callId};to-tag=${dialog.remoteTag};from-tag=${dialog.localTag}`;
    const session = this.ua.call(this.address, { mediaStream: stream, pcConfig: { iceServers: this.iceServers }, extraHeaders: [replaces] });
    this.take(session);
  }

  stop() {
    this.stopped = true;
    window.clearTimeout(this.renewal);
    this.ua.stop();
    this.speaker.stop();
  }
}

/** Other causes are what somebody did: declined, hung up, answered elsewhere. */
const FAULTS: ReadonlySet<string> = new Set([
  JsSIP.C.causes.WEBRTC_ERROR,
  JsSIP.C.causes.USER_DENIED_MEDIA_ACCESS,
  JsSIP.C.causes.BAD_MEDIA_DESCRIPTION,
  JsSIP.C.causes.INCOMPATIBLE_SDP,
  JsSIP.C.causes.RTP_TIMEOUT,
]);

const lend = (agent: string): Promise<Schemas['Softphone']> => ok(api.POST('/agents/{id}/phone', { params: { path: { id: agent } } }));

function keep(session: RTCSession) {
  // JsSIP keeps the dialog to itself; its tags are what another phone has to name (RFC 3891).
  const { id } = (session as unknown as { _dialog: { id: { call_id: string; local_tag: string; remote_tag: string } } })._dialog;
  const dialog: Dialog = { callId: id.call_id, localTag: id.local_tag, remoteTag: id.remote_tag };
  sessionStorage.setItem(KEPT, JSON.stringify(dialog));
}

function kept(): Dialog | null {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? 'null') as Dialog | null;
  } catch {
    return null;
  }
}
