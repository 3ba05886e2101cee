import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pace } from '../src/pace';

test('what is dear is asked for seldom, what is far away as often as ever', () => {
  const near = new Pace();
  assert.equal(near.pause(3000, 5), 3000);
  assert.equal(near.pause(3000, 505), 50_000);
  const far = new Pace();
  far.pause(3000, 400);
  assert.equal(far.pause(3000, 405), 3000);
  assert.equal(far.pause(3000, 900), 50_000);
});

test('an event is answered at once after a quiet time, and seldom while much happens', () => {
  const p = new Pace();
  p.pause(0, 5);
  assert.equal(p.soon(400, 105, 60_000), 400);
  assert.equal(p.soon(400, 20, 500), 1000);
  assert.equal(p.soon(400, 105, 1000), 2000, 'nobody waits longer for news');
  assert.equal(p.soon(400, 505, 1000), 5050, 'but for those that are dear');
  assert.equal(p.soon(400, 6, 0), 400);
});
