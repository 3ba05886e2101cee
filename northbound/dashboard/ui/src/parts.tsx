// The parts that views are made of: pills, empty states, failures, tables.
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Document } from './live';
import { ago, marks, short } from './format';
import { to, toObject } from './router';

export type Tone = 'good' | 'bad' | 'warn' | 'info' | 'quiet';

const GLYPHS: Record<Tone, string> = { good: '●', bad: '▲', warn: '◆', info: '■', quiet: '○' };

/** A state in one word; its shape tells it as well as its colour. */
export function Pill({ tone, children, title }: { tone: Tone; children: ComponentChildren; title?: string }) {
  return <span class={`pill ${tone}`} title={title}><span aria-hidden="true">{GLYPHS[tone]}</span>{children}</span>;
}

const TONES: Record<string, Tone> = {
  ACTIVE: 'good', BUILD: 'warn', DOWN: 'bad', ERROR: 'bad', up: 'good', down: 'bad', unknown: 'quiet',
  ok: 'good', missing: 'bad', altered: 'warn', stale: 'warn', learned: 'info', foreign: 'quiet',
  delivered: 'good', dropped: 'bad', flooded: 'warn',
};

export function StatePill({ state, title }: { state: string; title?: string }) {
  return <Pill tone={TONES[state] ?? 'quiet'} title={title}>{state}</Pill>;
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return <div class="empty"><strong>{title}</strong>{children && <p>{children}</p>}</div>;
}

export function FailureBox({ doc }: { doc: Document<unknown> }) {
  const f = doc.failure;
  if (!f) return null;
  return (
    <div class="failure" role="alert">
      <strong>{f.status === 403 ? 'This needs the admin role' : f.status === 404 ? 'There is no such thing' : 'That did not work'}</strong>
      <p>{f.message}</p>
      <p class="dim">
        {f.reason && <code>{f.reason}</code>} {f.request && <>request <code>{f.request}</code></>}{' '}
        <button type="button" onClick={doc.reload}>Try again</button>
      </p>
    </div>
  );
}

export function Skeleton({ rows = 6 }: { rows?: number }) {
  return <div class="skeleton" aria-busy="true" aria-label="loading">{Array.from({ length: rows }, (_, i) => <div key={i} />)}</div>;
}

/** Shows a document's failure, what stands for it while it loads, or what children make of it. */
export function Loaded<T>({ doc, rows, children }: { doc: Document<T>; rows?: number; children: (data: T) => ComponentChildren }) {
  return <>
    <FailureBox doc={doc} />
    {doc.data ? children(doc.data) : doc.failure ? null : <Skeleton rows={rows} />}
  </>;
}

export function Ago({ time }: { time?: string }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => { if (!document.hidden) tick((n) => n + 1); }, 5000);
    return () => clearInterval(timer);
  }, []);
  return time ? <time dateTime={time} title={time}>{ago(time)}</time> : null;
}

/** Text with what a search found in it. */
export function Marked({ text, query }: { text: string; query: string }) {
  return <>{marks(text, query).map((m, i) => (m.hit ? <mark key={i}>{m.text}</mark> : m.text))}</>;
}

/** A link to an object by its name in the API, "port/ID". */
export function ObjectLink({ object, name }: { object: string; name?: string }) {
  const [kind, ...id] = object.split('/');
  return <a href={toObject(object)} title={object}><span class="kind">{kind}</span> {name || short(id.join('/'))}</a>;
}

export function HostLink({ host }: { host: string }) {
  return <a href={to('objects', 'host', host)}>{host}</a>;
}

export function RequestLink({ request }: { request: string }) {
  return <a class="mono" href={`${to('history')}?request=${encodeURIComponent(request)}`} title={`what request ${request} changed`}>{request.slice(0, 12)}…</a>;
}

interface SearchProps { value: string; onInput: (value: string) => void; label: string; list?: string }

/** The field that the key "/" leads to. */
export function Search({ value, onInput, label, list }: SearchProps) {
  return (
    <input class="search" type="search" data-search value={value} placeholder={`${label}  /`} aria-label={label} list={list} autoComplete="off" spellcheck={false}
      onInput={(e) => onInput(e.currentTarget.value)} onKeyDown={(e) => { if (e.key === 'Escape') e.currentTarget.blur(); }} />
  );
}

interface SelectProps { label: string; value: string; options: (string | [value: string, text: string])[]; onChange: (value: string) => void }

export function Select({ label, value, options, onChange }: SelectProps) {
  return (
    <select aria-label={label} value={value} onChange={(e) => onChange(e.currentTarget.value)}>
      {options.map((o) => {
        const [v, text] = typeof o === 'string' ? [o, o] : o;
        return <option key={v} value={v} selected={v === value}>{text}</option>;
      })}
    </select>
  );
}

export interface Column<T> {
  name: string;
  cell: (row: T) => ComponentChildren;
  /** What rows are ordered by when the column's head is chosen. */
  order?: (row: T) => string | number;
  class?: string;
}

interface TableProps<T> {
  label: string;
  rows: T[];
  columns: Column<T>[];
  id: (row: T) => string;
  /** Where a row leads to. */
  href?: (row: T) => string | undefined;
  /** How many rows are shown before more are asked for. */
  limit?: number;
}

/** A table whose heads order it and whose rows the arrow keys go through. */
export function Table<T>({ label, rows, columns, id, href, limit = 200 }: TableProps<T>) {
  const [by, setBy] = useState<{ column: number; down: boolean } | null>(null);
  const [shown, setShown] = useState(limit);
  const order = by && columns[by.column].order;
  const sorted = order ? [...rows].sort((a, b) => compare(order(a), order(b)) * (by.down ? -1 : 1)) : rows;
  return (
    <div class="scroll" tabIndex={-1}>
      <table aria-label={label} onKeyDown={arrows}>
        <thead><tr>{columns.map((c, i) => (
          <th key={c.name} scope="col" class={c.class} aria-sort={by?.column === i ? (by.down ? 'descending' : 'ascending') : undefined}>
            {c.order ? <button type="button" onClick={() => setBy({ column: i, down: by?.column === i && !by.down })}>{c.name}<span aria-hidden="true">{by?.column === i ? (by.down ? ' ↓' : ' ↑') : ''}</span></button> : c.name}
          </th>
        ))}</tr></thead>
        <tbody>{sorted.slice(0, shown).map((row, i) => {
          const target = href?.(row);
          return (
            <tr key={id(row)} tabIndex={i === 0 ? 0 : -1} class={target ? 'leads' : undefined}
              onClick={(e) => { if (target && !(e.target as Element).closest('a,button')) followTo(target); }}
              onKeyDown={(e) => { if (e.key === 'Enter' && target && e.target === e.currentTarget) followTo(target); }}>
              {columns.map((c) => <td key={c.name} class={c.class}>{c.cell(row)}</td>)}
            </tr>
          );
        })}</tbody>
      </table>
      {sorted.length > shown && <button type="button" class="more" onClick={() => setShown(shown + 500)}>Show more of {sorted.length}</button>}
    </div>
  );
}

function followTo(target: string): void {
  const a = document.createElement('a');
  a.href = target;
  document.body.append(a);
  a.click();
  a.remove();
}

function compare(a: string | number, b: string | number): number {
  return typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), 'en', { numeric: true });
}

/** Moves the focus between rows with the arrow keys, Home and End. */
export function arrows(e: JSX.TargetedKeyboardEvent<HTMLElement>): void {
  const row = (e.target as Element).closest<HTMLElement>('[tabindex]');
  if (!row || e.altKey || e.ctrlKey || e.metaKey) return;
  const rows = [...(row.parentElement?.children ?? [])] as HTMLElement[];
  const at = rows.indexOf(row);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[e.key];
  if (next === undefined || !rows[next]) return;
  e.preventDefault();
  rows[next].focus();
}

/** A panel beside the view that tells more of what was chosen. Escape closes it. */
export function Drawer({ title, onClose, children }: { title: string; onClose: () => void; children: ComponentChildren }) {
  const ref = useRef<HTMLElement>(null);
  useEffect(() => {
    const key = (e: KeyboardEvent): void => { if (e.key === 'Escape') onClose(); };
    document.addEventListener('keydown', key);
    return () => document.removeEventListener('keydown', key);
  }, [onClose]);
  return (
    <aside class="drawer" ref={ref} aria-label={title}>
      <header><h2>{title}</h2><button type="button" class="icon" aria-label="Close" onClick={onClose}>✕</button></header>
      <div class="body" tabIndex={0}>{children}</div>
    </aside>
  );
}

/** Names and values. */
export function Facts({ of }: { of: [name: string, value: ComponentChildren][] }) {
  return <dl class="facts">{of.filter(([, v]) => v !== undefined && v !== '' && v !== null && v !== false).map(([name, v]) => <div key={name}><dt>{name}</dt><dd>{v}</dd></div>)}</dl>;
}

/** Text that a click on the button copies. */
export function Code({ text, query = '' }: { text: string; query?: string }) {
  const [copied, setCopied] = useState(false);
  return (
    <div class="code">
      <code><Marked text={text} query={query} /></code>
      {navigator.clipboard && <button type="button" class="icon" aria-label="Copy" onClick={() => { void navigator.clipboard.writeText(text).then(() => setCopied(true)); }}>{copied ? '✓' : <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M5 5h8v8H5zM3 11V3h8" /></svg>}</button>}
    </div>
  );
}

export function Head({ title, sub, children }: { title: ComponentChildren; sub?: ComponentChildren; children?: ComponentChildren }) {
  return (
    <header class="head">
      <div><h1 tabIndex={-1}>{title}</h1>{sub && <p class="dim">{sub}</p>}</div>
      {children && <div class="tools">{children}</div>}
    </header>
  );
}
