// Every view, light and dark: it shows what is there, is accessible, and comes again when reloaded.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessible, base, faultless, ids, launch, open, picture } from './browser.mjs';

let browser;
let views;

before(async () => {
  browser = await launch();
  const port = await ids('port');
  const router = await ids('router');
  const network = await ids('network');
  const ip = await ids('floatingip');
  const explain = `from=port/${port['green-web']}&to=198.51.100.1&protocol=tcp&dst_port=80`;
  views = [
    ['topology', '/ui/topology', ['cmp1', 'net1', 'router green-router', 'red1']],
    ['networks', '/ui/topology?view=networks', ['internet', 'green-router', 'red-gre', 'amber-web']],
    ['host-drawer', '/ui/topology?host=net1', ['Everything about net1']],
    ['flows', '/ui/flows/cmp1/br-tun', ['to_unicast', 'all as wanted', 'leave by the']],
    ['flows-of-a-table', '/ui/flows/net1/br-int?table=0&q=red1', ['local']],
    ['objects', '/ui/objects/port', ['green-web', 'lonely', 'NotPlugged']],
    ['port', `/ui/objects/port/${port['green-web']}`, ['All conditions hold', 'Bound', 'DHCP', 'fip_dnat', 'floating']],
    ['port-not-plugged', `/ui/objects/port/${port.lonely}`, ['Bound does not hold', 'NotPlugged']],
    ['router', `/ui/objects/router/${router['green-router']}`, ['Placed', 'qrouter-']],
    ['network', `/ui/objects/network/${network['red-gre']}`, ['red-gre', 'qdhcp-']],
    ['floatingip', `/ui/objects/floatingip/${Object.values(ip)[0]}`, ['fip_snat']],
    ['host', '/ui/objects/host/net1', ['Targets', 'Settings', 'Namespaces', 'in place']],
    ['explain', `/ui/explain?${explain}`, ['delivered', 'qrouter-', 'Its answer']],
    ['explain-topology', `/ui/topology?path=${encodeURIComponent(explain)}`, ['delivered', 'step by step']],
    ['events', '/ui/events', ['as they happen']],
    ['events-of-a-kind', '/ui/events?kind=passes', ['reconciled']],
    ['history', '/ui/history', ['green-router']],
    ['hosts', '/ui/hosts', ['172.31.0.12', 'gateway']],
    ['agents', '/ui/agents', ['net1', 'up']],
    ['leases', '/ui/leases', ['10.0.33.10', 'green-web']],
    ['macs', '/ui/macs', ['fa:16:3e', 'red2']],
  ];
});
after(() => browser.close());

for (const scheme of ['light', 'dark']) {
  test(`every view, ${scheme}`, async (t) => {
    const page = await open(browser, { colorScheme: scheme, reducedMotion: 'reduce' });
    for (const [name, where, texts] of views) {
      await t.test(name, async () => {
        const begin = performance.now();
        await page.goto(base + where);
        for (const text of texts) await page.getByText(text).first().waitFor({ state: 'attached' });
        t.diagnostic(`${name} ${scheme}: shown after ${Math.round(performance.now() - begin)} ms`);
        await page.locator('.skeleton').waitFor({ state: 'detached' });
        assert.equal(await page.locator('.failure').count(), 0, 'it tells of a failure');
        await accessible(page);
        await picture(page, scheme === 'light' ? name : `${name}-dark`);
        faultless(page);
      });
    }
    await page.context().close();
  });
}

test('every view fits on a phone, and on a small laptop', async (t) => {
  for (const width of [400, 1024]) {
    const page = await open(browser, { viewport: { width, height: 800 } });
    for (const [name, where, [text]] of views) {
      await page.goto(base + where);
      await page.getByText(text).first().waitFor({ state: 'attached' });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= width, `${name} is ${wide} pixels wide on a screen of ${width}`);
      if (width === 400 && ['flows', 'port'].includes(name)) await picture(page, `${name}-phone`);
    }
    t.diagnostic(`${views.length} views fit into ${width} pixels`);
    await page.context().close();
  }
});
