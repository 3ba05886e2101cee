// Where everything is in the picture of the topology: plain arithmetic, so that the same network always
// looks the same and nothing jumps when a counter changes.
import type { TopoHost, TopoNetwork, TopoPort, TopoRouter, Topology, Tunnel } from './types';

export interface Box { x: number; y: number; w: number; h: number }
export interface HostBox extends Box { host: TopoHost; routers: TopoRouter[]; ports: TopoPort[]; more: number; compact: boolean }

/** More hosts than this are drawn as tiles without their VMs. */
export const CROWD = 16;
/** Of more networks than this, the ports are counted and not named. */
export const MANY = 40;
/** How many lines a card has at most. */
const LINES = 8;

const CARD = { w: 232, head: 62, line: 20, gapX: 90, gapY: 96 };
const TILE = { w: 124, h: 32, gap: 8 };

/** A port that a router or DHCP server has, and no VM. */
export const isService = (p: TopoPort): boolean => p.device_owner.startsWith('network:');

export function layoutHosts(t: Topology): { boxes: HostBox[]; labels: { x: number; y: number; text: string }[] } {
  const ports = groupBy(t.ports.filter((p) => !isService(p) && p.host), (p) => p.host!);
  const routers = groupBy(t.routers.filter((r) => r.host), (r) => r.host!);
  const gateways = t.hosts.filter((h) => h.gateway);
  const others = t.hosts.filter((h) => !h.gateway);
  const labels: { x: number; y: number; text: string }[] = [];
  const boxes: HostBox[] = [];
  if (t.hosts.length > CROWD) {
    const columns = Math.ceil(Math.sqrt(t.hosts.length * 0.56));
    let y = 0;
    for (const [text, list] of [['Gateways', gateways], ['Hosts', others]] as const) {
      if (list.length === 0) continue;
      labels.push({ x: 0, y: y + 14, text: `${text} · ${list.length}` });
      const sick = (h: TopoHost): number => (h.connected && h.problems.length === 0 ? 1 : 0);
      [...list].sort((a, b) => sick(a) - sick(b) || a.name.localeCompare(b.name, 'en', { numeric: true })).forEach((host, i) => {
        boxes.push({ host, routers: routers.get(host.name) ?? [], ports: [], more: 0, compact: true, w: TILE.w, h: TILE.h,
          x: (i % columns) * (TILE.w + TILE.gap), y: y + 26 + Math.floor(i / columns) * (TILE.h + TILE.gap) });
      });
      y += 26 + Math.ceil(list.length / columns) * (TILE.h + TILE.gap) + 20;
    }
    return { boxes, labels };
  }
  const perRow = t.hosts.length <= 6 ? 5 : Math.ceil(Math.sqrt(t.hosts.length * 1.5));
  const rows = [...chunks(gateways, perRow), ...chunks(others, perRow)];
  const widest = Math.max(1, ...rows.map((r) => r.length));
  let y = 0;
  for (const row of rows) {
    const made = row.map((host): HostBox => {
      const mine = routers.get(host.name) ?? [];
      const vms = ports.get(host.name) ?? [];
      const room = Math.max(0, LINES - Math.min(mine.length, LINES));
      const shown = vms.slice(0, vms.length > room ? Math.max(0, room - 1) : room);
      const lines = Math.min(mine.length, LINES) + shown.length + (vms.length > shown.length ? 1 : 0);
      return { host, routers: mine.slice(0, LINES), ports: shown, more: vms.length - shown.length, compact: false, x: 0, y, w: CARD.w, h: CARD.head + (lines ? lines * CARD.line + 10 : 4) };
    });
    const indent = ((widest - row.length) * (CARD.w + CARD.gapX)) / 2;
    made.forEach((b, i) => { b.x = indent + i * (CARD.w + CARD.gapX); });
    boxes.push(...made);
    y += Math.max(...made.map((b) => b.h)) + CARD.gapY;
  }
  return { boxes, labels };
}

export interface Link { a: string; b: string; tunnels: Tunnel[]; state: Tunnel['state'] }

/** Both directions and all types of the tunnels between two hosts are one line, which is as bad as the worst of them. */
export function links(tunnels: Tunnel[]): Link[] {
  const by = new Map<string, Link>();
  const rank = { up: 0, unknown: 1, down: 2 };
  for (const t of tunnels) {
    const [a, b] = [t.from, t.to].sort();
    const key = `${a} ${b}`;
    const link = by.get(key) ?? { a, b, tunnels: [], state: 'up' as const };
    link.tunnels.push(t);
    if (rank[t.state] > rank[link.state]) link.state = t.state;
    by.set(key, link);
  }
  return [...by.values()];
}

/** A line between two boxes, which bends around what is between them in a row. */
export function wire(a: Box, b: Box): { d: string; x: number; y: number } {
  const ax = a.x + a.w / 2;
  const bx = b.x + b.w / 2;
  if (a.y === b.y) {
    const [l, r] = a.x < b.x ? [a, b] : [b, a];
    const gap = r.x - (l.x + l.w);
    if (gap < l.w) {
      const y = a.y + 30;
      return { d: `M${l.x + l.w} ${y}L${r.x} ${y}`, x: (l.x + l.w + r.x) / 2, y };
    }
    const y = a.y + Math.max(a.h, b.h);
    const depth = 34 + gap / 12;
    return { d: `M${ax} ${y - 8}C${ax} ${y + depth} ${bx} ${y + depth} ${bx} ${y - 8}`, x: (ax + bx) / 2, y: y + depth * 0.72 };
  }
  const [t, u] = a.y < b.y ? [a, b] : [b, a];
  const [tx, ux] = [t.x + t.w / 2, u.x + u.w / 2];
  const [y1, y2] = [t.y + t.h, u.y];
  const mid = (y1 + y2) / 2;
  return { d: `M${tx} ${y1}C${tx} ${mid} ${ux} ${mid} ${ux} ${y2}`, x: (tx + ux) / 2, y: mid };
}

export interface NetworkBox extends Box { network: TopoNetwork; ports: TopoPort[]; more: number }
export interface RouterBox extends Box { router: TopoRouter }
export interface Wire { d: string; router: string; network: string }

const NET = { w: 200, head: 60, line: 20, gap: 28 };
const ROUTER = { w: 168, h: 50 };
const BAR = { h: 52, gap: 14 };

/**
 * External networks are bars on top, routers hang below them, networks below their routers. Networks that
 * routers tie together stay together; what no router ties is in rows at the end.
 */
export function layoutNetworks(t: Topology): { networks: NetworkBox[]; routers: RouterBox[]; wires: Wire[] } {
  const ports = groupBy(t.ports.filter((p) => !isService(p)), (p) => p.network_id);
  const room = t.networks.length > MANY ? 0 : LINES;
  const box = (network: TopoNetwork): NetworkBox => {
    const vms = ports.get(network.id) ?? [];
    const shown = vms.slice(0, vms.length > room ? Math.max(0, room - 1) : room);
    const lines = shown.length + (vms.length > shown.length ? 1 : 0);
    return { network, ports: shown, more: vms.length - shown.length, x: 0, y: 0, w: NET.w, h: NET.head + (lines ? lines * NET.line + 8 : 0) };
  };
  const inner = new Map(t.networks.filter((n) => !n.external).map((n) => [n.id, box(n)]));
  const external = t.networks.filter((n) => n.external).map(box);
  const routers = new Map(t.routers.map((r): [string, RouterBox] => [r.id, { router: r, x: 0, y: 0, ...ROUTER }]));
  const blocks = components(t.routers, new Set(inner.keys())).map((c) => placeBlock(c, inner, routers));
  const tied = new Set(t.routers.flatMap((r) => r.interfaces.map((i) => i.network_id)));
  const loose = [...inner.values()].filter((n) => !tied.has(n.network.id));

  const total = blocks.reduce((sum, b) => sum + (b.w + 48) * (b.h + 60), 0) + loose.length * (NET.w + 48) * ((loose[0]?.h ?? 0) + 56);
  const width = Math.max(4 * (NET.w + NET.gap), Math.sqrt(total * 1.8), ...blocks.map((b) => b.w));
  let x = 0;
  let y = external.length * (BAR.h + BAR.gap) + (external.length ? 44 : 0);
  let tallest = 0;
  let right = 0;
  const place = (w: number, h: number, put: (x: number, y: number) => void): void => {
    if (x > 0 && x + w > width) {
      x = 0;
      y += tallest + 56;
      tallest = 0;
    }
    put(x, y);
    x += w + 48;
    right = Math.max(right, x - 48);
    tallest = Math.max(tallest, h);
  };
  for (const b of blocks) place(b.w, b.h, (bx, by) => { for (const box of b.boxes) { box.x += bx; box.y += by; } });
  x = 0;
  if (blocks.length) y += tallest + 56;
  tallest = 0;
  for (const n of loose) place(n.w, n.h, (bx, by) => { n.x = bx; n.y = by; });
  external.forEach((n, i) => Object.assign(n, { x: 0, y: i * (BAR.h + BAR.gap), w: Math.max(right, NET.w), h: BAR.h, ports: [], more: 0 }));

  const nets = new Map([...inner, ...external.map((n): [string, NetworkBox] => [n.network.id, n])]);
  const wires: Wire[] = [];
  for (const { router: r, ...at } of routers.values()) {
    const cx = at.x + at.w / 2;
    const up = r.gateway && nets.get(r.gateway.network_id);
    if (up) wires.push({ d: `M${cx} ${at.y}L${cx} ${up.y + up.h}`, router: r.id, network: up.network.id });
    for (const i of r.interfaces) {
      const n = nets.get(i.network_id);
      if (!n) continue;
      const nx = n.x + n.w / 2;
      const [y1, y2] = n.y > at.y ? [at.y + at.h, n.y] : [at.y, n.y + n.h];
      wires.push({ d: `M${cx} ${y1}C${cx} ${(y1 + y2) / 2} ${nx} ${(y1 + y2) / 2} ${nx} ${y2}`, router: r.id, network: n.network.id });
    }
  }
  return { networks: [...nets.values()], routers: [...routers.values()], wires };
}

interface Component { routers: string[]; networks: string[] }

/** Routers that share a network, and the networks they tie, in the order of routers. */
function components(routers: TopoRouter[], inner: Set<string>): Component[] {
  const home = new Map<string, Component>(); // by network
  const out: Component[] = [];
  for (const r of routers) {
    const mine: Component = { routers: [r.id], networks: [] };
    for (const { network_id: n } of r.interfaces) {
      if (!inner.has(n)) continue;
      const other = home.get(n);
      if (other === mine) continue;
      if (other) { // the two are one
        mine.routers.unshift(...other.routers);
        mine.networks.unshift(...other.networks);
        for (const m of other.networks) home.set(m, mine);
        out.splice(out.indexOf(other), 1);
      } else {
        mine.networks.push(n);
        home.set(n, mine);
      }
    }
    out.push(mine);
  }
  return out;
}

function placeBlock(c: Component, inner: Map<string, NetworkBox>, routers: Map<string, RouterBox>): { w: number; h: number; boxes: Box[] } {
  const nets = c.networks.map((id) => inner.get(id)!);
  const rs = c.routers.map((id) => routers.get(id)!);
  const netsWide = nets.length * (NET.w + NET.gap) - NET.gap;
  const routersWide = rs.length * (ROUTER.w + NET.gap) - NET.gap;
  const w = Math.max(netsWide, routersWide, ROUTER.w);
  nets.forEach((n, i) => Object.assign(n, { x: (w - netsWide) / 2 + i * (NET.w + NET.gap), y: ROUTER.h + 64 }));
  rs.forEach((r, i) => Object.assign(r, { x: (w - routersWide) / 2 + i * (ROUTER.w + NET.gap), y: 0 }));
  return { w, h: ROUTER.h + (nets.length ? 64 + Math.max(...nets.map((n) => n.h)) : 0), boxes: [...nets, ...rs] };
}

/** What is left of a topology when one looks at a project or a network alone. */
export function filterTopology(t: Topology, project: string, network: string): Topology {
  if (!project && !network) return t;
  const routersOf = (n: TopoNetwork): TopoRouter[] => t.routers.filter((r) => r.interfaces.some((i) => i.network_id === n.id) || r.gateway?.network_id === n.id);
  const core = t.networks.filter((n) => (!project || n.project_id === project) && (!network || n.id === network));
  const routers = t.routers.filter((r) => (project && r.project_id === project && !network) || core.some((n) => routersOf(n).includes(r)) && (!project || r.project_id === project));
  const gateways = new Set(routers.map((r) => r.gateway?.network_id));
  const networks = t.networks.filter((n) => core.includes(n) || gateways.has(n.id));
  const ids = new Set(core.map((n) => n.id));
  const ports = t.ports.filter((p) => ids.has(p.network_id));
  const names = new Set([...core.flatMap((n) => n.hosts), ...routers.map((r) => r.host)]);
  const hosts = t.hosts.filter((h) => names.has(h.name));
  return { ...t, networks, routers, ports, hosts, tunnels: t.tunnels.filter((x) => names.has(x.from) && names.has(x.to)) };
}

/** The rectangle around boxes. */
export function extent(boxes: Box[]): Box {
  if (boxes.length === 0) return { x: 0, y: 0, w: 100, h: 100 };
  const x = Math.min(...boxes.map((b) => b.x));
  const y = Math.min(...boxes.map((b) => b.y));
  return { x, y, w: Math.max(...boxes.map((b) => b.x + b.w)) - x, h: Math.max(...boxes.map((b) => b.y + b.h)) - y };
}

function groupBy<T>(list: T[], key: (x: T) => string): Map<string, T[]> {
  const out = new Map<string, T[]>();
  for (const x of list) {
    const k = key(x);
    const l = out.get(k);
    if (l) l.push(x);
    else out.set(k, [x]);
  }
  return out;
}

function chunks<T>(list: T[], n: number): T[][] {
  const out: T[][] = [];
  for (let i = 0; i < list.length; i += n) out.push(list.slice(i, i + n));
  return out;
}
