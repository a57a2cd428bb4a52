// Tabs as the keyboard knows them: arrows go from one to the other.
import { useId, useRef } from 'preact/hooks';
import type { ComponentChildren } from 'preact';

interface Props<T extends string> {
  label: string;
  tabs: readonly (readonly [T, string])[];
  at: T;
  onChoose: (tab: T) => void;
  children: ComponentChildren;
}

export function Tabs<T extends string>({ label, tabs, at, onChoose, children }: Props<T>) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const keys = (event: KeyboardEvent) => {
    const now = tabs.findIndex(([tab]) => tab === at);
    const to = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = (to + tabs.length) % tabs.length;
    const tab = tabs[next]?.[0];
    if (tab) onChoose(tab);
    list.current?.querySelectorAll<HTMLElement>('[role=tab]')[next]?.focus();
  };
  return (
    <>
      <div class="tabs" role="tablist" aria-label={label} ref={list} onKeyDown={keys}>
        {tabs.map(([tab, name]) => (
          <button key={tab} type="button" role="tab" id={`${id}-${tab}`} aria-selected={tab === at} aria-controls={`${id}-panel`} tabIndex={tab === at ? 0 : -1} onClick={() => onChoose(tab)}>
            {name}
          </button>
        ))}
      </div>
      <div class="panel" role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${at}`} tabIndex={0}>{children}</div>
    </>
  );
}
