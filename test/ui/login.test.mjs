// Users with tokens: each sees what is theirs.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessible, api, base, faultless, launch, open, picture } from './browser.mjs';

let browser;
before(async () => {
  browser = await launch();
  for (const [name, token] of [['ann-net', 'ann-secret'], ['bob-net', 'bob-secret']]) {
    await api('POST', '/v2.0/networks', { network: { name } }, token);
  }
});
after(() => browser.close());

async function login(page, token) {
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Log in' }).click();
}

test('a token is asked for, and one that is wrong is refused', async () => {
  const page = await open(browser);
  await page.goto(`${base}/ui/objects/network`);
  await page.getByLabel('Token').waitFor();
  await accessible(page);
  await picture(page, 'login');
  await login(page, 'guess');
  await page.getByText('does not accept this token').waitFor();
  await login(page, 'ann-secret');
  await page.getByRole('cell', { name: 'ann-net' }).waitFor();
  assert.equal(new URL(page.url()).pathname, '/ui/objects/network', 'the address led there from the start');
  await page.reload();
  await page.getByRole('cell', { name: 'ann-net' }).waitFor();
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByLabel('Token').waitFor();
  faultless(page);
});

test("a project's user sees the project, and no hosts", async () => {
  const page = await open(browser);
  await page.goto(`${base}/ui/topology`);
  await login(page, 'ann-secret');
  await page.getByRole('link', { name: 'network ann-net' }).waitFor();
  assert.equal(await page.getByText('bob-net').count(), 0);
  for (const view of ['Flows', 'Events', 'Hosts', 'Agents', 'MACs']) assert.equal(await page.getByRole('link', { name: view, exact: true }).count(), 0, view);
  await page.getByText('every 10 s').waitFor();
  for (const where of ['objects/port', 'leases', 'explain', 'history']) {
    await page.goto(`${base}/ui/${where}`);
    await page.locator('h1').waitFor();
    await page.locator('.skeleton').waitFor({ state: 'detached' });
    assert.equal(await page.locator('.failure').count(), 0, where);
    await accessible(page);
  }
  await page.goto(`${base}/ui/hosts`);
  await page.getByText('This needs the admin role').waitFor();
  faultless(page);
});

test('an administrator sees all', async () => {
  const page = await open(browser);
  await page.goto(`${base}/ui/objects/network`);
  await login(page, 'root-secret');
  await page.getByRole('cell', { name: 'ann-net' }).waitFor();
  await page.getByRole('cell', { name: 'bob-net' }).waitFor();
  await page.locator('.connection.live').waitFor();
});
