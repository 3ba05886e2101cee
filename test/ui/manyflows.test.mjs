// A bridge with 50,000 flows: they scroll without a stall.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { base, faultless, launch, open, picture, used } from './browser.mjs';

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

test('50,000 flows scroll without a stall', async (t) => {
  const page = await open(browser);
  await page.addInitScript(() => {
    globalThis.stalls = [];
    new PerformanceObserver((list) => globalThis.stalls.push(...list.getEntries().map((e) => Math.round(e.duration)))).observe({ type: 'longtask', buffered: true });
  });
  await page.goto(`${base}/ui/flows/cmp2/br-tun`);
  await page.locator('.vrow .says').first().waitFor();
  t.diagnostic(`shown ${Math.round(await page.evaluate(() => performance.now()))} ms after the request`);
  assert.ok(Number(await page.locator('[role=option]').first().getAttribute('aria-setsize')) > 50_000);
  const rows = await page.locator('.vrow').count();
  assert.ok(rows < 100, `${rows} rows exist`);
  await page.evaluate(() => { globalThis.stalls.length = 0; });
  // As a wheel does, through a few thousand flows; then by the bar, to places all over the list.
  const frames = await page.evaluate(async () => {
    const list = document.querySelector('.virtual');
    const gaps = [];
    let last = performance.now();
    const frame = () => new Promise((next) => { requestAnimationFrame((now) => { gaps.push(now - last); last = now; next(); }); });
    for (let i = 0; i < 240; i++) {
      list.scrollTop += 400;
      await frame();
    }
    for (let i = 1; i <= 20; i++) {
      list.scrollTop = (list.scrollHeight * i) / 20;
      for (let k = 0; k < 6; k++) await frame();
    }
    return gaps.sort((a, b) => a - b);
  });
  await page.locator('.vrow .says').last().waitFor();
  await page.waitForFunction(() => !document.querySelector('.flow.loading'));
  const stalls = await page.evaluate(() => globalThis.stalls);
  t.diagnostic(`${frames.length} frames: median ${frames[frames.length >> 1].toFixed(0)} ms, longest ${frames[frames.length - 1].toFixed(0)} ms; long tasks: ${stalls.join(', ') || 'none'}`);
  assert.ok(Math.max(0, ...stalls) < 400, `a task took ${Math.max(...stalls)} ms`);
  await page.getByRole('searchbox', { name: 'Search flows' }).fill('fa:16:3e:00:c3:4f');
  await page.waitForFunction(() => document.querySelectorAll('.vrow').length === 1);
  await picture(page, 'fifty-thousand-flows');
  await page.getByRole('searchbox', { name: 'Search flows' }).fill('');
  await page.waitForFunction(() => document.querySelectorAll('.vrow').length > 5);
  const begin = used();
  const from = performance.now();
  await page.waitForTimeout(20_000);
  t.diagnostic(`watching them, the server uses ${(((used() - begin) * 100_000) / (performance.now() - from)).toFixed(2)} % of a core`);
  faultless(page);
});
