import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ago, bits, bytes, duration, marks, matches, portTitle, rate, short, title } from '../src/format';

test('bytes and rates have three digits at most', () => {
  assert.deepEqual([0, 999, 1000, 12_345, 999_600, 5e9].map(bytes), ['0 B', '999 B', '1.0 kB', '12.3 kB', '1.0 MB', '5.0 GB']);
  assert.equal(bits(125_000), '1.0 Mbit/s');
});

test('a duration has two units', () => {
  assert.deepEqual([0.4, 59, 61, 3661, 90_000].map(duration), ['0 s', '59 s', '1 min', '1 h 1 min', '1 d 1 h']);
  assert.equal(ago('2025-06-01T12:00:00Z', Date.parse('2025-06-01T12:02:00Z')), '2 min ago');
  assert.equal(ago('never'), '');
});

test('there is no rate before a counter was read twice, nor when it began anew', () => {
  assert.equal(rate(300, 100, 2000), 100);
  assert.equal(rate(1, undefined, 2000), undefined);
  assert.equal(rate(5, 100, 2000), undefined);
  assert.equal(rate(5, 1, 0), undefined);
});

test('a search is marked wherever it is, whatever its case', () => {
  assert.deepEqual(marks('VLAN 1, vlan 2', 'vlan'), [{ text: 'VLAN', hit: true }, { text: ' 1, ', hit: false }, { text: 'vlan', hit: true }, { text: ' 2', hit: false }]);
  assert.deepEqual(marks('text', '  '), [{ text: 'text', hit: false }]);
  assert.equal(matches('cmp1 tun', 'br-tun', 'CMP1'), true);
  assert.equal(matches('cmp2 tun', 'br-tun', undefined, 'cmp1'), false);
});

test('an id is shortened, a name is not', () => {
  assert.equal(short('023a4eb2-cad3-4630-9969-98f02abf5027'), '023a4eb2');
  assert.equal(short('cmp1'), 'cmp1');
  assert.equal(portTitle({ id: '1', name: '', device_owner: 'network:dhcp', ips: ['10.0.0.2'] }), 'DHCP 10.0.0.2');
  assert.equal(title({ id: '023a4eb2-cad3', name: '' }), '023a4eb2');
});
