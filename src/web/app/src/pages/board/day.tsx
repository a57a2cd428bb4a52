// The day by half-hour: what came, what was answered, what was lost, and the service level.
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { api, ok } from '../../api/client';
import { count, lang, share, time } from '../../i18n';
import { s } from '../../i18n/staff';
import { serverNow } from '../../live/store';
import { Card } from '../../ui/parts';
import { dark, theme } from '../../ui/theme';

export interface Row {
  from: string;
  [figure: string]: string | number | null;
}

const EVERY_MS = 30_000;
const HALF_HOUR_S = 1800;
const SHOWN_AT_LEAST = 9;
const halfHour = (seconds: number) => Math.floor(seconds / HALF_HOUR_S) * HALF_HOUR_S;
const HEIGHT = 220;

export async function readDay(): Promise<Row[]> {
  const report = (await ok(api.GET('/reports', { params: { query: { interval: '30', by: 'all' } } }))) as unknown as { rows: Row[] };
  return report.rows;
}

/** An interval without calls has no row, and is 0 in the picture. */
function columns(rows: Row[]): uPlot.AlignedData {
  const at = rows.map((row) => Date.parse(row.from) / 1000);
  const now = halfHour(serverNow.peek() / 1000);
  const first = at[0] ?? now;
  // A morning's first calls are not to fill the picture.
  const last = Math.max(now, first + SHOWN_AT_LEAST * HALF_HOUR_S);
  const byTime = new Map(rows.map((row, n) => [at[n], row]));
  const times: number[] = [];
  for (let t = first; t <= last; t += HALF_HOUR_S) times.push(t);
  const number = (name: string, none: number | null) =>
    times.map((t) => {
      const value = byTime.get(t)?.[name];
      return typeof value === 'number' ? value : t <= now ? none : null;
    });
  const short = number('abandoned_short', 0);
  const abandoned = number('abandoned', 0).map((lost, n) => (lost == null ? null : lost + (short[n] ?? 0)));
  return [times, number('offered', 0), number('handled', 0), abandoned, number('service_level', null)];
}

const color = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function options(width: number): uPlot.Options {
  const ink = color('--ink-2');
  const grid = { stroke: color('--line'), width: 1 };
  const axis = { stroke: ink, grid, ticks: { ...grid, size: 4 }, font: '12px system-ui, sans-serif' };
  const bars = (align: -1 | 1) => uPlot.paths.bars?.({ size: [0.38, 40], align });
  return {
    width,
    height: HEIGHT,
    cursor: { drag: { x: false, y: false } },
    legend: { show: false },
    scales: {
      x: { range: (_, min, max) => [min - HALF_HOUR_S / 2, max + HALF_HOUR_S / 2] },
      share: { range: [0, 1.05] },
      y: { range: (_, _min, most) => [0, Math.max(4, most * 1.1)] },
    },
    axes: [
      { ...axis, incrs: [1, 2, 4, 8, 16].map((n) => n * HALF_HOUR_S), values: (_, at) => at.map((one) => time(new Date(one * 1000).toISOString())) },
      { ...axis, size: 44, values: (_, at) => at.map((one) => count(one)) },
      { ...axis, side: 1, scale: 'share', size: 48, grid: { show: false }, values: (_, at) => at.map((one) => share(one)) },
    ],
    series: [
      {},
      { label: s('chart.offered'), fill: color('--calm'), stroke: color('--calm'), width: 0, paths: bars(-1), points: { show: false } },
      { label: s('chart.handled'), fill: color('--accent'), stroke: color('--accent'), width: 0, paths: bars(1), points: { show: false } },
      { label: s('chart.abandoned'), stroke: color('--danger'), width: 2, points: { size: 6 } },
      { label: s('chart.sl'), scale: 'share', stroke: ink, dash: [5, 4], width: 1.5, value: (_, v) => share(v) },
    ],
  };
}

export function Day() {
  const rows = useSignal<Row[] | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  useEffect(() => {
    let current = true;
    const read = () =>
      readDay()
        .then((found) => {
          if (current) rows.value = found;
        })
        // The lists say when the server is away.
        .catch(() => undefined);
    void read();
    const timer = window.setInterval(read, EVERY_MS);
    return () => {
      current = false;
      window.clearInterval(timer);
    };
  }, []);
  const found = rows.value;
  useEffect(() => {
    const element = box.current;
    if (!element || !found?.length) return;
    const plot = new uPlot(options(element.clientWidth), columns(found), element);
    chart.current = plot;
    const watch = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      plot.destroy();
    };
  }, [found, theme.value, dark.value, lang.value]);
  return (
    <Card title={s('board.day')}>
      <div class="body">
        {found?.length === 0 && <p class="quiet-text">{s('chart.none')}</p>}
        {found && found.length > 0 && <Legend />}
        <div ref={box} class="chart" aria-hidden="true" />
        {found && found.length > 0 && (
          <details>
            <summary>{s('chart.table')}</summary>
            <DayTable rows={found} />
          </details>
        )}
      </div>
    </Card>
  );
}

function Legend() {
  return (
    <p class="legend" aria-hidden="true">
      {(['offered', 'handled', 'abandoned', 'sl'] as const).map((name) => (
        <span key={name} class={name}>{s(`chart.${name}`)}</span>
      ))}
    </p>
  );
}

function DayTable({ rows }: { rows: Row[] }) {
  const number = (row: Row, name: string) => row[name] as number | null;
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">{s('reports.from')}</th>
          <th scope="col" class="n">{s('chart.offered')}</th>
          <th scope="col" class="n">{s('chart.handled')}</th>
          <th scope="col" class="n">{s('chart.abandoned')}</th>
          <th scope="col" class="n">{s('chart.sl')}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.from}>
            <th scope="row">{time(row.from)}</th>
            <td class="n">{count(number(row, 'offered'))}</td>
            <td class="n">{count(number(row, 'handled'))}</td>
            <td class="n">{count(number(row, 'abandoned'))}</td>
            <td class="n">{share(number(row, 'service_level'))}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
