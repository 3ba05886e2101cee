// The two pictures of the topology.
import { bits, matches, plural, title } from '../format';
import { layoutHosts, layoutNetworks, links, wire, type HostBox, type NetworkBox, type RouterBox } from '../layout';
import { setQuery, to } from '../router';
import type { TopoPort, Topology } from '../types';
import type { Rates } from './topology';

/** What a packet comes through; all else is dimmed. */
export interface Highlight { hosts: Set<string>; pairs: Set<string>; ids: Set<string> }

interface Props { t: Topology; q: string; lit: Highlight | null }

const GLYPH = { up: '●', down: '▲', unknown: '○' };

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

export function HostsPicture({ t, q, lit, rates, chosen }: Props & { rates: Rates; chosen?: string }) {
  const { boxes, labels } = layoutHosts(t);
  const at = new Map(boxes.map((b) => [b.host.name, b]));
  const crowd = boxes[0]?.compact;
  const all = links(t.tunnels);
  // Hundreds of tunnels are a blot; of a crowd, those are drawn that are down, on the way, or the chosen host's.
  const drawn = crowd ? all.filter((l) => l.state === 'down' || l.a === chosen || l.b === chosen || lit?.pairs.has(`${l.a} ${l.b}`)) : all;
  const labelled = drawn.length <= 12;
  const faded = (b: HostBox): boolean => (!!q && !hostMatches(b, t, q)) || (!!lit && !lit.hosts.has(b.host.name));
  const wires = (
    drawn.map((l) => {
      const [a, b] = [at.get(l.a), at.get(l.b)];
      if (!a || !b) return null;
      const w = wire(a, b);
      const r = rates(l);
      const on = lit?.pairs.has(`${l.a} ${l.b}`);
      const show = labelled || l.state === 'down' || l.a === chosen || l.b === chosen || on;
      const open = (): void => setQuery({ tunnel: `${l.a}~${l.b}`, host: '' });
      const text = `${GLYPH[l.state]} ${l.state === 'up' && r !== undefined ? bits(r) : l.state}`;
      return (
        <g key={`${l.a} ${l.b}`} class={`wire ${l.state}${on ? ' lit' : lit ? ' faded' : ''}`} role="button" tabindex={0} aria-label={`tunnels between ${l.a} and ${l.b}: ${l.state}`}
          onClick={open} onKeyDown={(e) => { if (e.key === 'Enter') open(); }}>
          <path class="hit" d={w.d} /><path d={w.d} />
          {show && <g transform={`translate(${w.x} ${w.y})`}><rect x={-text.length * 3.3 - 8} y={-10} width={text.length * 6.6 + 16} height={20} rx={10} /><text text-anchor="middle" y={4}>{text}</text></g>}
        </g>
      );
    })
  );
  return <>
    {!crowd && wires}
    {labels.map((l) => <text key={l.text} class="group" x={l.x} y={l.y}>{l.text}</text>)}
    {boxes.map((b) => (b.compact ? <Tile key={b.host.name} b={b} faded={faded(b)} chosen={chosen === b.host.name} /> : <Card key={b.host.name} b={b} q={q} lit={lit} faded={faded(b)} chosen={chosen === b.host.name} />))}
    {crowd && wires}
  </>;
}

function hostMatches(b: HostBox, t: Topology, q: string): boolean {
  return matches(q, b.host.name, b.host.encap_ip, ...b.routers.map(title), ...t.ports.filter((p) => p.host === b.host.name).map((p) => `${p.name} ${p.ips.join(' ')} ${p.mac} ${p.id}`));
}

const openHost = (name: string): void => setQuery({ host: name, tunnel: '' });

function state(b: HostBox): 'good' | 'warn' | 'bad' {
  if (!b.host.connected) return 'bad';
  return b.host.problems.length > 0 || (b.host.agent && !b.host.agent.connected) ? 'warn' : 'good';
}

const SIGN = { good: '●', warn: '◆', bad: '▲' };

function Tile({ b, faded, chosen }: { b: HostBox; faded: boolean; chosen: boolean }) {
  const s = state(b);
  return (
    <g class={`node host ${s}${faded ? ' faded' : ''}${chosen ? ' chosen' : ''}`} transform={`translate(${b.x} ${b.y})`} role="button" tabindex={0} aria-label={`host ${b.host.name}`}
      onClick={() => openHost(b.host.name)} onKeyDown={(e) => { if (e.key === 'Enter') openHost(b.host.name); }}>
      <title>{[`${b.host.name}: ${b.host.ports} ports, ${b.host.networks} networks`, ...b.host.problems.map((p) => p.message)].join('\n')}</title>
      <rect class="body" width={b.w} height={b.h} rx={7} />
      <text class="sign" x={9} y={21}>{SIGN[s]}</text>
      <text class="name" x={24} y={21}>{cut(b.host.name, 10)}</text>
      <text class="sub" x={b.w - 9} y={21} text-anchor="end">{b.host.ports}</text>
    </g>
  );
}

function Card({ b, q, lit, faded, chosen }: { b: HostBox; q: string; lit: Highlight | null; faded: boolean; chosen: boolean }) {
  const s = state(b);
  let y = 62;
  const lines: preact.ComponentChildren[] = [];
  for (const r of b.routers) {
    const on = lit?.ids.has(r.id) || (!!q && matches(q, title(r), r.id));
    lines.push(<a key={r.id} href={to('objects', 'router', r.id)} class={`item${on ? ' lit' : ''}`} aria-label={`router ${title(r)}`}><rect x={8} y={y} width={b.w - 16} height={19} rx={4} /><text x={16} y={y + 14}><tspan class={r.conditions_ok ? 'good' : 'bad'}>{r.conditions_ok ? '⇄' : '▲'}</tspan> {cut(`router ${title(r)}`, 24)}</text></a>);
    y += 20;
  }
  for (const p of b.ports) {
    lines.push(<PortLine key={p.id} p={p} x={8} y={y} w={b.w - 16} on={lit?.ids.has(p.id) || (!!q && matches(q, p.name, p.ips.join(' '), p.mac, p.id))} />);
    y += 20;
  }
  return (
    <g class={`node host ${s}${faded ? ' faded' : ''}${chosen ? ' chosen' : ''}`} transform={`translate(${b.x} ${b.y})`}>
      <g role="button" tabindex={0} aria-label={`host ${b.host.name}, ${b.host.connected ? 'connected' : 'not connected'}`} onClick={() => openHost(b.host.name)} onKeyDown={(e) => { if (e.key === 'Enter') openHost(b.host.name); }}>
        <title>{b.host.problems.map((p) => p.message).join('\n') || b.host.name}</title>
        <rect class="body" width={b.w} height={b.h} rx={9} />
        <text class="sign" x={14} y={23}>{SIGN[s]}</text>
        <text class="name" x={32} y={23}>{cut(b.host.name, 12)}</text>
        <text class="sub" x={b.w - 14} y={23} text-anchor="end">{[b.host.gateway && 'gateway', b.host.drained && 'drained', b.host.encap_ip].filter(Boolean).join(' · ')}</text>
      </g>
      {b.host.bridges.map((br, i) => <a key={br.name} href={to('flows', b.host.name, br.name)} class={`chip${br.connected ? '' : ' off'}`} aria-label={`flows of ${br.name} of ${b.host.name}`}><rect x={14 + i * 56} y={33} width={50} height={18} rx={4} /><text x={39 + i * 56} y={46} text-anchor="middle">{cut(br.name, 7)}</text></a>)}
      {lines}
      {b.more > 0 && <a href={`${to('objects', 'host', b.host.name)}`} class="item"><rect x={8} y={y} width={b.w - 16} height={19} rx={4} /><text x={16} y={y + 14} class="sub">and {b.more} more</text></a>}
    </g>
  );
}

const PORT_SIGN: Record<string, [sign: string, tone: string]> = { ACTIVE: ['▪', 'good'], BUILD: ['◆', 'warn'] };

function PortLine({ p, x, y, w, on }: { p: TopoPort; x: number; y: number; w: number; on?: boolean }) {
  const [sign, tone] = PORT_SIGN[p.status] ?? ['▲', 'bad'];
  return (
    <a href={to('objects', 'port', p.id)} class={`item${on ? ' lit' : ''}`} aria-label={`port ${title(p)}, ${p.status}`}>
      <title>{p.status}{p.reason ? `: ${p.reason}` : ''}</title>
      <rect x={x} y={y} width={w} height={19} rx={4} />
      <text x={x + 8} y={y + 14}><tspan class={tone}>{sign}</tspan> {cut(title(p), 16)}</text>
      <text class="sub mono" x={x + w - 6} y={y + 14} text-anchor="end">{cut(p.ips[0] ?? '', 17)}</text>
    </a>
  );
}

export function NetworksPicture({ t, q, lit }: Props) {
  const { networks, routers, wires } = layoutNetworks(t);
  const hit = (id: string): boolean => !!lit?.ids.has(id);
  const external = new Set(t.networks.filter((n) => n.external).map((n) => n.id));
  return <>
    {wires.map((w, i) => <g key={i} class={`wire plain${hit(w.router) && (hit(w.network) || external.has(w.network)) ? ' lit' : lit ? ' faded' : ''}`}><path d={w.d} /></g>)}
    {networks.map((n) => <Net key={n.network.id} n={n} q={q} lit={lit} />)}
    {routers.map((r) => <Router key={r.router.id} r={r} faded={(!!q && !matches(q, title(r.router), r.router.id, r.router.gateway?.ips.join(' '))) || (!!lit && !hit(r.router.id))} />)}
  </>;
}

function Net({ n, q, lit }: { n: NetworkBox; q: string; lit: Highlight | null }) {
  const net = n.network;
  const faded = q ? !matches(q, title(net), net.id, net.project_id, ...net.subnets.map((s) => s.cidr), ...n.ports.map((p) => `${p.name} ${p.ips.join(' ')} ${p.mac} ${p.id}`)) : !!lit && !lit.ids.has(net.id) && !n.ports.some((p) => lit.ids.has(p.id));
  const kind = net.type ? `${net.type}${net.segment_id ? ` ${net.segment_id}` : ''}` : '';
  return (
    <g class={`node network${net.external ? ' external' : ''}${faded ? ' faded' : ''}`} transform={`translate(${n.x} ${n.y})`}>
      <a href={to('objects', 'network', net.id)} aria-label={`network ${title(net)}`}>
        <rect class="body" width={n.w} height={n.h} rx={9} />
        <text class="name" x={14} y={23}>{cut(title(net), net.external ? 60 : 22)}</text>
        <text class="sub" x={14} y={41}>{cut([net.subnets.map((s) => s.cidr).join(' ') || 'no subnet', kind].join(' · '), net.external ? 90 : 30)}</text>
        <text class="sub" x={n.w - 14} y={23} text-anchor="end">{net.external ? 'external' : cut(net.project_id, 12)}</text>
      </a>
      {n.ports.map((p, i) => <PortLine key={p.id} p={p} x={8} y={56 + i * 20} w={n.w - 16} on={lit?.ids.has(p.id) || (!!q && matches(q, p.name, p.ips.join(' '), p.mac, p.id))} />)}
      {n.more > 0 && <a href={to('objects', 'network', net.id)} class="item"><rect x={8} y={56 + n.ports.length * 20} width={n.w - 16} height={19} rx={4} /><text class="sub" x={16} y={70 + n.ports.length * 20}>{n.ports.length ? `and ${n.more} more` : plural(n.more, 'port')}</text></a>}
    </g>
  );
}

function Router({ r, faded }: { r: RouterBox; faded: boolean }) {
  const x = r.router;
  return (
    <g class={`node router ${x.conditions_ok ? 'good' : 'bad'}${faded ? ' faded' : ''}`} transform={`translate(${r.x} ${r.y})`}>
      <a href={to('objects', 'router', x.id)} aria-label={`router ${title(x)}`}>
        <rect class="body" width={r.w} height={r.h} rx={25} />
        <text class="sign" x={18} y={22}>{x.conditions_ok ? '⇄' : '▲'}</text>
        <text class="name" x={36} y={22}>{cut(title(x), 16)}</text>
        <text class="sub" x={36} y={39}>{cut([x.gateway?.ips[0] ?? 'no gateway', x.host].filter(Boolean).join(' · '), 22)}</text>
      </a>
    </g>
  );
}
