// The hosts, what they say of themselves, and what is wrong with them.
import { matches } from '../format';
import { useDocument } from '../live';
import { Empty, Head, HostLink, Loaded, Pill, Search, StatePill, Table } from '../parts';
import { route, setQuery, to } from '../router';
import type { HostView } from '../types';

export function Hosts() {
  const q = route.value.query.get('q') ?? '';
  const doc = useDocument<{ hosts: HostView[] }>('/v1/hosts', { concerns: (e) => /^(host_|switch_|port_|reconcile_|changed|agent_)/.test(e.kind) });
  return (
    <>
      <Head title="Hosts" sub={doc.data && `${doc.data.hosts.filter((h) => h.connected).length} of ${doc.data.hosts.length} are connected`}>
        <Search label="Search hosts" value={q} onInput={(v) => setQuery({ q: v })} />
      </Head>
      <Loaded doc={doc}>{(d) => {
        const rows = d.hosts.filter((h) => !q || matches(q, h.name, String(h.effective.encap_ip ?? ''), ...h.problems.map((p) => `${p.reason} ${p.message}`)));
        if (d.hosts.length === 0) return <Empty title="No host has joined">On a host: <code>ovs-vsctl set Open_vSwitch . external_ids:hostname=cmp1 external_ids:heddle-encap-ip=10.99.0.2</code>, then <code>ovs-vsctl set-manager tcp:CONTROLLER:6640</code>.</Empty>;
        if (rows.length === 0) return <Empty title="No host is like that" />;
        return <Table label="Hosts" rows={rows} id={(h) => h.name} href={(h) => to('objects', 'host', h.name)} columns={[
          { name: 'Host', cell: (h) => <HostLink host={h.name} />, order: (h) => h.name },
          { name: 'State', cell: (h) => <StatePill state={h.connected ? 'up' : 'down'} />, order: (h) => Number(h.connected) },
          { name: 'Role', cell: (h) => <>{h.effective.gateway && <Pill tone="info">gateway</Pill>}{(h.effective.drained || h.override.drained) && <Pill tone="warn">drained</Pill>}</>, order: (h) => Number(!!h.effective.gateway) },
          { name: 'Tunnels end at', cell: (h) => <span class="mono">{h.effective.encap_ip}</span>, order: (h) => String(h.effective.encap_ip ?? '') },
          { name: 'Tunnel types', cell: (h) => (h.effective.encap_types ?? []).join(' ') },
          { name: 'Bridges', cell: (h) => <span class="row">{Object.entries(h.targets).filter(([n]) => n.startsWith('br-')).map(([n, t]) => <a key={n} class={t.connected ? 'bridge' : 'bridge off'} href={to('flows', h.name, n)} title={t.error ?? (t.connected ? 'connected' : 'not connected')}>{n}</a>)}</span> },
          { name: 'Networks', class: 'number', cell: (h) => h.counts.networks, order: (h) => h.counts.networks },
          { name: 'Ports', class: 'number', cell: (h) => h.counts.ports, order: (h) => h.counts.ports },
          { name: 'Revision', class: 'number', cell: (h) => h.revision, order: (h) => h.revision },
          { name: 'Problems', class: 'wide', cell: (h) => h.problems.map((p) => <div key={p.message}><Pill tone="bad">{p.reason}</Pill> {p.message}</div>), order: (h) => -h.problems.length },
        ]} />;
      }}</Loaded>
    </>
  );
}
