// A small set of line icons, 20 by 20.
const paths = {
  hold: 'M7 4v12M13 4v12',
  resume: 'M6 4l10 6-10 6z',
  mute: 'M3 3l14 14M8 5a2 2 0 0 1 4 0v4M12 12a2 2 0 0 1-4-1V8M5 9a5 5 0 0 0 8.5 3.5M15 9v1M10 14.5V17',
  mic: 'M10 3a2 2 0 0 0-2 2v5a2 2 0 0 0 4 0V5a2 2 0 0 0-2-2zM5 9v1a5 5 0 0 0 10 0V9M10 15v2',
  hangUp: 'M3 12c0-2 3-4.5 7-4.5s7 2.5 7 4.5c0 1-.5 1.5-1.5 1.3l-2-.5c-.6-.1-1-.6-1-1.3v-1a9 9 0 0 0-5 0v1c0 .7-.4 1.2-1 1.3l-2 .5C3.500 13.500 3 13 3 12z',
  record: 'M10 5.500a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9z',
  phone: 'M5 3h2.500l1.200 3.500L7 8a9 9 0 0 0 5 5l1.500-1.700L17 12.500V15a2 2 0 0 1-2 2A12 12 0 0 1 3 5a2 2 0 0 1 2-2z',
  keypad: 'M5 4h.01M10 4h.01M15 4h.01M5 9h.01M10 9h.01M15 9h.01M5 14h.01M10 14h.01M15 14h.01',
  sound: 'M3 8v4h3l4 3V5L6 8zM13 7a4 4 0 0 1 0 6M15.500 4.500a8 8 0 0 1 0 11',
  transfer: 'M3 7h11l-3-3M17 13H6l3 3',
  people: 'M7 9a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5zM2 16c0-3 2-5 5-5s5 2 5 5M13.500 9.500a2 2 0 1 0 0-4M14.500 12c2 .3 3.500 2 3.500 4',
  back: 'M8 5l-5 5 5 5M3 10h14',
  swap: 'M4 7h10l-3-3M16 13H6l3 3',
  search: 'M9 4a5 5 0 1 0 0 10A5 5 0 0 0 9 4zM13 13l4 4',
  keyboard: 'M2 6h16v9H2zM5 9h.01M8 9h.01M11 9h.01M14 9h.01M6 12h8',
  down: 'M5 8l5 5 5-5',
  close: 'M5 5l10 10M15 5L5 15',
  clock: 'M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM10 6v4l3 2',
  ear: 'M6 8a4 4 0 0 1 8 0c0 3-3 3.500-3 6a2.500 2.500 0 0 1-4.500 1.500M8.500 8a1.500 1.500 0 0 1 3 0c0 1-1 1.500-1 2.500',
  whisper: 'M3 5h9v7H8l-3 3v-3H3zM14 8h3v6h-1.500v2L13 14h-2',
  join: 'M10 3v14M3 10h14',
  play: 'M6 4l10 6-10 6z',
  trace: 'M5 4v5a2 2 0 0 0 2 2h6a2 2 0 0 1 2 2v3M12 13l3 3 3-3',
  warn: 'M10 3l8 14H2zM10 8v4M10 14.500v.01',
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}
