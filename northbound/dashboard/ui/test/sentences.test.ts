import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiName, objectsOf, sentence, shown, toneOf } from '../src/sentences';
import type { Event } from '../src/types';

const event = (kind: string, body: Record<string, unknown>, host = 'cmp1'): Event => ({ id: 1, time: '2025-06-01T12:00:00Z', kind, host, body });

test('events are told in words', () => {
  for (const [e, want] of [
    [event('switch_down', { bridge: 'br-int', cause: 'connection reset' }), 'bridge br-int is gone: connection reset'],
    [event('reconciled', { target: 'br-tun', rev: 41, added: 3, updated: 0, deleted: 1, ms: 4.2 }), 'br-tun: 3 added, 1 removed for revision 41 in 4 ms'],
    [event('drift', { target: 'br-int', missing: ['a', 'b', 'c'], altered: [], more: 0 }), 'br-int had been altered by others, and was repaired: missing: a; b and 1 more'],
    [event('drift', { target: 'br-tun', missing: ['cookie=0x1, table=20 actions=drop', 'cookie=0x2, actions=drop'], foreign: ['cookie=0x3'] }), 'br-tun had been altered by others, and was repaired: 2 missing; 1 too much'],
    [event('changed', { rev: 5, user: 'ann', put: ['port/023a4eb2-cad3', 'host/cmp1'], deleted: ['network/7'] }), 'revision 5: ann put port 023a4eb2, host cmp1, deleted network 7'],
    [event('service_moved', { service: 'router', object: 'router/1', from: 'net1', to: 'net2', cause: 'agent_lost' }), 'router 1 moved from net1 to net2 (agent lost)'],
    [event('port_plugged', { port: '1', interface: 'tap1', vlan: 2 }), 'port 1 was plugged as tap1, local VLAN 2'],
    [event('of_tomorrow', { some: 'thing', more: [1] }), 'some thing, more [1]'],
  ] as const) assert.equal(sentence(e), want);
});

test('an event leads to the objects it speaks of', () => {
  assert.deepEqual(objectsOf(event('changed', { put: ['port/1', 'VLAN/x'], deleted: ['network/2'] })), ['port/1', 'VLAN/x', 'network/2']);
  assert.deepEqual(objectsOf(event('reconciled', { deleted: 3 })), []);
  assert.deepEqual(objectsOf(event('port_plugged', { port: '1' })), ['port/1']);
  assert.equal(apiName('floating IP/1'), 'floatingip/1');
  assert.equal(shown('floating IP/1'), true);
  assert.equal(shown('vlan/1'), false);
});

test('the tone of a kind is that of what it means', () => {
  assert.deepEqual(['host_down', 'port_plugged', 'port_unplugged', 'drift', 'reconcile_recovered', 'changed', 'mac_learned'].map(toneOf), ['bad', 'good', 'quiet', 'warn', 'good', 'info', 'quiet']);
});
