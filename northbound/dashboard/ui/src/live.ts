// What happens, as it happens: the stream of events, and documents that are read again when an event
// concerns them or, if they are counters, every few seconds while somebody looks.
import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Failure, failureOf, get, headers, me, token } from './api';
import { pace } from './pace';
import { Parser } from './sse';
import type { Event } from './types';

/** How the stream is: 'polling' is what a project's user has, to whom the log is not shown. */
export const connection = signal<'connecting' | 'live' | 'polling' | 'lost'>('connecting');

/** The newest events, oldest first, at most KEPT. */
export const recent = signal<Event[]>([]);
const KEPT = 2000;

/** The server sends something every 15 seconds at least; after this time in milliseconds it is taken for gone. */
const SILENCE = 40_000;

type Listener = (events: Event[] | 'gap') => void;
const listeners = new Set<Listener>();

/** Has fn called with what happened, several events at a time; 'gap' means that some were lost. */
export function listen(fn: Listener): () => void {
  listeners.add(fn);
  return () => { listeners.delete(fn); };
}

let following: AbortController | null = null;

/** Follows the log until stop is called, and comes back where it was when the connection breaks. */
export function follow(): void {
  stop();
  if (!me.value?.admin) {
    connection.value = 'polling';
    return;
  }
  const abort = new AbortController();
  following = abort;
  void run(abort.signal);
}

export function stop(): void {
  following?.abort();
  following = null;
  recent.value = [];
}

async function run(signal: AbortSignal): Promise<void> {
  let last = '';
  let wait = 500;
  try {
    const old = await get<{ events: Event[]; last: number }>('/v1/events?limit=500', signal);
    recent.value = old.events;
    last = String(old.last);
  } catch {
    // the stream tells what is wrong, or begins with the oldest event
  }
  while (!signal.aborted) {
    try {
      await read(signal, last, (id) => { last = id; wait = 500; });
    } catch (e) {
      if (signal.aborted) return;
      if (e instanceof Failure && (e.status === 401 || e.status === 403)) {
        connection.value = 'polling';
        return;
      }
    }
    if (signal.aborted) return;
    connection.value = 'lost';
    await new Promise((wake) => setTimeout(wake, wait));
    wait = Math.min(wait * 2, 10_000);
  }
}

async function read(signal: AbortSignal, last: string, seen: (id: string) => void): Promise<void> {
  const answer = await fetch(last ? '/v1/events' : '/v1/events?after=latest', {
    headers: { Accept: 'text/event-stream', ...(last ? { 'Last-Event-ID': last } : {}), ...headers() }, signal, cache: 'no-store',
  });
  if (!answer.ok || !answer.body) throw await failureOf(answer);
  const back = connection.value === 'lost';
  connection.value = 'live';
  if (back) tell('gap'); // what is no event may have changed, too: the server may be another one
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new Parser();
  for (;;) {
    const silence = setTimeout(() => void reader.cancel(), SILENCE);
    const { value, done } = await reader.read().finally(() => clearTimeout(silence));
    if (done) return;
    const fresh: Event[] = [];
    for (const m of parser.push(value)) {
      if (m.event === 'gap') {
        recent.value = [...recent.value, { id: 0, time: new Date().toISOString(), kind: 'gap', body: JSON.parse(m.data) }];
        tell('gap');
        continue;
      }
      if (m.id) seen(m.id);
      fresh.push(JSON.parse(m.data) as Event);
    }
    if (fresh.length > 0) {
      recent.value = [...recent.value, ...fresh].slice(-KEPT);
      tell(fresh);
    }
  }
}

function tell(what: Event[] | 'gap'): void {
  for (const fn of [...listeners]) fn(what);
}

export interface Document<T> {
  data?: T;
  /** What came before data, for rates. */
  previous?: T;
  /** When data and previous came, in milliseconds of performance.now. */
  at: number;
  previousAt: number;
  failure?: Failure;
  loading: boolean;
  reload(): void;
}

export interface Freshness {
  /** Which events make the document stale. */
  concerns?: (e: Event) => boolean;
  /** How often it is read in any case, in milliseconds, while the page is visible. */
  every?: number;
}

/** How long events are gathered at least before what they concern is read again, in milliseconds. */
const DEBOUNCE = 400;

/** What a project's user, who has no events, waits for news, in milliseconds. */
const POLL = 10_000;

/** Reads a document of the API and keeps it fresh. An empty path is no document. */
export function useDocument<T>(path: string, fresh: Freshness = {}): Document<T> {
  const [, redraw] = useState(0);
  const ref = useRef({ path, doc: blank<T>(path) });
  const rules = useRef(fresh);
  rules.current = fresh;
  useEffect(() => {
    const doc: Document<T> = { ...blank<T>(path), reload: () => void load() };
    ref.current = { path, doc };
    redraw((n) => n + 1);
    if (!path) return;
    const abort = new AbortController();
    let timer = 0;
    let debounce = 0;
    let busy = false;
    let again = false;
    let took = 0;
    let ended = 0; // when the newest answer came
    const load = async (): Promise<void> => {
      if (busy) {
        again = true;
        return;
      }
      busy = true;
      clearTimeout(timer);
      const begin = performance.now();
      try {
        const data = await get<T>(path, abort.signal);
        doc.previous = doc.data;
        doc.previousAt = doc.at;
        doc.data = data;
        doc.at = performance.now();
        doc.failure = undefined;
      } catch (e) {
        if (abort.signal.aborted) return;
        doc.failure = e instanceof Failure ? e : new Failure(0, '', String(e));
      }
      ended = performance.now();
      took = ended - begin;
      doc.loading = busy = false;
      redraw((n) => n + 1);
      schedule();
      if (again) {
        again = false;
        soon();
      }
    };
    const schedule = (): void => {
      clearTimeout(timer);
      const gone = doc.failure && doc.failure.status >= 400 && doc.failure.status < 500;
      const every = gone ? 0 : doc.failure ? 3000 : rules.current.every ?? (connection.value === 'polling' ? POLL : 0);
      const wait = pace.pause(every, took);
      if (every && !document.hidden) timer = window.setTimeout(load, wait);
    };
    const soon = (): void => {
      debounce ||= window.setTimeout(() => { debounce = 0; void load(); }, pace.soon(DEBOUNCE, took, performance.now() - ended));
    };
    const visible = (): void => {
      if (!document.hidden && (rules.current.every || connection.value !== 'live')) void load();
    };
    document.addEventListener('visibilitychange', visible);
    const deaf = listen((what) => {
      if (what === 'gap' || what.some((e) => rules.current.concerns?.(e))) soon();
    });
    void load();
    return () => {
      abort.abort();
      clearTimeout(timer);
      clearTimeout(debounce);
      document.removeEventListener('visibilitychange', visible);
      deaf();
    };
  }, [path, token.value]);
  return ref.current.path === path ? ref.current.doc : blank<T>(path);
}

function blank<T>(path: string): Document<T> {
  return { at: 0, previousAt: 0, loading: path !== '', reload: () => undefined };
}
