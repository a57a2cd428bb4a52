// From the microphone: record, listen, and only then let callers hear it.
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { span, t } from '../../i18n';
import { b } from '../../i18n/bench';
import { MicrophoneFault } from '../../phone/sound';
import { tell } from '../../ui/act';
import { Button } from '../../ui/parts';
import { silence } from './player';
import { type Cell, send } from './state';
import { lengthMs, listen, Recorder, type Take, wavOf } from './recorder';

/** Of full scale: beyond it is clipped, below it nobody spoke. */
const LOUD = 0.99;
const QUIET = 0.03;
/** The meter shows decibels: loudness as ears take it. */
const SILENCE_DB = -60;
const loudness = (peak: number) => Math.max(0, 1 - (20 * Math.log10(Math.max(peak, 1e-6))) / SILENCE_DB);

export function Record({ cell, onDone }: { cell: Cell; onDone: () => void }) {
  const recorder = useRef<Recorder | null>(null);
  const stopListening = useRef<(() => void) | null>(null);
  const recording = useSignal(false);
  const listening = useSignal(false);
  const level = useSignal(0);
  const length = useSignal(0);
  const take = useSignal<Take | null>(null);
  const fault = useSignal('');
  const gone = useRef(false);

  const finish = () => {
    if (!recorder.current) return;
    take.value = recorder.current.stop();
    recorder.current = null;
    recording.value = false;
    level.value = 0;
  };
  useEffect(() => () => {
    gone.current = true;
    recorder.current?.stop();
    stopListening.current?.();
  }, []);
  const start = async () => {
    silence();
    stopListening.current?.();
    fault.value = '';
    take.value = null;
    length.value = 0;
    try {
      const started = await Recorder.start((loud, ms) => {
        level.value = loud;
        length.value = ms;
      }, finish);
      // The dialog was closed while the microphone was asked for.
      if (gone.current) {
        started.stop();
        return;
      }
      recorder.current = started;
      recording.value = true;
    } catch (error) {
      fault.value = error instanceof MicrophoneFault ? t(`phone.problem.${error.problem}`) : b('prompts.noRecorder');
    }
  };
  const hear = () => {
    if (listening.value) {
      stopListening.current?.();
      return;
    }
    if (!take.value) return;
    listening.value = true;
    stopListening.current = listen(take.value, () => {
      listening.value = false;
      stopListening.current = null;
    });
  };
  const use = async () => {
    if (!take.value) return;
    await send(cell, wavOf(take.value));
    tell('done', b('prompts.taken'));
    onDone();
  };
  const done = take.value;
  return (
    <div class="recorder">
      {fault.value && <p class="tone-alert" role="alert">{fault.value}</p>}
      <p class="row">
        {recording.value
          ? <Button kind="danger" icon="record" onDo={finish}>{b('prompts.finish')}</Button>
          : <Button kind={done ? 'plain' : 'main'} icon="mic" onDo={start}>{b(done ? 'prompts.again' : 'prompts.record')}</Button>}
        {done && <Button icon={listening.value ? 'hold' : 'play'} onDo={hear}>{b(listening.value ? 'prompts.silence' : 'prompts.listen')}</Button>}
        {done && <Button kind="main" onDo={use}>{b('prompts.use')}</Button>}
        {(recording.value || done) && <span class="time">{b('prompts.length', { time: span(done ? lengthMs(done) : length.value) })}</span>}
      </p>
      {recording.value && <meter min={0} max={1} high={0.98} value={loudness(level.value)} aria-label={b('prompts.level')} />}
      {done && done.peak >= LOUD && <p class="tone-warn">{b('prompts.tooLoud')}</p>}
      {done && done.peak < QUIET && <p class="tone-warn">{b('prompts.tooQuiet')}</p>}
    </div>
  );
}
