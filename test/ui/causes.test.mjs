// Faults that operators meet: the page says what is wrong, why, and what to do, and that it is over.
import { after, afterEach, before, test } from 'node:test';
import { accessible, api, base, faultless, ids, launch, on, open, picture } from './browser.mjs';

let browser;
let page;

before(async () => { browser = await launch(); });
afterEach(() => page.context().close());
after(() => browser.close());

async function fresh(where) {
  page = await open(browser);
  await page.goto(base + where);
}

test('a subnet without a free address', async () => {
  const { network } = await api('POST', '/v2.0/networks', { network: { name: 'tiny', project_id: 'red' } });
  const { subnet } = await api('POST', '/v2.0/subnets', { subnet: { name: 'tiny', project_id: 'red', network_id: network.id, ip_version: 4, cidr: '10.9.9.0/30', enable_dhcp: false } });
  await api('POST', '/v2.0/ports', { port: { name: 'last', project_id: 'red', network_id: network.id } });
  await fresh('/ui/objects/subnet');
  await page.getByRole('row', { name: /tiny/ }).getByText('SubnetExhausted').waitFor();
  await page.getByRole('link', { name: 'tiny' }).first().click();
  await page.waitForURL(`**/ui/objects/subnet/${subnet.id}`);
  await page.getByRole('heading', { name: 'Addresses does not hold' }).waitFor();
  await accessible(page);
  await picture(page, 'subnet-exhausted');
  faultless(page);
});

test('a router without a gateway', async () => {
  const { router } = await api('POST', '/v2.0/routers', { router: { name: 'inward', project_id: 'red' } });
  await fresh(`/ui/objects/router/${router.id}`);
  await page.locator('.chain .info', { hasText: 'NoGateway' }).getByText('openstack router set --external-gateway').waitFor();
  await accessible(page);
  await api('DELETE', `/v2.0/routers/${router.id}`);
});

test('a host whose manager was taken away', async () => {
  const manager = (await on('cmp2', 'ovs-vsctl', 'get-manager')).trim();
  await fresh('/ui/topology');
  await page.getByRole('button', { name: 'host cmp2, connected' }).waitFor();
  await on('cmp2', 'ovs-vsctl', 'del-manager');
  try {
    await page.getByRole('button', { name: 'host cmp2, not connected' }).click();
    await page.getByRole('link', { name: 'Everything about cmp2' }).click();
    await page.getByRole('heading', { name: 'Connected does not hold' }).waitFor();
    await page.locator('.chain .bad p').first().waitFor();
    await accessible(page);
    await picture(page, 'host-unreachable');
  } finally {
    await on('cmp2', 'ovs-vsctl', 'set-manager', manager);
  }
  await page.getByRole('heading', { name: 'All conditions hold' }).waitFor({ timeout: 40_000 });
  faultless(page);
});

test('a wrong tunnel address', async () => {
  await fresh('/ui/topology');
  await page.getByRole('button', { name: 'tunnels between cmp1 and cmp2: up' }).waitFor({ timeout: 40_000 });
  await api('PATCH', '/v1/hosts/cmp2', { encap_ip: '172.31.0.99' });
  try {
    await page.getByRole('button', { name: 'tunnels between cmp1 and cmp2: down' }).waitFor({ timeout: 40_000 });
    await page.getByRole('button', { name: 'tunnels between cmp1 and cmp2: down' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('complementary').getByText('172.31.0.99').first().waitFor();
    await page.getByRole('complementary').getByText(/ip address/).first().waitFor();
    await accessible(page);
    await picture(page, 'tunnel-down');
  } finally {
    await api('PATCH', '/v1/hosts/cmp2', { encap_ip: null });
  }
  await page.getByRole('button', { name: 'tunnels between cmp1 and cmp2: up' }).waitFor({ timeout: 40_000 });
  faultless(page);
});

test('a patch port that somebody removed', async () => {
  await fresh('/ui/events?kind=drift');
  await page.locator('.connection.live').waitFor();
  await on('cmp1', 'ovs-vsctl', 'del-port', 'br-int', 'patch-tun');
  await page.locator('.event', { hasText: 'cmp1' }).filter({ hasText: /patch-tun|ovsdb/ }).first().waitFor({ timeout: 30_000 });
  faultless(page);
});
