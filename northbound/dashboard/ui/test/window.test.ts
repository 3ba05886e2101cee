import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Flow, Flows } from '../src/types';
import { FlowWindow, windowOf } from '../src/window';

const flow = (n: number, packets = 0): Flow => ({ state: 'ok', table: 0, priority: n, cookie: '0x0', text: '', match: `in_port=${n}`, actions: 'drop', packets, bytes: packets * 100 });

const answer = (offset: number, n: number, matched = 50_000, packets = 0): Flows => ({
  dpid: '1', summary: { total: matched, ok: matched, missing: 0, altered: 0, stale: 0, learned: 0, foreign: 0 }, tables: [], matched, offset,
  flows: Array.from({ length: n }, (_, i) => flow(offset + i, packets)),
});

test('only rows near those in sight exist', () => {
  const { first, last } = windowOf(46 * 25_000, 920, 46, 50_000);
  assert.ok(first <= 25_000 && first > 24_980 && last >= 25_020 && last < 25_040, `${first} to ${last}`);
  assert.deepEqual(windowOf(0, 920, 46, 3), { first: 0, last: 3 });
  assert.deepEqual(windowOf(1e9, 920, 46, 0), { first: 0, last: 0 });
});

test('what is known is not asked for again, and what is asked for covers what is in sight', () => {
  const w = new FlowWindow();
  w.put(answer(0, 200), 0);
  assert.equal(w.wanted(0, 60), null);
  for (const [first, last] of [[190, 230], [30_000, 30_040], [49_990, 50_000], [150, 900]]) {
    const part = w.wanted(first, last)!;
    const unknown = Math.max(first, first < 200 ? 200 : first);
    assert.ok(part.offset <= unknown && part.offset + part.limit >= last && part.limit <= 1000, `${first} to ${last}: ${JSON.stringify(part)}`);
  }
  w.put(answer(200, 200), 0);
  assert.equal(w.wanted(190, 230), null);
});

test('when flows come or go, places are read again', () => {
  const w = new FlowWindow();
  w.put(answer(0, 200), 0);
  w.put(answer(0, 50, 49_999), 1000);
  assert.equal(w.wanted(0, 50), null);
  assert.notEqual(w.wanted(100, 140), null);
  assert.ok(w.rows[150], 'what was there is shown until then');
  w.stale();
  assert.notEqual(w.wanted(0, 50), null);
});

test('rates follow the flow, not its place', () => {
  const w = new FlowWindow();
  w.put(answer(0, 10), 0);
  const later = answer(0, 10, 50_001, 0);
  later.flows = [flow(99, 1), ...answer(0, 9, 50_001, 30).flows];
  w.put(later, 2000);
  assert.deepEqual(w.rates(w.rows[1]!), { packets: 15, bytes: 1500 });
  assert.deepEqual(w.rates(w.rows[0]!), {});
});

test('a flow that was chosen is found again when others come before it, and missed when it is gone', () => {
  const w = new FlowWindow();
  w.put(answer(0, 50, 50), 0);
  const chosen = w.rows[20]!;
  const more = answer(0, 0, 52);
  more.flows = [flow(900), flow(901), ...answer(0, 50).flows];
  w.put(more, 1000);
  assert.equal(w.place(chosen, 20), 22);
  const less = answer(0, 0, 51);
  less.flows = more.flows.filter((f) => f.priority !== chosen.priority);
  w.put(less, 2000);
  assert.equal(w.place(chosen, 22), -1);
});
