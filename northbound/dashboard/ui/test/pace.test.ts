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
