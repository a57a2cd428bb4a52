// The stream of events over one WebSocket. After a break it goes on after the last event that was seen, so that nothing is
// missed; where the server no longer has what followed, the lists are read again.

export interface LiveEvent {
  seq: number;
  at: string;
  type: string;
  [field: string]: unknown;
}

export interface Listener {
  /** Events in order, some at once. */
  onEvents(events: LiveEvent[]): void;
  /** What followed the last event is gone: read the lists again. Resolves to the number they stand at. */
  onLost(): Promise<number>;
  onConnection(up: boolean): void;
  /** Before each new attempt: whether somebody is still logged in. Throws where the server cannot be reached. */
  isLoggedIn(): Promise<boolean>;
}

const SHORTEST_MS = 250;
const LONGEST_MS = 5_000;

export class EventStream {
  private socket: WebSocket | null = null;
  private waiting: LiveEvent[] = [];
  private scheduled = false;
  private pause = SHORTEST_MS;
  private timer: number | undefined;
  private closed = false;

  constructor(
    private seq: number,
    private readonly listener: Listener,
  ) {
    window.addEventListener('online', this.hurry);
    this.connect();
  }

  close() {
    this.closed = true;
    window.clearTimeout(this.timer);
    window.removeEventListener('online', this.hurry);
    this.socket?.close();
  }

  /** The connection is doubted: something else got no answer. */
  renew() {
    if (this.socket?.readyState === WebSocket.OPEN) this.drop(this.socket);
  }

  private hurry = () => {
    if (this.socket) return;
    window.clearTimeout(this.timer);
    this.pause = SHORTEST_MS;
    void this.retry();
  };

  private connect() {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const socket = new WebSocket(`${scheme}://${location.host}/api/v1/events?since=${this.seq}`);
    this.socket = socket;
    socket.onopen = () => {
      this.pause = SHORTEST_MS;
      this.listener.onConnection(true);
    };
    socket.onmessage = (message) => {
      if (socket === this.socket) this.take(JSON.parse(message.data as string) as LiveEvent, socket);
    };
    socket.onclose = () => {
      if (socket === this.socket) this.drop(socket);
    };
  }

  private drop(socket: WebSocket) {
    this.socket = null;
    socket.onclose = null;
    socket.close();
    if (this.closed) return;
    this.listener.onConnection(false);
    // Many pages come back at once when a server starts: not all in the same moment.
    const pause = this.pause * (0.5 + Math.random());
    this.pause = Math.min(this.pause * 2, LONGEST_MS);
    this.timer = window.setTimeout(() => void this.retry(), pause);
  }

  private async retry() {
    if (this.closed || this.socket) return;
    try {
      if (!(await this.listener.isLoggedIn())) return;
      this.connect();
    } catch {
      this.pause = Math.min(this.pause * 2, LONGEST_MS);
      this.timer = window.setTimeout(() => void this.retry(), this.pause);
    }
  }

  private take(event: LiveEvent, socket: WebSocket) {
    if (event.type === 'reset' || event.seq !== this.seq + 1) {
      void this.startOver(socket);
      return;
    }
    this.seq = event.seq;
    this.waiting.push(event);
    if (this.scheduled) return;
    this.scheduled = true;
    // Once a frame is as often as anybody sees; a hidden page has no frames.
    if (document.hidden) window.setTimeout(this.flush, 50);
    else requestAnimationFrame(this.flush);
  }

  private flush = () => {
    this.scheduled = false;
    const events = this.waiting;
    this.waiting = [];
    if (events.length) this.listener.onEvents(events);
  };

  private async startOver(socket: WebSocket) {
    this.flush();
    this.socket = null;
    socket.onclose = null;
    socket.close();
    try {
      this.seq = await this.listener.onLost();
      if (!this.closed) this.connect();
    } catch {
      this.listener.onConnection(false);
      this.timer = window.setTimeout(() => void this.startOver(socket), LONGEST_MS);
    }
  }
}
