import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Parser } from '../src/sse';

const STREAM = 'retry: 1000\n\nid: 7\nevent: changed\ndata: {"rev":1}\n\n: heartbeat\n\nevent: gap\ndata: {"after":7,\ndata: "before":9}\n\n';

test('events come out whole, however the stream is cut', () => {
  const want = [{ id: '7', event: 'changed', data: '{"rev":1}' }, { id: '', event: 'gap', data: '{"after":7,\n"before":9}' }];
  for (const text of [STREAM, STREAM.replaceAll('\n', '\r\n')]) {
    for (let size = 1; size < 12; size++) {
      const p = new Parser();
      const got = [];
      for (let i = 0; i < text.length; i += size) got.push(...p.push(text.slice(i, i + size)));
      assert.deepEqual(got, want);
    }
  }
});

test('an event that has not ended is not told', () => {
  const p = new Parser();
  assert.deepEqual(p.push('id: 1\ndata: x\n'), []);
  assert.deepEqual(p.push('\n'), [{ id: '1', event: 'message', data: 'x' }]);
});
