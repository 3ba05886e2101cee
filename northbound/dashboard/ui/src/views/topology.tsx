// Everything and how it hangs together: hosts and their tunnels, or networks and their routers.
import { me, url } from '../api';
import { bits, count, plural, portTitle, rate, title } from '../format';
import { filterTopology, links, type Link } from '../layout';
import { useDocument, type Document } from '../live';
import { Drawer, Empty, Facts, FailureBox, Head, HostLink, Pill, Search, Select, Skeleton, StatePill } from '../parts';
import { tunnelsOf } from '../path';
import { route, setQuery, to } from '../router';
import type { Topology, Trace, Tunnel } from '../types';
import { Canvas } from './canvas';
import { HostsPicture, NetworksPicture, type Highlight } from './pictures';

export type Rates = (link: Link) => number | undefined;

export function TopologyView() {
  const query = route.value.query;
  const admin = me.value!.admin;
  const view = (query.get('view') ?? (admin ? 'hosts' : 'networks')) as 'hosts' | 'networks';
  const project = query.get('project') ?? '';
  const network = query.get('network') ?? '';
  const q = query.get('q') ?? '';
  const path = query.get('path') ?? '';
  const doc = useDocument<Topology>('/v1/topology?ports=2000', { concerns: (e) => /^(changed|port_|host_|switch_|agent_|tunnel_)/.test(e.kind), every: view === 'hosts' && admin ? 5000 : undefined });
  const trace = useDocument<Trace>(path ? `/v1/explain?${path}` : '');
  const whole = doc.data;
  if (!whole) return <><Head title="Topology" /><FailureBox doc={doc} />{!doc.failure && <Skeleton rows={12} />}</>;
  const t = filterTopology(whole, project, network);
  const rates = linkRates(doc);
  const lit = highlight(trace.data);
  const sick = whole.hosts.filter((h) => !h.connected || h.problems.length > 0);
  const down = whole.tunnels.filter((x) => x.state === 'down').length;
  const projects = [...new Set(whole.networks.map((n) => n.project_id))].filter(Boolean).sort();
  const chosenHost = t.hosts.find((h) => h.name === query.get('host'));
  const chosenLink = links(t.tunnels).find((l) => `${l.a}~${l.b}` === query.get('tunnel'));
  return (
    <div class="topology">
      <Head title="Topology" sub={<>
        {admin && <>{plural(whole.hosts.length, 'host')}{sick.length > 0 && <>, <b class="bad">{sick.length} not well</b></>} · {plural(whole.tunnels_total ?? whole.tunnels.length, 'tunnel')}{down > 0 && <>, <b class="bad">{down} down</b></>} · </>}
        {plural(whole.networks.length, 'network')} · {plural(whole.routers.length, 'router')} · {plural(whole.ports_total, 'port')}
      </>}>
        {admin && <div class="segmented" role="group" aria-label="Picture">
          <button type="button" aria-pressed={view === 'hosts'} onClick={() => setQuery({ view: 'hosts', tunnel: '' }, 'push')}>Hosts</button>
          <button type="button" aria-pressed={view === 'networks'} onClick={() => setQuery({ view: 'networks', host: '', tunnel: '' }, 'push')}>Networks</button>
        </div>}
        {projects.length > 1 && <Select label="Project" value={project} options={[['', 'all projects'], ...projects.map((p): [string, string] => [p, p])]} onChange={(v) => setQuery({ project: v, network: '' })} />}
        <Select label="Network" value={network} options={[['', 'all networks'], ...whole.networks.filter((n) => !project || n.project_id === project).map((n): [string, string] => [n.id, title(n)])]} onChange={(v) => setQuery({ network: v })} />
        <Search label="Find in the picture" value={q} onInput={(v) => setQuery({ q: v })} />
      </Head>
      <FailureBox doc={doc} />
      {path && <div class={`verdict ${trace.data?.verdict ?? ''}`}>
        <FailureBox doc={trace} />
        {trace.data && <p><StatePill state={trace.data.verdict} /> {trace.data.message} <a href={`${to('explain')}?${path}`}>step by step</a> <button type="button" onClick={() => setQuery({ path: '' })}>Clear</button></p>}
      </div>}
      <div class="split">
        {whole.hosts.length === 0 && whole.networks.length === 0
          ? <Empty title="There is nothing yet">{admin ? <>Join a host: <code>ovs-vsctl set-manager tcp:CONTROLLER:6640</code>, and create a network: <code>openstack network create NAME</code>. They appear here by themselves.</> : <>Create a network: <code>openstack network create NAME</code>. It appears here by itself.</>}</Empty>
          : <Canvas key={view} fit={`${view} ${project} ${network} ${t.hosts.length} ${t.networks.length}`} label={view === 'hosts' ? 'Hosts and tunnels' : 'Networks and routers'}>
            {view === 'hosts' ? <HostsPicture t={t} rates={rates} q={q} lit={lit} chosen={chosenHost?.name} /> : <NetworksPicture t={t} q={q} lit={lit} />}
          </Canvas>}
        {chosenHost && <HostDrawer t={t} name={chosenHost.name} rates={rates} />}
        {chosenLink && <LinkDrawer link={chosenLink} doc={doc} />}
      </div>
      {whole.ports_total > whole.ports.length && <p class="dim note">{count(whole.ports.length)} of {count(whole.ports_total)} ports are drawn; <a href={to('objects', 'port')}>Objects</a> lists all.</p>}
    </div>
  );
}

const keyOf = (t: Tunnel): string => `${t.from} ${t.to} ${t.type} ${t.interface}`;

/** Bytes that a tunnel sends a second, by the two newest answers. */
function tunnelRate(doc: Document<Topology>, before: Map<string, Tunnel>, t: Tunnel): number | undefined {
  return rate(t.tx_bytes, before.get(keyOf(t))?.tx_bytes, doc.at - doc.previousAt);
}

function linkRates(doc: Document<Topology>): Rates {
  const before = new Map((doc.previous?.tunnels ?? []).map((t) => [keyOf(t), t]));
  return (link) => {
    const all = link.tunnels.map((t) => tunnelRate(doc, before, t)).filter((r) => r !== undefined);
    return all.length ? all.reduce((a, b) => a + b, 0) : undefined;
  };
}

function highlight(trace?: Trace): Highlight | null {
  if (!trace) return null;
  const steps = [...trace.steps, ...(trace.reply?.steps ?? [])];
  const ids = new Set<string>();
  for (const s of steps) {
    if (s.object) ids.add(s.object.split('/')[1]);
    const space = /^q(?:router|dhcp)-(.+)$/.exec(s.where ?? '');
    if (space) ids.add(space[1]);
  }
  for (const d of trace.delivered ?? []) if (d.port_id) ids.add(d.port_id);
  return { hosts: new Set(steps.map((s) => s.host ?? '')), pairs: tunnelsOf(steps), ids };
}

function HostDrawer({ t, name, rates }: { t: Topology; name: string; rates: Rates }) {
  const h = t.hosts.find((x) => x.name === name)!;
  const mine = links(t.tunnels).filter((l) => l.a === name || l.b === name);
  const ports = t.ports.filter((p) => p.host === name);
  return (
    <Drawer title={name} onClose={() => setQuery({ host: '' })}>
      <p class="row"><StatePill state={h.connected ? 'up' : 'down'} />{h.gateway && <Pill tone="info">gateway</Pill>}{h.drained && <Pill tone="warn">drained</Pill>}{h.agent && <Pill tone={h.agent.connected ? 'good' : 'bad'}>agent</Pill>}</p>
      {h.problems.map((p) => <div class="failure" key={p.message}><strong>{p.reason}</strong><p>{p.message}</p></div>)}
      <Facts of={[['Tunnels end at', <code>{h.encap_ip}</code>], ['Networks', h.networks], ['Ports', h.ports], ['Bridges', <span class="row">{h.bridges.map((b) => <a key={b.name} class={b.connected ? 'bridge' : 'bridge off'} href={to('flows', name, b.name)}>{b.name}</a>)}</span>]]} />
      <p><a class="button" href={to('objects', 'host', name)}>Everything about {name}</a></p>
      {mine.length > 0 && <><h3>Tunnels</h3><ul class="plain">{mine.slice(0, 60).map((l) => {
        const other = l.a === name ? l.b : l.a;
        const r = rates(l);
        return <li key={other} class="row"><StatePill state={l.state} /><HostLink host={other} /><span class="dim">{[...new Set(l.tunnels.map((x) => x.type))].join(' ')}</span><span class="number">{r !== undefined ? bits(r) : ''}</span></li>;
      })}</ul></>}
      {ports.length > 0 && <><h3>Ports</h3><ul class="plain">{ports.slice(0, 100).map((p) => <li key={p.id} class="row"><StatePill state={p.status} title={p.reason} /><a href={to('objects', 'port', p.id)}>{portTitle(p)}</a>{p.name && <span class="dim mono">{p.ips[0]}</span>}</li>)}</ul></>}
    </Drawer>
  );
}

function LinkDrawer({ link, doc }: { link: Link; doc: Document<Topology> }) {
  const before = new Map((doc.previous?.tunnels ?? []).map((t) => [keyOf(t), t]));
  return (
    <Drawer title={`${link.a} ↔ ${link.b}`} onClose={() => setQuery({ tunnel: '' })}>
      {link.tunnels.map((t) => {
        const r = tunnelRate(doc, before, t);
        return (
          <section key={keyOf(t)}>
            <h3>{t.type} from {t.from} to {t.to}</h3>
            <p><StatePill state={t.state} /> {t.reason && <code>{t.reason}</code>} {t.message}</p>
            <Facts of={[
              ['Interface', <code>{t.interface}</code>], ['Ends', <code>{t.local_ip} → {t.remote_ip}</code>], ['Rate', r !== undefined && bits(r)],
              ['Sent', t.tx_packets !== undefined && `${count(t.tx_packets)} packets`], ['Received', t.rx_packets !== undefined && `${count(t.rx_packets)} packets`],
              ['Since', t.since], ['Flows', <a href={url(to('flows', t.from, 'br-tun'), { q: t.to })}>those that name {t.to}</a>],
            ]} />
          </section>
        );
      })}
    </Drawer>
  );
}
