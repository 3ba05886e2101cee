// What the scripts share: a browser, the server's API, and checks of a page.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';

const require = createRequire(new URL('../../northbound/dashboard/ui/package.json', import.meta.url));
const { chromium } = require('playwright-core');
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

export const base = process.env.UI_URL;

/** Milliseconds within which a page has to show something; machines that run tests are busy. */
export const LIMIT = 15_000;

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

/** Opens a page that fails the test when it reports an error, or is refused something by its policy. */
export async function open(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(LIMIT);
  const page = await context.newPage();
  page.faults = [];
  page.on('pageerror', (e) => page.faults.push(e.stack ?? String(e)));
  page.on('console', (m) => { if (m.type() === 'error' && !/Failed to load resource/.test(m.text())) page.faults.push(m.text()); });
  return page;
}

export function faultless(page) {
  assert.deepEqual(page.faults.splice(0), []);
}

/** Checks a page with axe: no serious and no critical fault, and none of colour contrast. */
export async function accessible(page) {
  await page.evaluate(axe); // through the debugger, so the page's policy does not forbid it
  const { violations } = await page.evaluate(() => globalThis.axe.run({ resultTypes: ['violations'] }));
  const bad = violations.filter((v) => v.impact === 'serious' || v.impact === 'critical');
  assert.deepEqual(bad.map((v) => `${v.id}: ${v.nodes[0].html} ${v.nodes[0].failureSummary}`), []);
}

/** Keeps a picture for the documents, if asked to. */
export async function picture(page, name) {
  const dir = process.env.UI_SCREENSHOTS;
  if (dir) await page.screenshot({ path: path.join(dir, `${name}.png`) });
}

export async function api(method, where, body, token) {
  const r = await fetch(base + where, {
    method, headers: { 'Content-Type': 'application/json', ...(token ? { 'X-Auth-Token': token } : {}) }, body: body && JSON.stringify(body),
  });
  const text = await r.text();
  assert.ok(r.ok, `${method} ${where}: ${r.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

/** The ids of objects of a kind by name. */
export async function ids(kind) {
  const { objects } = await api('GET', `/v1/objects/${kind}`);
  return Object.fromEntries(objects.filter((o) => o.name).map((o) => [o.name, o.id]));
}

/** Runs a command on a host of the lab. */
export async function on(host, ...command) {
  const { stdout } = await promisify(execFile)(process.env.UI_PROGRAM, ['lab', 'exec', '--name', process.env.UI_LAB, host, '--', ...command]);
  return stdout;
}

/** Processor time that the server has used, in seconds. */
export function used() {
  const fields = fs.readFileSync(`/proc/${process.env.UI_PID}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
