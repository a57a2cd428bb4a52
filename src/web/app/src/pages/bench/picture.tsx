// The plan of the chosen file as a picture, drawn from its text.
import { computed, signal, useSignal, useSignalEffect } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { api, ok, Refused } from '../../api/client';
import { b } from '../../i18n/bench';
import { t } from '../../i18n';
import { Button } from '../../ui/parts';
import { settled } from './check';
import { type Drawn, draw, HEAD, LEFT, type Picture, RULE, type Rule, WIDTH } from './layout';
import { type Change, changes, chosen, cursorLine, type Drafts, drafts, goTo, kindOf, textOf } from './state';

const LETTERS = 46;

/** The rules that the last traced call took, as `plan/level/rule`, and the drafts by which it did. */
export const travelled = signal<{ to: string; rules: ReadonlySet<string>; of: Drafts } | null>(null);
const way = computed(() => (travelled.value?.of === drafts.value ? travelled.value : null));

const short = (text: string, most = LETTERS) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
const inputs = (rule: Rule) => Object.entries(rule.inputs).map(([name, value]) => `${name} ${value}`).join(', ');

export function PictureTab() {
  const picture = useSignal<{ file: string; of: Picture | null } | null>(null);
  const fault = useSignal('');
  useSignalEffect(() => {
    const file = chosen.value;
    const of = drafts.value;
    if (!file || !settled.value || kindOf(file) !== 'plan' || of.get(file)?.text === null) return;
    const asked = new AbortController();
    const drawn = async (some: Change[]) => (await ok(api.POST('/plans/picture', { body: { file, changes: some }, signal: asked.signal }))).picture ?? null;
    void (async () => {
      try {
        const found = await drawn(changes());
        if (asked.signal.aborted) return;
        fault.value = '';
        picture.value = { file, of: found };
      } catch (error) {
        if (asked.signal.aborted) return;
        const faulty = error instanceof Refused && error.status === 422;
        fault.value = faulty ? b('picture.faults') : error instanceof Refused ? error.message : t('error.unreachable');
        if (!faulty || picture.peek()?.file === file) return;
        // None was drawn yet: the one of the disk, where there is one.
        const found = await drawn([]).catch(() => null);
        if (!asked.signal.aborted) picture.value = { file, of: found };
      }
    })();
    return () => asked.abort();
  });
  const file = chosen.value;
  if (!file || kindOf(file) !== 'plan') return <p class="empty">{b('picture.noPlan')}</p>;
  const shown = picture.value?.file === file ? picture.value.of : null;
  return (
    <>
      {fault.value && <p class="banner" role="status">{fault.value}</p>}
      {!shown && (!fault.value || picture.value?.file === file) && <p class="empty">{picture.value?.file !== file ? t('app.loading') : b(fault.value ? 'picture.noneYet' : 'picture.noPlan')}</p>}
      {shown && <Plan file={file} picture={shown} />}
    </>
  );
}

/** Where each level and rule begins: their lines are those of what is said in them. */
function beginsOf(file: string, picture: Picture): number[][] {
  const lines = textOf(file).split('\n');
  const begin = (line: number) => {
    let at = line;
    while (at > 1 && !/^\s*\[\[/.test(lines[at - 1] ?? '')) at -= 1;
    return at;
  };
  return picture.levels.map((level) => [level.line, ...level.rules.map((rule) => rule.line)].map(begin));
}

function Plan({ file, picture }: { file: string; picture: Picture }) {
  const drawn = useMemo(() => draw(picture), [picture]);
  const begins = useMemo(() => beginsOf(file, picture), [picture]);
  return (
    <div class="plan">
      <p class="small-text quiet-text">
        {picture.numbers.length > 0 ? b('picture.numbers', { numbers: picture.numbers.join(', ') }) : b('picture.runBy', { plans: picture.run_by.join(', ') || '–' })}
        {picture.language && ` · ${picture.language}`}
      </p>
      {way.value && (
        <p class="row small-text">
          {b('picture.travelled', { to: way.value.to })}
          <Button small kind="quiet" icon="close" label={b('picture.forget')} onDo={() => {
            travelled.value = null;
          }} />
        </p>
      )}
      <div class="table-box" tabIndex={0} role="region" aria-label={b('picture.of', { plan: picture.plan })}>
        <svg viewBox={`0 0 ${drawn.width} ${drawn.height}`} width={drawn.width} height={drawn.height} role="group" aria-label={b('picture.of', { plan: picture.plan })}>
          <defs>
            <marker id="tip" viewBox="0 0 6 6" refX="5" refY="3" markerWidth="7" markerHeight="7" orient="auto-start-reverse">
              <path class="tip" d="M0 0L6 3L0 6z" />
            </marker>
          </defs>
          <Start picture={picture} />
          {drawn.passed.map(({ level, path }) => (
            <path key={level} class="edge passes" d={path} marker-end="url(#tip)"><title>{b('picture.passed')}</title></path>
          ))}
          {drawn.edges.map((edge) => (
            <path key={`${edge.from} ${edge.to}`} class={`edge${edge.back ? ' back' : ''}`} d={edge.path} marker-end="url(#tip)" />
          ))}
          {picture.levels.map((_, at) => (
            <Level key={at} file={file} picture={picture} drawn={drawn} begins={begins} at={at} />
          ))}
          {drawn.end !== null && <text class="minor" x={LEFT + 22} y={drawn.end + 10}>{b(picture.returns ? 'picture.returns' : 'picture.end')}</text>}
        </svg>
      </div>
      <p class="small-text quiet-text">{b('picture.legend')}</p>
    </div>
  );
}

function Start({ picture }: { picture: Picture }) {
  return (
    <>
      <circle class="start" cx={LEFT + 22} cy={8} r={5} />
      <text class="minor" x={LEFT + 34} y={12}>{short(picture.plan)}</text>
      <path class="edge" d={`M${LEFT + 22} 13V29`} marker-end="url(#tip)" />
    </>
  );
}

interface LevelProps {
  file: string;
  picture: Picture;
  drawn: Drawn;
  begins: number[][];
  at: number;
}

const NEVER = Number.POSITIVE_INFINITY;
const between = (file: string, from: number, to: number) => chosen.value === file && cursorLine.value >= from && cursorLine.value < to;

function Level({ file, picture, drawn, begins, at }: LevelProps) {
  const level = picture.levels[at];
  const box = drawn.boxes[at];
  if (!level || !box) return null;
  const own = begins[at] ?? [];
  const next = begins[at + 1]?.[0] ?? NEVER;
  const within = between(file, own[0] ?? NEVER, next);
  return (
    <g class={`level${level.reached ? '' : ' unreached'}${within ? ' here' : ''}`}>
      <rect class="frame" x={LEFT} y={box.y} width={WIDTH} height={box.height} rx={8} />
      <text class="name" x={LEFT + 12} y={box.y + 20}>
        {short(level.name, 34)}
        <title>{level.reached ? level.name : b('picture.unreached', { name: level.name })}</title>
      </text>
      {!level.reached && <text class="minor" x={LEFT + WIDTH - 12} y={box.y + 20} text-anchor="end">{b('picture.never')}</text>}
      {level.rules.map((rule, nth) => (
        <RuleBox key={nth} file={file} picture={picture} at={at} nth={nth} rule={rule} y={box.y + HEAD + nth * RULE} here={between(file, own[nth + 1] ?? NEVER, own[nth + 2] ?? next)} />
      ))}
    </g>
  );
}

interface RuleProps {
  file: string;
  picture: Picture;
  at: number;
  nth: number;
  rule: Rule;
  y: number;
  /** The cursor stands in it. */
  here: boolean;
}

/** What is read out of a rule. */
function told(picture: Picture, at: number, nth: number, rule: Rule): string {
  const leads = rule.leads.map((lead) => (lead.to === 'level' ? (picture.levels[lead.level]?.name ?? '') : b(lead.to === 'end' ? 'picture.end' : 'picture.over')));
  return b('picture.rule', {
    level: picture.levels[at]?.name ?? '',
    n: nth + 1,
    when: rule.when ?? b('picture.always'),
    runs: [rule.runs, inputs(rule)].filter(Boolean).join(' '),
    leads: leads.join(', ') || b('picture.over'),
  });
}

function RuleBox({ file, picture, at, nth, rule, y, here }: RuleProps) {
  const to = () => void goTo(file, rule.line);
  const taken = way.value?.rules.has(`${picture.plan}/${picture.levels[at]?.name}/${nth + 1}`);
  const over = rule.leads.length === 0 || rule.leads.some((lead) => lead.to === 'over');
  const name = told(picture, at, nth, rule);
  return (
    <g class={`rule${rule.reached ? '' : ' unreached'}${here ? ' here' : ''}${taken ? ' taken' : ''}`}>
      <title>{name}</title>
      <g aria-hidden="true">
        <rect class="body" x={LEFT + 6} y={y + 2} width={WIDTH - 12} height={RULE - 6} rx={5} />
        <text class="when" x={LEFT + 16} y={y + 17}>{rule.when ? short(rule.when) : b('picture.always')}</text>
        <text x={LEFT + 16} y={y + 33}>
          <tspan class="runs">{short(rule.runs, 26)}</tspan>
          <tspan class="minor" dx="6">{short(inputs(rule), Math.max(4, 42 - Math.min(26, rule.runs.length)))}</tspan>
        </text>
        {over && <circle class="over" cx={LEFT + WIDTH} cy={y + RULE / 2} r={5} />}
      </g>
      <rect
        class="hit"
        x={LEFT + 6}
        y={y + 2}
        width={WIDTH - 12}
        height={RULE - 6}
        rx={5}
        role="button"
        tabindex={0}
        aria-label={name}
        onClick={to}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' && event.key !== ' ') return;
          event.preventDefault();
          to();
        }}
      />
    </g>
  );
}
