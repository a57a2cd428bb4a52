// Where the levels and rules of a plan are drawn, and by which lanes the calls go from one to the other.
import type { Schemas } from '../../api/client';

export type Picture = Schemas['Picture'];
export type Rule = Schemas['RulePicture'];

export const WIDTH = 340;
export const HEAD = 30;
export const RULE = 46;
export const GAP = 34;
const TOP = 34;
const PAD = 6;
const LANE = 14;
export const LEFT = 12;

export interface Box {
  y: number;
  height: number;
  /** The middles of the rules. */
  rules: number[];
}

export interface Edge {
  /** Level and rule it comes from, counted from 0. */
  from: [number, number];
  /** A level, or the end of all. */
  to: number | 'end';
  back: boolean;
  path: string;
}

export interface Drawn {
  boxes: Box[];
  edges: Edge[];
  /** Levels that may be passed over, by the arrows below them. */
  passed: { level: number; path: string }[];
  /** Where it says that the levels are exhausted; null where they never are. */
  end: number | null;
  width: number;
  height: number;
}

interface Bus {
  to: number | 'end';
  target: number;
  sources: { level: number; rule: number; y: number }[];
  top: number;
  bottom: number;
}

function boxesOf(picture: Picture): { boxes: Box[]; below: number } {
  let y = TOP;
  const boxes = picture.levels.map((level) => {
    const height = HEAD + level.rules.length * RULE + PAD;
    const rules = level.rules.map((_, at) => y + HEAD + at * RULE + RULE / 2);
    const box = { y, height, rules };
    y += height + GAP;
    return box;
  });
  return { boxes, below: y };
}

/** Calls to the same place share a lane. */
function busesOf(picture: Picture, boxes: Box[], end: number): Bus[] {
  const found = new Map<number | 'end', Bus>();
  picture.levels.forEach((level, at) =>
    level.rules.forEach((rule, nth) =>
      rule.leads.forEach((lead) => {
        if (lead.to === 'over') return;
        const to = lead.to === 'end' ? ('end' as const) : lead.level;
        const target = to === 'end' ? end : (boxes[to]?.y ?? 0) + HEAD / 2;
        const y = boxes[at]?.rules[nth] ?? 0;
        const bus = found.get(to) ?? { to, target, sources: [], top: target, bottom: target };
        bus.sources.push({ level: at, rule: nth, y });
        bus.top = Math.min(bus.top, y);
        bus.bottom = Math.max(bus.bottom, y);
        found.set(to, bus);
      }),
    ),
  );
  // The short ones run close to the boxes.
  return [...found.values()].sort((one, other) => one.bottom - one.top - (other.bottom - other.top) || one.top - other.top);
}

/** The first lane in which nothing else runs there. */
function lanesOf(buses: Bus[]): number[] {
  const taken: [number, number][][] = [];
  return buses.map((bus) => {
    const free = taken.findIndex((lane) => lane.every(([top, bottom]) => bus.bottom < top - 4 || bus.top > bottom + 4));
    const lane = free < 0 ? taken.length : free;
    (taken[lane] ??= []).push([bus.top, bus.bottom]);
    return lane;
  });
}

/** Out of a rule, along the lane, and in at the target. */
function way(x: number, lane: number, from: number, to: number): string {
  const r = Math.min(6, Math.abs(to - from) / 2);
  const down = to > from ? r : -r;
  return `M${x} ${from}H${lane - r}Q${lane} ${from} ${lane} ${from + down}V${to - down}Q${lane} ${to} ${lane - r} ${to}H${x + 5}`;
}

export function draw(picture: Picture): Drawn {
  const { boxes, below } = boxesOf(picture);
  const end = below + 2;
  const buses = busesOf(picture, boxes, end);
  const lanes = lanesOf(buses);
  const right = LEFT + WIDTH;
  const edges = buses.flatMap((bus, at) =>
    bus.sources.map((source): Edge => ({
      from: [source.level, source.rule],
      to: bus.to,
      back: bus.to !== 'end' && bus.to <= source.level,
      path: way(right, right + 18 + (lanes[at] ?? 0) * LANE, source.y, bus.target),
    })),
  );
  const middle = LEFT + 22;
  const passed = picture.levels.flatMap((level, at) => {
    const box = boxes[at];
    if (!level.falls_through || !box) return [];
    const last = at === picture.levels.length - 1;
    return [{ level: at, path: `M${middle} ${box.y + box.height}V${box.y + box.height + GAP - (last ? 12 : 5)}` }];
  });
  const ends = picture.returns || buses.some((bus) => bus.to === 'end');
  return { boxes, edges, passed, end: ends ? end : null, width: right + 26 + (Math.max(0, ...lanes) + 1) * LANE, height: below + (ends ? 24 : 0) };
}
