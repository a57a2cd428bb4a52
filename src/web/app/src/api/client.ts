// The API as this page uses it: types from its description, errors as exceptions with what the server says.
import createClient, { type Middleware } from 'openapi-fetch';
import type { components, paths } from './schema';

export type Schemas = components['schemas'];
export type Agent = Schemas['AgentNow'];
export type AgentState = Schemas['AgentState'];
export type Call = Schemas['CallView'];
export type Queue = Schemas['QueueNow'];
export type Callback = Schemas['CallbackView'];
export type Expert = Schemas['ExpertView'];
export type Centre = Schemas['CentreView'];
export type CallRecord = Schemas['RecordView'];
export type CallTrace = Schemas['CallTrace'];
export type Who = Schemas['Who'];
export type Role = Schemas['Role'];

/** A request that the server refused, with its sentence. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly retryAfter: number | null = null,
    /** What is wrong with the operator's files, where that is the reason. */
    readonly findings: Schemas['Finding'][] = [],
  ) {
    super(message);
  }
}

/** No answer at all. */
export class Unreachable extends Error {}

/** Called when the session is over. */
let onLoggedOut = () => {};
export const whenLoggedOut = (then: () => void) => {
  onLoggedOut = then;
};

const checked: Middleware = {
  onRequest({ request }) {
    // No page of another host can send this, so the server knows that the request is ours.
    request.headers.set('X-Relais', '1');
    return request;
  },
  async onResponse({ response, schemaPath }) {
    if (response.ok) return response;
    const body = await response.clone().json().catch(() => null);
    const error = body?.error ?? {};
    if (response.status === 401 && schemaPath !== '/login') onLoggedOut();
    const retry = Number(response.headers.get('Retry-After'));
    throw new Refused(response.status, error.code ?? 'unknown', error.message ?? response.statusText, retry || null, error.findings ?? []);
  },
  onError() {
    return new Unreachable('unreachable');
  },
};

export const api = createClient<paths>({ baseUrl: '/api/v1', credentials: 'same-origin' });
api.use(checked);

/** The body of an answer that is there, since others throw. */
export async function ok<T>(answer: Promise<{ data?: T }>): Promise<T> {
  return (await answer).data as T;
}
