// What the dashboard does: it follows what happens, finds causes, and is led by the keyboard.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { accessible, api, base, faultless, ids, launch, on, open, picture, used } from './browser.mjs';

let browser;
let page;

before(async () => { browser = await launch(); });
afterEach(() => page.context().close());
after(() => browser.close());

async function fresh(where) {
  page = await open(browser);
  await page.goto(base + where);
  return page;
}

test('a browser that asks for / is led to the topology, a program to the versions', async () => {
  await fresh('/');
  await page.waitForURL('**/ui/topology');
  const { versions } = await api('GET', '/');
  assert.equal(versions[0].id, 'v2.0');
});

test('a page is usable soon after it was asked for', async (t) => {
  await fresh('/ui/hosts');
  const times = [];
  for (let i = 0; i < 5; i++) {
    await page.goto(`${base}/ui/flows/cmp1/br-tun`);
    await page.locator('.vrow .says').first().waitFor();
    times.push(await page.evaluate(() => performance.now()));
  }
  times.sort((a, b) => a - b);
  t.diagnostic(`flows are shown ${Math.round(times[2])} ms after the request (median of 5)`);
  assert.ok(times[2] < 5000);
});

test('what is changed elsewhere appears by itself', async () => {
  const { lonely } = await ids('port');
  await fresh(`/ui/objects/port/${lonely}`);
  await page.getByRole('heading', { name: 'lonely' }).waitFor();
  await api('PUT', `/v2.0/ports/${lonely}`, { port: { name: 'not-so-lonely' } });
  await page.getByRole('heading', { name: 'not-so-lonely' }).waitFor();
  await api('PUT', `/v2.0/ports/${lonely}`, { port: { name: 'lonely' } });
  await page.getByRole('heading', { name: 'lonely', exact: true }).waitFor();
  faultless(page);
});

test('a connection that was lost comes back, and nothing was missed', async () => {
  await fresh('/ui/events');
  await page.locator('.connection.live').waitFor();
  await page.context().setOffline(true);
  const { lonely } = await ids('port');
  await api('PUT', `/v2.0/ports/${lonely}`, { port: { description: 'changed while nobody looked' } });
  const { events } = await api('GET', '/v1/events?limit=50');
  const revision = events.filter((e) => e.kind === 'changed').pop().body.rev;
  await page.context().setOffline(false);
  await page.getByText(`revision ${revision}:`).waitFor();
  await page.locator('.connection.live').waitFor();
});

test('a flow that was deleted by hand is repaired, and the events tell', async () => {
  await fresh('/ui/events?kind=drift');
  await page.locator('.connection.live').waitFor();
  await on('cmp1', 'ovs-ofctl', '-O', 'OpenFlow13', 'del-flows', 'br-tun', 'table=20,dl_vlan=1');
  await page.getByText('br-tun had been altered by others, and was repaired').first().waitFor();
  await page.locator('.vrow').first().click();
  await page.getByRole('complementary').getByText('missing').first().waitFor();
  await accessible(page);
  await picture(page, 'drift');
  faultless(page);
});

test('a foreign flow is marked, and says that it is not Heddle\'s', async () => {
  await on('cmp1', 'ovs-ofctl', '-O', 'OpenFlow13', 'add-flow', 'br-int', 'table=5,priority=7,ip,nw_dst=192.0.2.7,actions=drop');
  await fresh('/ui/flows/cmp1/br-int?state=foreign');
  await page.getByText('nw_dst=192.0.2.7').waitFor();
  await page.locator('.vrow').first().click();
  await page.getByText('somebody else made it').waitFor();
  await on('cmp1', 'ovs-ofctl', '-O', 'OpenFlow13', '--strict', 'del-flows', 'br-int', 'table=5,priority=7,ip,nw_dst=192.0.2.7');
});

test('a flow tells what it does, for whom, and by which request', async () => {
  const { red1 } = await ids('port');
  await fresh(`/ui/flows/cmp2/br-tun?q=${encodeURIComponent('dl_dst')}&table=20`);
  await page.locator('.vrow', { hasText: 'red1' }).first().click();
  const drawer = page.getByRole('complementary');
  await drawer.getByText('leave by the gre tunnel to host net1').waitFor();
  await drawer.getByText('noauth').waitFor();
  await drawer.getByRole('link', { name: /req-/ }).waitFor();
  await accessible(page);
  await picture(page, 'flow');
  await drawer.getByRole('link', { name: 'red1' }).click();
  await page.waitForURL(`**/ui/objects/port/${red1}`);
  await page.goBack();
  await page.waitForURL('**/ui/flows/cmp2/br-tun?**');
  faultless(page);
});

test('counters become rates while frames flow', async () => {
  await fresh('/ui/flows/cmp1/br-tun');
  const ping = on('cmp1', 'true').then(() => import('node:child_process')).then(({ spawn }) => spawn(process.env.UI_PROGRAM,
    ['lab', 'vm', 'exec', '--name', process.env.UI_LAB, 'red2', '--', 'ping', '-i', '0.1', '-s', '1000', '-w', '30', '10.0.22.11'], { stdio: 'ignore' }));
  try {
    await page.locator('.vrow .nums b', { hasText: /bit\/s/ }).first().waitFor({ timeout: 20_000 });
  } finally {
    (await ping).kill();
  }
});

test('explain is asked by name and shown on the topology', async () => {
  await fresh('/ui/explain');
  await page.locator('#ports option').first().waitFor({ state: 'attached' });
  await page.getByLabel('From').fill('red1');
  await page.getByLabel('To', { exact: true }).fill('red3');
  await page.getByRole('button', { name: 'Explain' }).click();
  await page.locator('.verdict.delivered').waitFor();
  assert.match(page.url(), /from=port%2F[0-9a-f-]{36}&to=port%2F/);
  assert.equal(await page.getByLabel('From').inputValue(), 'red1');
  await page.getByRole('link', { name: 'Show it on the topology' }).click();
  await page.locator('.wire.lit').first().waitFor();
  await page.locator('.node.faded', { hasText: 'cmp1' }).waitFor({ state: 'attached' });
  await page.reload();
  await page.locator('.wire.lit').first().waitFor();
  faultless(page);
});

test('a packet that dies is told where and why', async () => {
  const { red1 } = await ids('port');
  await fresh(`/ui/explain?from=port/${red1}&to=203.0.113.9&protocol=icmp`);
  await page.locator('.verdict.dropped').waitFor();
  await page.getByText('NoRouter').first().waitFor();
  await accessible(page);
  await picture(page, 'explain-dropped');
});

test('the keyboard alone leads everywhere', async () => {
  await fresh('/ui/topology');
  const host = page.getByRole('button', { name: /^host cmp1/ });
  await host.waitFor();
  await host.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('complementary', { name: 'cmp1' }).waitFor();
  await page.keyboard.press('Escape');
  for (const [key, where] of [['h', 'history'], ['s', 'hosts'], ['o', 'objects']]) {
    await page.keyboard.press('g');
    await page.keyboard.press(key);
    await page.waitForURL(`**/ui/${where}`);
  }
  await page.getByRole('cell', { name: 'green-web' }).waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('red2');
  await page.waitForURL('**q=red2');
  await page.getByRole('cell', { name: 'green-web' }).waitFor({ state: 'detached' });
  await page.keyboard.press('Escape');
  await page.keyboard.press('Tab');
  await page.locator('tbody tr').first().focus();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'red2' }).waitFor();
  await page.keyboard.press('?');
  await page.getByRole('dialog').waitFor();
  await accessible(page);
  await picture(page, 'help');
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.keyboard.press('g');
  await page.keyboard.press('f');
  await page.locator('.vrow').first().waitFor();
  await page.getByRole('listbox').focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.getByRole('complementary').waitFor();
  assert.equal(await page.locator('.vrow[aria-selected=true]').getAttribute('aria-posinset'), '2');
  await page.keyboard.press('Escape');
  await page.getByRole('complementary').waitFor({ state: 'detached' });
  faultless(page);
});

test('the theme that was chosen stays', async () => {
  await fresh('/ui/hosts');
  await page.getByRole('button', { name: /Theme/ }).click();
  await page.reload();
  await page.locator('html[data-theme=dark]').waitFor();
  await accessible(page);
});

test('what is not there is told with its cause', async () => {
  await fresh('/ui/objects/port/no-such-port');
  await page.getByRole('alert').getByText('There is no such thing').waitFor();
  await page.goto(`${base}/ui/flows/cmp9/br-int`);
  await page.getByText('Bridge br-int of cmp9 is not connected').waitFor();
  await page.goto(`${base}/ui/nonsense`);
  await page.getByText('There is no such view').waitFor();
});

test('a browser that watches costs the server little', async (t) => {
  const rest = async () => {
    const begin = used();
    const from = performance.now();
    await page.waitForTimeout(15_000);
    return ((used() - begin) * 100_000) / (performance.now() - from);
  };
  page = await open(browser);
  await page.goto('about:blank');
  const idle = await rest();
  for (const where of ['/ui/topology', '/ui/flows/cmp1/br-tun', '/ui/events']) {
    await page.goto(base + where);
    await page.locator('.connection.live').waitFor();
    await page.waitForTimeout(2000);
    const watched = await rest();
    t.diagnostic(`${where}: the server uses ${watched.toFixed(2)} % of a core, ${idle.toFixed(2)} % without a browser`);
    assert.ok(watched - idle < 10, 'watching costs more than ten percent of a core');
  }
});
