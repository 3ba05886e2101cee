// All objects of a kind, those that are not well first if one wants.
import { me, url } from '../api';
import { plural, short, title } from '../format';
import { useDocument } from '../live';
import { Ago, Empty, Head, HostLink, Loaded, Search, Select, StatePill, Table, type Column, Pill } from '../parts';
import { go, route, setQuery, to } from '../router';
import type { ObjectSummary } from '../types';

export const KINDS: [kind: string, plural: string][] = [
  ['port', 'Ports'], ['network', 'Networks'], ['subnet', 'Subnets'], ['router', 'Routers'], ['floatingip', 'Floating IPs'], ['portforwarding', 'Port forwardings'], ['host', 'Hosts'],
];

const CREATE: Record<string, string> = {
  port: 'openstack port create --network NETWORK NAME', network: 'openstack network create NAME', subnet: 'openstack subnet create --network NETWORK --subnet-range 10.0.0.0/24 NAME',
  router: 'openstack router create NAME', floatingip: 'openstack floating ip create EXTERNAL-NETWORK', portforwarding: 'openstack floating ip port forwarding create …', host: 'ovs-vsctl set-manager tcp:CONTROLLER:6640 on the host',
};

export const anyChange = (e: { kind: string }): boolean => /^(changed|port_|host_|switch_|agent_|reconcile_|drift|tunnel_)/.test(e.kind);

export function Objects({ kind }: { kind: string }) {
  const query = route.value.query;
  const q = query.get('q') ?? '';
  const project = query.get('project') ?? '';
  const only = query.get('only') ?? '';
  const doc = useDocument<{ objects: ObjectSummary[]; matched: number }>(url(`/v1/objects/${encodeURIComponent(kind)}`, { q, project_id: project, limit: 2000 }), { concerns: anyChange });
  const name = KINDS.find(([k]) => k === kind)?.[1] ?? kind;
  const columns: Column<ObjectSummary>[] = [
    { name: 'Name', cell: (o) => <a href={to('objects', kind, o.id)}>{title(o)}</a>, order: title },
    { name: 'Status', cell: (o) => <StatePill state={o.status} />, order: (o) => o.status },
    { name: 'Condition', class: 'wide', cell: (o) => (o.ok ? <span class="dim">all conditions hold</span> : <><Pill tone="bad">{o.reason ?? 'not ok'}</Pill> {o.message}</>), order: (o) => `${Number(o.ok)}${o.reason}` },
    { name: 'Host', cell: (o) => o.host && kind !== 'host' && <HostLink host={o.host} />, order: (o) => o.host ?? '' },
    { name: 'Project', cell: (o) => o.project_id, order: (o) => o.project_id ?? '' },
    { name: 'Changed', cell: (o) => o.changed && <><Ago time={o.changed.at} /> {o.changed.user && <span class="dim">by {o.changed.user}</span>}</>, order: (o) => o.changed?.at ?? '' },
    { name: 'ID', cell: (o) => <span class="mono dim" title={o.id}>{short(o.id)}</span>, order: (o) => o.id },
  ];
  return (
    <>
      <Head title={name} sub={doc.data && plural(doc.data.matched, 'object')}>
        <Select label="Condition" value={only} options={[['', 'all'], ['bad', 'not well']]} onChange={(v) => setQuery({ only: v })} />
        <Search label="Name, id or address" value={q} onInput={(v) => setQuery({ q: v })} />
      </Head>
      <div class="chips" role="group" aria-label="Kind">{KINDS.filter(([k]) => me.value?.admin || k !== 'host').map(([k, n]) => <button key={k} type="button" aria-pressed={k === kind} onClick={() => go(to('objects', k))}>{n}</button>)}
        {project && <button type="button" aria-pressed="true" onClick={() => setQuery({ project: '' })}>project {project} ✕</button>}</div>
      <Loaded doc={doc} rows={12}>{(d) => {
        const rows = only === 'bad' ? d.objects.filter((o) => !o.ok) : d.objects;
        if (rows.length === 0) {
          return d.matched > 0 ? <Empty title="All of them are well">{only && <button type="button" onClick={() => setQuery({ only: '' })}>Show all</button>}</Empty>
            : q || project ? <Empty title="No object is like that"><button type="button" onClick={() => setQuery({ q: '', project: '' })}>Show all</button></Empty>
              : <Empty title={`There are no ${name.toLowerCase()} yet`}><code>{CREATE[kind]}</code></Empty>;
        }
        const used = columns.filter((c) => (c.name !== 'Host' && c.name !== 'Project') || (kind !== 'host' && (c.name === 'Project' || rows.some((o) => o.host))));
        return <>
          <Table label={name} rows={rows} id={(o) => o.id} href={(o) => to('objects', kind, o.id)} columns={kind === 'host' ? used.filter((c) => c.name !== 'ID') : used} />
          {d.matched > d.objects.length && <p class="dim">The first {d.objects.length} of {d.matched} are shown; a search finds the others.</p>}
        </>;
      }}</Loaded>
    </>
  );
}
