// Reports by interval; every figure has its formula, and the same table is there as CSV.
import '../styles/board.css';
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { api, ok } from '../api/client';
import { count, dateTime, lang, share, span, t, zone } from '../i18n';
import { s } from '../i18n/staff';
import { act } from '../ui/act';
import { Card } from '../ui/parts';

interface Definition {
  name: string;
  unit: string;
  en: string;
  fr: string;
  formula: string;
}

type Row = Record<string, string | number | null> & { from: string };

interface Report {
  by: string;
  rows: Row[];
  totals: Row[];
  figures: Definition[];
}

const FIRST = ['offered', 'handled', 'abandoned', 'deterred', 'overflowed', 'service_level', 'abandon_rate', 'asa_ms', 'longest_wait_ms',
  'aht_ms', 'aht_talk_ms', 'aht_hold_ms', 'aht_acw_ms', 'occupancy', 'fcr', 'csat'];
const SHOWN_ROWS = 500;

const DAY_MS = 86_400_000;

/** `2026-11-25`: the day of the centre, so many days from now. Swedes write it so. */
const isoDay = (offset: number) => new Intl.DateTimeFormat('sv-SE', { timeZone: zone.value }).format(Date.now() + offset * DAY_MS);

function shown(value: string | number | null | undefined, unit: string): string {
  if (value == null || typeof value === 'string') return value ?? t('unit.none');
  if (unit === 'ms') return span(value);
  return unit === 'share' ? share(value) : count(value);
}

export default function Reports() {
  const from = useSignal(isoDay(0));
  const to = useSignal(isoDay(1));
  const interval = useSignal('day');
  const by = useSignal('queue');
  const all = useSignal(false);
  const report = useSignal<Report | null>(null);
  const query = () => ({ from: from.value, to: to.value, interval: interval.value, by: by.value });
  const read = () =>
    act(async () => {
      report.value = (await ok(api.GET('/reports', { params: { query: query() } }))) as unknown as Report;
    });
  useEffect(() => {
    void read();
  }, []);
  const csv = `/api/v1/reports?${new URLSearchParams({ ...query(), format: 'csv', heading: lang.value })}`;
  const choose = (value: { value: string }) => (event: { currentTarget: HTMLInputElement | HTMLSelectElement }) => {
    value.value = event.currentTarget.value;
  };
  return (
    <div class="board">
      <Card title={s('reports.title')}>
        <form class="filters" onSubmit={(event) => {
          event.preventDefault();
          void read();
        }}>
          <label>{s('reports.from')}<input type="date" required value={from.value} onInput={choose(from)} /></label>
          <label>{s('reports.to')}<input type="date" required value={to.value} onInput={choose(to)} /></label>
          <label>
            {s('reports.interval')}
            <select value={interval.value} onChange={choose(interval)}>
              <option value="day">{s('reports.interval.day')}</option>
              {['15', '30', '60'].map((n) => (
                <option key={n} value={n}>{s('reports.interval.minutes', { n })}</option>
              ))}
            </select>
          </label>
          <label>
            {s('reports.by')}
            <select value={by.value} onChange={choose(by)}>
              {(['queue', 'agent', 'skill', 'number', 'all'] as const).map((one) => (
                <option key={one} value={one}>{s(`reports.by.${one}`)}</option>
              ))}
            </select>
          </label>
          <button type="submit" class="button main">{s('reports.show')}</button>
          <a class="button" href={csv} download>{s('reports.csv')}</a>
        </form>
        <p class="empty small-text">
          {s('reports.formula')}{' '}
          <label class="inline">
            <input type="checkbox" checked={all.value} onChange={(event) => {
              all.value = event.currentTarget.checked;
            }} />
            {s('reports.all')}
          </label>
        </p>
        {report.value && <Table report={report.value} all={all.value} />}
      </Card>
    </div>
  );
}

function Table({ report, all }: { report: Report; all: boolean }) {
  const figures = all
    ? report.figures
    : FIRST.map((name) => report.figures.find((figure) => figure.name === name)).filter((figure) => figure !== undefined);
  const name = (row: Row) => String(row[report.by] ?? '');
  if (report.rows.length === 0) return <p class="empty">{s('reports.none')}</p>;
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label={s('reports.title')}>
      <table>
        <thead>
          <tr>
            <th scope="col">{s('reports.from')}</th>
            {report.by !== 'all' && <th scope="col">{s(`reports.by.${report.by as 'queue'}`)}</th>}
            {figures.map((figure) => (
              <th key={figure.name} scope="col" class="n wrapped" title={figure.formula}>{figure[lang.value]}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {report.rows.slice(0, SHOWN_ROWS).map((row) => (
            <tr key={`${row.from} ${name(row)}`}>
              <th scope="row">{dateTime(row.from)}</th>
              {report.by !== 'all' && <td><bdi>{name(row)}</bdi></td>}
              {figures.map((figure) => (
                <td key={figure.name} class="n">{shown(row[figure.name], figure.unit)}</td>
              ))}
            </tr>
          ))}
        </tbody>
        <tfoot>
          {report.totals.map((row) => (
            <tr key={name(row)}>
              <th scope="row">{s('reports.total')}</th>
              {report.by !== 'all' && <td><bdi>{name(row)}</bdi></td>}
              {figures.map((figure) => (
                <td key={figure.name} class="n strong">{shown(row[figure.name], figure.unit)}</td>
              ))}
            </tr>
          ))}
        </tfoot>
      </table>
    </div>
  );
}
