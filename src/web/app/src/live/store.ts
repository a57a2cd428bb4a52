// The live state of the centre as this page knows it: lists read once, then kept by events.
import { batch, computed, signal } from '@preact/signals';
import { type Agent, api, type Call, type Callback, type Centre, type Expert, ok, type Queue, Refused, type Schemas, type Who } from '../api/client';
import { zone } from '../i18n';
import { EventStream, type LiveEvent } from './stream';

export const me = signal<Who | null>(null);
export const centre = signal<Centre | null>(null);
export const agents = signal<ReadonlyMap<string, Agent>>(new Map());
export const calls = signal<ReadonlyMap<string, Call>>(new Map());
export const queues = signal<ReadonlyMap<string, Queue>>(new Map());
export const callbacks = signal<ReadonlyMap<string, Callback>>(new Map());
export const experts = signal<ReadonlyMap<string, Expert>>(new Map());
export const connected = signal(true);
export const loaded = signal(false);
/** The latest calls that ended, with their records: what somebody wraps up is among them. */
export const ended = signal<ReadonlyMap<string, EndedCall>>(new Map());
/** Milliseconds that the server's clock is ahead of this one's. */
export const skew = signal(0);
/** Wakes what shows times: once a second. */
export const tick = signal(Date.now());

export interface EndedCall {
  call_id: string;
  from: string;
  to: string;
  queue: string | null;
  agent: string | null;
  outcome: string | null;
  ended_by: string | null;
  wait_ms: number | null;
  talk_ms: number | null;
  started_at: string;
  ended_at: string | null;
  conversations?: Schemas['Conversation'][];
}

const ENDED_KEPT = 200;
const FIGURES_EVERY_MS = 10_000;
const ANSWER_WITHIN_MS = 6_000;

/** The time of the server, in milliseconds. */
export const serverNow = computed(() => tick.value + skew.value);

let stream: EventStream | null = null;
let timers: number[] = [];
/** What each list already holds. */
let held: Record<string, number> = {};

const byId = <T>(list: T[], id: (one: T) => string) => new Map(list.map((one) => [id(one), one]));
const soon = () => ({ signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });

async function readLists(): Promise<number> {
  const [theCalls, theAgents, theQueues, theCallbacks, theExperts] = await Promise.all([
    ok(api.GET('/calls', soon())),
    ok(api.GET('/agents', soon())),
    ok(api.GET('/queues', soon())),
    ok(api.GET('/callbacks', soon())),
    ok(api.GET('/experts', soon())),
  ]);
  batch(() => {
    // A pair is a list to the client's types.
    calls.value = byId(theCalls.calls as Call[], (call) => call.call_id);
    agents.value = byId(theAgents.agents, (agent) => agent.id);
    queues.value = byId(theQueues.queues, (queue) => queue.id);
    callbacks.value = byId(theCallbacks.callbacks, (callback) => callback.callback_id);
    experts.value = byId(theExperts.experts, (expert) => expert.id);
    loaded.value = true;
  });
  held = {
    call: theCalls.seq,
    ended: theCalls.seq,
    agent: theAgents.seq,
    queue: theQueues.seq,
    callback: theCallbacks.seq,
    expert: theExperts.seq,
  };
  return Math.min(...Object.values(held));
}

/** Takes the figures from what was read; who has the same as before stays the same object, and is not drawn anew. */
function withFigures<T extends { today: object }>(now: ReadonlyMap<string, T>, read: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  const next = [...now].map(([id, one]): [string, T] => {
    const today = read.get(id)?.today ?? one.today;
    return [id, JSON.stringify(today) === JSON.stringify(one.today) ? one : { ...one, today }];
  });
  return next.every(([id, one]) => now.get(id) === one) ? now : new Map(next);
}

/** The figures of the day come with the lists, not with events. */
async function refreshFigures() {
  try {
    const [theAgents, theQueues, theCentre] = await Promise.all([
      ok(api.GET('/agents', soon())),
      ok(api.GET('/queues', soon())),
      ok(api.GET('/centre', soon())),
    ]);
    batch(() => {
      centre.value = theCentre;
      agents.value = withFigures(agents.value, byId(theAgents.agents, (agent) => agent.id));
      queues.value = withFigures(queues.value, byId(theQueues.queues, (queue) => queue.id));
    });
  } catch (error) {
    // A network that swallows everything does not close the WebSocket: this notices it.
    if (!(error instanceof Refused)) stream?.renew();
  }
}

function apply(events: LiveEvent[]) {
  const next = {
    calls: new Map(calls.value),
    agents: new Map(agents.value),
    queues: new Map(queues.value),
    callbacks: new Map(callbacks.value),
    experts: new Map(experts.value),
    ended: new Map(ended.value),
  };
  const changed = new Set<keyof typeof next>();
  for (const event of events) {
    if (event.seq <= (held[event.type] ?? 0)) continue;
    const { seq: _seq, at: _at, type, ...rest } = event;
    const body: unknown = rest;
    switch (type) {
      case 'call': {
        const call = body as Call;
        next.calls.set(call.call_id, call);
        changed.add('calls');
        break;
      }
      case 'ended': {
        const call = body as EndedCall;
        next.calls.delete(call.call_id);
        next.ended.set(call.call_id, call);
        for (const oldest of next.ended.keys()) {
          if (next.ended.size <= ENDED_KEPT) break;
          next.ended.delete(oldest);
        }
        changed.add('calls').add('ended');
        break;
      }
      case 'agent': {
        const agent = body as Agent;
        next.agents.set(agent.id, { ...agent, today: next.agents.get(agent.id)?.today ?? {} });
        changed.add('agents');
        break;
      }
      case 'queue': {
        const queue = body as Queue;
        next.queues.set(queue.id, { ...queue, today: next.queues.get(queue.id)?.today ?? {} });
        changed.add('queues');
        break;
      }
      case 'callback': {
        const callback = body as Callback;
        if (['done', 'failed', 'cancelled'].includes(callback.state)) next.callbacks.delete(callback.callback_id);
        else next.callbacks.set(callback.callback_id, callback);
        changed.add('callbacks');
        break;
      }
      case 'expert': {
        const expert = body as Expert;
        next.experts.set(expert.id, expert);
        changed.add('experts');
        break;
      }
      case 'expert_gone':
        next.experts.delete((body as Expert).id);
        changed.add('experts');
        break;
      default:
    }
  }
  const last = events[events.length - 1];
  batch(() => {
    if (last) noteTime(last.at);
    if (changed.has('calls')) calls.value = next.calls;
    if (changed.has('ended')) ended.value = next.ended;
    if (changed.has('agents')) agents.value = next.agents;
    if (changed.has('queues')) queues.value = next.queues;
    if (changed.has('callbacks')) callbacks.value = next.callbacks;
    if (changed.has('experts')) experts.value = next.experts;
  });
}

/** An answer takes some time to come, so the server is at least as far. */
function noteTime(at: string) {
  const ahead = Date.parse(at) - Date.now();
  if (ahead > skew.value) skew.value = ahead;
}

/** Begins to follow the centre for whoever is logged in. */
export async function follow(who: Who) {
  me.value = who;
  skew.value = Date.parse(who.now) - Date.now();
  const [seq, theCentre] = await Promise.all([readLists(), ok(api.GET('/centre'))]);
  centre.value = theCentre;
  zone.value = theCentre.time_zone;
  stream = new EventStream(seq, {
    onEvents: apply,
    onLost: readLists,
    onConnection: (up) => {
      connected.value = up;
    },
    isLoggedIn: async () => {
      try {
        await api.GET('/session', soon());
        return true;
      } catch (error) {
        if (error instanceof Refused && error.status === 401) return false;
        throw error;
      }
    },
  });
  timers = [
    window.setInterval(() => {
      tick.value = Date.now();
    }, 1_000),
    window.setInterval(() => void refreshFigures(), FIGURES_EVERY_MS),
  ];
}

/** Forgets everything. */
export function leave() {
  stream?.close();
  stream = null;
  for (const timer of timers) window.clearInterval(timer);
  timers = [];
  batch(() => {
    me.value = null;
    loaded.value = false;
    calls.value = new Map();
    agents.value = new Map();
    queues.value = new Map();
    callbacks.value = new Map();
    experts.value = new Map();
    ended.value = new Map();
  });
}
