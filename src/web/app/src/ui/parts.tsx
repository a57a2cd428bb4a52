// Small parts that every page uses.
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { span, t, word } from '../i18n';
import { serverNow } from '../live/store';
import { act, dismiss, notices } from './act';
import { Icon, type IconName } from './icons';

interface ButtonProps {
  icon?: IconName;
  kind?: 'plain' | 'main' | 'danger' | 'quiet';
  onDo: () => Promise<unknown> | void;
  disabled?: boolean;
  pressed?: boolean;
  label?: string;
  shortcut?: string;
  small?: boolean;
  children?: ComponentChildren;
}

/** A button that waits for what it does, and is not pressed twice meanwhile. */
export function Button({ icon, kind = 'plain', onDo, disabled, pressed, label, shortcut, small, children }: ButtonProps) {
  const busy = useSignal(false);
  const press = async () => {
    if (busy.value) return;
    busy.value = true;
    await act(async () => onDo());
    busy.value = false;
  };
  return (
    <button
      type="button"
      class={`button ${kind}${small ? ' small' : ''}${children ? '' : ' bare'}`}
      disabled={disabled}
      aria-busy={busy.value}
      aria-pressed={pressed}
      aria-label={label}
      aria-keyshortcuts={shortcut}
      title={label}
      onClick={press}
    >
      {icon && <Icon name={icon} />}
      {children && <span>{children}</span>}
      {shortcut && <kbd aria-hidden="true">{shortcut}</kbd>}
    </button>
  );
}

/** How long ago that was, each second anew. Read out only when asked for. */
export function Since({ at, class: name }: { at: string; class?: string }) {
  return <span class={`time ${name ?? ''}`}>{span(serverNow.value - Date.parse(at))}</span>;
}

export function State({ state, reason }: { state: string; reason?: string | null }) {
  return (
    <span class={`state ${state}`}>
      {word('state', state)}
      {reason && <> · {word('reason', reason)}</>}
    </span>
  );
}

/** What somebody outside wrote, kept to itself whatever its direction. */
export function Said({ children }: { children: string }) {
  return <bdi class="said">{children}</bdi>;
}

export function Card({ title, children, action, class: name }: { title: string; children: ComponentChildren; action?: ComponentChildren; class?: string }) {
  const id = useId();
  return (
    <section class={`card ${name ?? ''}`} aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {action}
      </header>
      {children}
    </section>
  );
}

export function Figure({ label, value, hint, tone }: { label: string; value: string; hint?: string; tone?: string }) {
  return (
    <div class={`figure ${tone ?? ''}`} title={hint}>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </div>
  );
}

/** The browser's own dialog: it holds the focus and closes with Escape. */
export function Dialog({ title, onClose, children, wide }: { title: string; onClose: () => void; children: ComponentChildren; wide?: boolean }) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    ref.current?.showModal();
  }, []);
  return (
    <dialog ref={ref} class={wide ? 'wide' : ''} aria-labelledby={id} onClose={onClose}>
      <header>
        <h2 id={id}>{title}</h2>
        <button type="button" class="button quiet bare" aria-label={t('dialog.close')} onClick={() => ref.current?.close()}>
          <Icon name="close" />
        </button>
      </header>
      {children}
    </dialog>
  );
}

interface MenuProps {
  label: string;
  button: ComponentChildren;
  class?: string;
  id?: string;
  children: ComponentChildren;
}

/** A button that opens a list; it closes with a choice, Escape, or when the focus goes elsewhere. */
export function Menu({ label, button, class: name, id, children }: MenuProps) {
  const open = useSignal(false);
  const root = useRef<HTMLDivElement>(null);
  const list = useId();
  const items = () => [...(root.current?.querySelectorAll<HTMLElement>('[role^=menuitem]') ?? [])];
  const close = (focus: boolean) => {
    open.value = false;
    if (focus) root.current?.querySelector<HTMLElement>('button')?.focus();
  };
  const keys = (event: KeyboardEvent) => {
    if (event.key === 'Escape' && open.value) {
      event.stopPropagation();
      close(true);
    }
    if (!['ArrowDown', 'ArrowUp', 'Home', 'End'].includes(event.key)) return;
    event.preventDefault();
    const move = () => {
      const all = items();
      const at = all.indexOf(document.activeElement as HTMLElement);
      const to = event.key === 'ArrowDown' ? at + 1 : event.key === 'ArrowUp' ? (at < 0 ? -1 : at - 1) : event.key === 'End' ? -1 : 0;
      all.at(to % all.length)?.focus();
    };
    if (open.value) move();
    else {
      open.value = true;
      requestAnimationFrame(move);
    }
  };
  const away = (event: FocusEvent) => {
    if (open.value && !root.current?.contains(event.relatedTarget as Node)) close(false);
  };
  return (
    <div class={`menu ${name ?? ''}`} ref={root} onKeyDown={keys} onFocusOut={away}>
      <button
        type="button"
        id={id}
        class="button"
        aria-haspopup="menu"
        aria-expanded={open.value}
        aria-controls={open.value ? list : undefined}
        aria-label={label}
        onClick={() => {
          open.value = !open.value;
        }}
      >
        {button}
      </button>
      {open.value && (
        <div class="list" role="menu" id={list} aria-label={label} onClick={() => close(true)}>
          {children}
        </div>
      )}
    </div>
  );
}

export function Item({ onDo, checked, children }: { onDo: () => Promise<unknown> | void; checked?: boolean; children: ComponentChildren }) {
  const role = checked === undefined ? 'menuitem' : 'menuitemradio';
  return (
    <button type="button" role={role} aria-checked={checked} tabIndex={-1} onClick={() => void act(async () => onDo())}>
      {children}
    </button>
  );
}

/** Always there, so that it is read out; with a dialog open it becomes a popover, which stands above that. */
export function Notices() {
  const ref = useRef<HTMLDivElement>(null);
  const all = notices.value;
  useEffect(() => {
    ref.current?.hidePopover();
    if (all.length > 0 && document.querySelector('dialog[open]')) ref.current?.showPopover();
  }, [all]);
  return (
    <div ref={ref} class="notices" popover="manual" role="status" aria-live="polite">
      {all.map((notice) => (
        <div key={notice.id} class={`notice ${notice.kind}`}>
          <span>{notice.text}</span>
          <button type="button" class="button quiet bare" aria-label={t('dialog.close')} onClick={() => dismiss(notice.id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
