// Where MAC addresses are.
import { matches } from '../format';
import { useDocument } from '../live';
import { useNames } from '../names';
import { Ago, Empty, Head, HostLink, Loaded, ObjectLink, Pill, Search, Select, Table } from '../parts';
import { route, setQuery } from '../router';
import type { Mac } from '../types';

export function Macs() {
  const q = route.value.query.get('q') ?? '';
  const source = route.value.query.get('source') ?? '';
  const names = useNames();
  const doc = useDocument<{ macs: Mac[]; matched: number }>('/v1/macs?limit=5000', { concerns: (e) => /^(mac_|port_|changed)/.test(e.kind) });
  return (
    <>
      <Head title="MAC addresses" sub={doc.data && `${doc.data.matched} places where addresses are`}>
        <Select label="Source" value={source} options={[['', 'ports and learned'], ['port', 'ports'], ['learned', 'learned']]} onChange={(v) => setQuery({ source: v })} />
        <Search label="Search addresses" value={q} onInput={(v) => setQuery({ q: v })} />
      </Head>
      <Loaded doc={doc} rows={12}>{(d) => {
        const rows = d.macs.filter((m) => (!source || m.source === source) && (!q || matches(q, m.mac, m.host, m.bridge, m.interface, names.network(m.network_id), names.port(m.port_id))));
        if (rows.length === 0) return <Empty title="No address is like that">{d.macs.length === 0 ? 'Addresses come with ports that are plugged, and with frames that bridges learn from.' : 'Another search may find it.'}</Empty>;
        return <Table label="MAC addresses" rows={rows} id={(m) => `${m.source}${m.host}${m.bridge}${m.vlan}${m.mac}${m.interface}`} columns={[
          { name: 'Address', cell: (m) => <span class="mono">{m.mac}</span>, order: (m) => m.mac },
          { name: 'Source', cell: (m) => <Pill tone={m.source === 'port' ? 'good' : 'info'}>{m.source}</Pill>, order: (m) => m.source },
          { name: 'Port', cell: (m) => m.port_id && <ObjectLink object={`port/${m.port_id}`} name={names.port(m.port_id)} />, order: (m) => names.port(m.port_id) },
          { name: 'Network', cell: (m) => m.network_id && <ObjectLink object={`network/${m.network_id}`} name={names.network(m.network_id)} />, order: (m) => names.network(m.network_id) },
          { name: 'Host', cell: (m) => <HostLink host={m.host} />, order: (m) => m.host },
          { name: 'Bridge', cell: (m) => m.bridge, order: (m) => m.bridge },
          { name: 'Interface', cell: (m) => <span class="mono">{m.interface}</span>, order: (m) => m.interface ?? '' },
          { name: 'VLAN', class: 'number', cell: (m) => m.vlan, order: (m) => m.vlan ?? 0 },
          { name: 'Since', cell: (m) => <Ago time={m.since} />, order: (m) => m.since ?? '' },
        ]} />;
      }}</Loaded>
    </>
  );
}
