import assert from 'node:assert/strict';
import { test } from 'node:test';
import { grouped, hops, tunnelsOf, ways } from '../src/path';
import type { Step } from '../src/types';

const steps: Step[] = [
  { id: 0, parent: null, kind: 'start', host: 'cmp1', where: 'br-int' },
  { id: 1, parent: 0, kind: 'table', host: 'cmp1', where: 'br-int', table: 0 },
  { id: 2, parent: 1, kind: 'table', host: 'cmp1', where: 'br-tun', table: 0 },
  { id: 3, parent: 2, kind: 'tunnel', host: 'net1', where: 'br-tun' },
  { id: 4, parent: 3, kind: 'drop', host: 'net1', where: 'br-tun' },
];

test('steps are told host by host', () => {
  assert.deepEqual(grouped(steps).map((g) => [g.host, g.steps.length]), [['cmp1', 3], ['net1', 2]]);
});

test('a picture of the way has each place once, and where it ends', () => {
  assert.deepEqual(hops(steps).map((h) => [h.host, h.where, h.dropped]), [['cmp1', 'br-int', false], ['cmp1', 'br-tun', false], ['net1', 'br-tun', true]]);
});

test('a tunnel is gone through where the host changes', () => {
  assert.deepEqual([...tunnelsOf(steps)], ['cmp1 net1', 'net1 cmp1']);
});

test('a packet that is copied has a way for each copy, those that arrive first', () => {
  const copied: Step[] = [
    ...steps,
    { id: 5, parent: 0, kind: 'neighbour', host: 'cmp1', where: 'br-int' },
    { id: 6, parent: 2, kind: 'tunnel', host: 'cmp2', where: 'br-tun' },
    { id: 7, parent: 6, kind: 'deliver', host: 'cmp2', where: 'tap1' },
  ];
  assert.deepEqual(ways(copied).map((w) => w.map((s) => s.id)), [[0, 1, 2, 6, 7], [0, 1, 2, 3, 4]]);
  assert.deepEqual(ways([]), []);
});
