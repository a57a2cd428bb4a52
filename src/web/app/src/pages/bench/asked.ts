// What is asked of the server about the drafts: the answer stays until it is asked anew, and knows of which drafts it is.
import { batch, computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { type Fault, faultOf } from '../../ui/fault';
import { type Drafts, drafts } from './state';

export interface Asked<T, A extends unknown[]> {
  said: Signal<T | null>;
  fault: Signal<Fault | null>;
  busy: Signal<boolean>;
  /** What stands in the editor is another text by now. */
  old: ReadonlySignal<boolean>;
  ask: (...args: A) => Promise<void>;
}

export function asked<T, A extends unknown[]>(what: (...args: A) => Promise<T>): Asked<T, A> {
  const said = signal<T | null>(null);
  const fault = signal<Fault | null>(null);
  const busy = signal(false);
  const of = signal<Drafts | null>(null);
  const ask = async (...args: A) => {
    if (busy.value) return;
    busy.value = true;
    const asking = drafts.value;
    try {
      const answer = await what(...args);
      batch(() => {
        said.value = answer;
        fault.value = null;
      });
    } catch (error) {
      batch(() => {
        said.value = null;
        fault.value = faultOf(error);
      });
    }
    of.value = asking;
    busy.value = false;
  };
  return { said, fault, busy, ask, old: computed(() => of.value !== null && of.value !== drafts.value) };
}
