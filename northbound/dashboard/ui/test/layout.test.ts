import assert from 'node:assert/strict';
import { test } from 'node:test';
import { extent, filterTopology, layoutHosts, layoutNetworks, links, type Box } from '../src/layout';
import type { TopoHost, TopoNetwork, TopoPort, TopoRouter, Topology, Tunnel } from '../src/types';

const host = (name: string, gateway = false): TopoHost => ({ name, gateway, connected: true, drained: false, bridges: [], problems: [], ports: 0, networks: 0 });
const network = (id: string, project: string, hosts: string[] = [], external = false): TopoNetwork => ({ id, name: id, project_id: project, external, mtu: 1450, subnets: [], hosts, ports: 0, status: 'ACTIVE' });
const port = (id: string, on: string, at: string): TopoPort => ({ id, name: id, network_id: on, host: at, device_owner: '', mac: '', ips: [], status: 'ACTIVE' });
const router = (id: string, project: string, networks: string[], gateway?: string): TopoRouter => ({
  id, name: id, project_id: project, host: 'h0', status: 'ACTIVE', conditions_ok: true, floating_ips: 0,
  interfaces: networks.map((n) => ({ port_id: n, network_id: n, ips: [] })), gateway: gateway ? { port_id: gateway, network_id: gateway, ips: [] } : undefined,
});
const tunnel = (from: string, to: string, type: string, state: Tunnel['state']): Tunnel => ({ from, to, type, state, interface: `${type}-${to}` });

const fabric = (n: number): Topology => ({
  revision: 1, hosts: Array.from({ length: n }, (_, i) => host(`h${i}`, i % 9 === 0)), tunnels: [],
  networks: [network('ext', 'admin', [], true), ...Array.from({ length: n }, (_, i) => network(`n${i}`, `p${i % 3}`, [`h${i}`]))],
  routers: Array.from({ length: Math.ceil(n / 3) }, (_, i) => router(`r${i}`, `p${i % 3}`, [`n${i}`, `n${(i * 2) % n}`], 'ext')),
  ports: Array.from({ length: 12 }, (_, i) => port(`vm${i}`, 'n0', 'h1')), ports_total: 12,
});

function apart(boxes: Box[]): void {
  for (const [i, a] of boxes.entries()) {
    for (const b of boxes.slice(i + 1)) {
      assert.ok(a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y, `${JSON.stringify(a)} overlaps ${JSON.stringify(b)}`);
    }
  }
}

test('nothing overlaps, with one host or two hundred', () => {
  for (const n of [1, 3, 6, 16, 17, 200]) {
    const t = fabric(n);
    const hosts = layoutHosts(t).boxes;
    assert.equal(hosts.length, n);
    apart(hosts.map(({ x, y, w, h }) => ({ x, y, w, h })));
    const { networks, routers } = layoutNetworks(t);
    assert.equal(networks.length, n + 1);
    assert.equal(routers.length, t.routers.length);
    apart([...networks, ...routers].map(({ x, y, w, h }) => ({ x, y, w, h })));
  }
});

test('two hundred hosts are of a shape that a screen has', () => {
  const { w, h } = extent(layoutHosts(fabric(200)).boxes);
  assert.ok(w / h > 0.8 && w / h < 3, `${w} by ${h}`);
});

test('a card shows as many VMs as it has room for, and counts the rest', () => {
  const box = layoutHosts(fabric(3)).boxes.find((b) => b.host.name === 'h1')!;
  assert.equal(box.ports.length + box.more, 12);
  assert.ok(box.more > 0 && box.ports.length > 4);
});

test('the tunnels between two hosts are one line, as bad as the worst', () => {
  const l = links([tunnel('a', 'b', 'vxlan', 'up'), tunnel('b', 'a', 'vxlan', 'up'), tunnel('b', 'a', 'gre', 'down'), tunnel('a', 'c', 'gre', 'unknown')]);
  assert.deepEqual(l.map((x) => [x.a, x.b, x.tunnels.length, x.state]), [['a', 'b', 3, 'down'], ['a', 'c', 1, 'unknown']]);
});

test('a project sees its networks, its routers, the way outside, and the hosts of these', () => {
  const t = filterTopology(fabric(9), 'p1', '');
  assert.deepEqual(t.networks.map((n) => n.id), ['ext', 'n1', 'n4', 'n7']);
  assert.deepEqual(t.routers.map((r) => r.id), ['r1']);
  assert.deepEqual(t.hosts.map((h) => h.name), ['h0', 'h1', 'h4', 'h7']);
  assert.deepEqual(filterTopology(fabric(9), '', 'n4').networks.map((n) => n.id), ['ext', 'n4']);
  assert.equal(filterTopology(fabric(9), '', '').networks.length, 10);
});
