// Long lists: a table's rows, of which only those are drawn that can be seen, all of one height.
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';

/** Drawn beyond what is seen, above and below, so that scrolling shows no gap. */
const BEYOND = 8;
/** As high as a row is before one was measured, in pixels. */
const USUAL_HEIGHT = 38;
/** As many rows as are drawn before it is known how many can be seen. */
const AT_FIRST = 20;

/** Of names and times that are written alike: as their letters stand, which is far sooner told than what a language says. */
export const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

interface Props<T> {
  label: string;
  /** The row of headings. */
  head: ComponentChildren;
  columns: number;
  all: readonly T[];
  /** A `tr` with this place in the table, the headings being 1. */
  row: (one: T, place: number) => ComponentChildren;
}

export function LongTable<T>({ label, head, columns, all, row }: Props<T>) {
  const box = useRef<HTMLDivElement>(null);
  const height = useSignal(USUAL_HEIGHT);
  const first = useSignal(0);
  const seen = useSignal(AT_FIRST);
  const look = () => {
    const at = box.current;
    if (!at) return;
    first.value = Math.floor(at.scrollTop / height.value);
    seen.value = Math.ceil(at.clientHeight / height.value) || AT_FIRST;
  };
  useLayoutEffect(() => {
    const drawn = box.current?.querySelector<HTMLElement>('tbody > tr:not(.gap)');
    const high = drawn?.getBoundingClientRect().height;
    if (high && Math.abs(high - height.peek()) > 0.5) height.value = high;
    look();
  });
  useEffect(() => {
    const observer = new ResizeObserver(look);
    if (box.current) observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  const from = Math.max(0, Math.min(first.value, all.length - seen.value) - BEYOND);
  const to = Math.min(all.length, first.value + seen.value + BEYOND);
  return (
    <div class="table-box roomy" ref={box} tabIndex={0} role="region" aria-label={label} onScroll={look}>
      <table aria-rowcount={all.length + 1}>
        <thead>{head}</thead>
        <tbody>
          <Gap rows={from} columns={columns} height={height.value} />
          {all.slice(from, to).map((one, at) => row(one, from + at + 2))}
          <Gap rows={all.length - to} columns={columns} height={height.value} />
        </tbody>
      </table>
    </div>
  );
}

/** In the place of rows that nobody sees. */
function Gap({ rows, columns, height }: { rows: number; columns: number; height: number }) {
  if (rows <= 0) return null;
  return (
    <tr class="gap" aria-hidden="true">
      <td colSpan={columns} style={{ height: `${rows * height}px` }} />
    </tr>
  );
}
