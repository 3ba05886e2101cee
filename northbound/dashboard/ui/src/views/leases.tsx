// Which addresses DHCP gives to whom.
import { me } from '../api';
import { matches } from '../format';
import { useDocument } from '../live';
import { useNames } from '../names';
import { Ago, Empty, Head, HostLink, Loaded, ObjectLink, Pill, Search, Table, type Column } from '../parts';
import { route, setQuery } from '../router';
import type { Lease } from '../types';

export function Leases() {
  const q = route.value.query.get('q') ?? '';
  const names = useNames();
  const doc = useDocument<{ leases: Lease[]; matched: number }>('/v1/leases?limit=5000', { concerns: (e) => /^(changed|agent_|port_)/.test(e.kind) });
  const columns: Column<Lease>[] = [
    { name: 'Address', cell: (l) => <span class="mono">{l.ip}</span>, order: (l) => l.ip },
    { name: 'MAC', cell: (l) => <span class="mono">{l.mac}</span>, order: (l) => l.mac },
    { name: 'Port', cell: (l) => <ObjectLink object={`port/${l.port_id}`} name={names.port(l.port_id)} />, order: (l) => names.port(l.port_id) },
    { name: 'Network', cell: (l) => <ObjectLink object={`network/${l.network_id}`} name={names.network(l.network_id)} />, order: (l) => names.network(l.network_id) },
    { name: 'Host name', cell: (l) => l.hostname, order: (l) => l.hostname ?? '' },
    { name: 'State', cell: (l) => <Pill tone={l.state === 'leased' ? 'good' : 'quiet'} title={l.state === 'reserved' ? 'given to this port and to no other' : undefined}>{l.state}</Pill>, order: (l) => l.state },
    { name: 'Expires', cell: (l) => <Ago time={l.expires} />, order: (l) => l.expires ?? '' },
  ];
  if (me.value?.admin) columns.push({ name: 'Served on', cell: (l) => l.host && <HostLink host={l.host} />, order: (l) => l.host ?? '' });
  return (
    <>
      <Head title="DHCP leases" sub={doc.data && `${doc.data.matched} addresses that DHCP gives`}>
        <Search label="Search leases" value={q} onInput={(v) => setQuery({ q: v })} />
      </Head>
      <Loaded doc={doc} rows={12}>{(d) => {
        const rows = d.leases.filter((l) => !q || matches(q, l.ip, l.mac, l.hostname, l.host, names.network(l.network_id), names.port(l.port_id)));
        if (rows.length === 0) return <Empty title={d.leases.length === 0 ? 'DHCP gives no addresses' : 'No lease is like that'}>{d.leases.length === 0 ? 'A subnet with DHCP, a port on it and a gateway host with an agent make one.' : 'Another search may find it.'}</Empty>;
        return <Table label="DHCP leases" rows={rows} id={(l) => l.port_id + l.ip} columns={columns.filter((c) => !['Host name', 'Expires'].includes(c.name) || rows.some((l) => (c.name === 'Expires' ? l.expires : l.hostname)))} />;
      }}</Loaded>
    </>
  );
}
