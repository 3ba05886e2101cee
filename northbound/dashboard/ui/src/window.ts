// Which rows of a long list are in sight, and which of them are known.
import type { Flow, FlowTable, Flows } from './types';
import { rate } from './format';

/** How many rows beyond the edges are made, too, so that a scroll shows no blank. */
const MARGIN = 8;

export function windowOf(top: number, height: number, rowHeight: number, count: number): { first: number; last: number } {
  const first = Math.max(0, Math.min(count, Math.floor(top / rowHeight)) - MARGIN);
  return { first, last: Math.min(count, Math.ceil((top + height) / rowHeight) + MARGIN) };
}

/** Rates of a flow, of a second. */
export interface Rates { packets?: number; bytes?: number }

interface Counted { packets?: number; bytes?: number; at: number; rates: Rates }

const keyOf = (f: Flow): string => `${f.table}|${f.priority}|${f.match}`;

/** The flows of a bridge that have been read, by their place in the whole list, and their rates. */
export class FlowWindow {
  rows: (Flow | undefined)[] = [];
  matched = 0;
  summary?: Flows['summary'];
  tables: FlowTable[] = [];
  private known = new Set<number>();
  private counted = new Map<string, Counted>();

  /** The part of [first, last) that has to be read, with room on both sides; null if all of it is known. */
  wanted(first: number, last: number, page = 200): { offset: number; limit: number } | null {
    let from = first;
    while (from < last && this.known.has(from)) from++;
    if (from >= last) return null;
    const offset = Math.max(0, Math.floor((from - page / 4) / page) * page);
    return { offset, limit: Math.max(page, Math.ceil((last - offset) / page) * page) };
  }

  /** Takes an answer that was read at a time in milliseconds. */
  put(answer: Flows, at: number): void {
    if (answer.matched !== this.matched || (this.summary && answer.summary.total !== this.summary.total)) {
      this.known.clear(); // places have shifted
      this.rows.length = Math.min(this.rows.length, answer.matched);
    }
    this.matched = answer.matched;
    this.summary = answer.summary;
    this.tables = answer.tables;
    answer.flows.forEach((f, i) => {
      this.rows[answer.offset + i] = f;
      this.known.add(answer.offset + i);
      this.count(f, at);
    });
  }

  private count(f: Flow, at: number): void {
    const key = keyOf(f);
    const before = this.counted.get(key);
    const rates = before ? { packets: rate(f.packets, before.packets, at - before.at), bytes: rate(f.bytes, before.bytes, at - before.at) } : {};
    this.counted.set(key, { packets: f.packets, bytes: f.bytes, at, rates });
  }

  rates(f: Flow): Rates {
    return this.counted.get(keyOf(f))?.rates ?? {};
  }

  /** Where a flow is now, that was at a place; -1 if it is not near. */
  place(f: Flow, was: number): number {
    const key = keyOf(f);
    for (let d = 0; d < 300; d++) {
      for (const i of [was + d, was - d]) {
        const row = this.rows[i];
        if (row && keyOf(row) === key) return i;
      }
    }
    return -1;
  }

  /** Something happened: what is shown stays until it has been read again. */
  stale(): void {
    this.known.clear();
  }
}
