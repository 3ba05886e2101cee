// The node agents of gateway hosts, and the namespaces they keep.
import { useDocument } from '../live';
import { matches, plural } from '../format';
import { Ago, Empty, Head, HostLink, Loaded, Pill, Search, StatePill, Table } from '../parts';
import { route, setQuery, to } from '../router';
import type { Agent } from '../types';

export function Agents() {
  const q = route.value.query.get('q') ?? '';
  const doc = useDocument<{ agents: Agent[] }>('/v1/agents', { concerns: (e) => /^(agent_|reconcile|host_)/.test(e.kind), every: 10_000 });
  return (
    <>
      <Head title="Agents" sub="Node agents make routers, NAT and DHCP on gateway hosts">
        <Search label="Search agents" value={q} onInput={(v) => setQuery({ q: v })} />
      </Head>
      <Loaded doc={doc}>{(d) => {
        const rows = d.agents.filter((a) => !q || matches(q, a.host, ...Object.values(a.errors)));
        if (d.agents.length === 0) return <Empty title="There is no agent">Routers and DHCP need a gateway host: on one, <code>heddle agent --server URL --host NAME</code>, or run <code>heddle server --agent</code>.</Empty>;
        const failing = rows.filter((a) => Object.keys(a.errors).length > 0);
        return <>
          <Table label="Agents" rows={rows} id={(a) => a.host} href={(a) => to('objects', 'host', a.host)} columns={[
            { name: 'Host', cell: (a) => <HostLink host={a.host} />, order: (a) => a.host },
            { name: 'State', cell: (a) => (a.connected ? <StatePill state="up" /> : <StatePill state="down" title={a.seen ? 'it stopped reporting' : 'it never reported'} />), order: (a) => Number(a.connected) },
            { name: 'Namespaces', class: 'number', cell: (a) => a.namespaces, order: (a) => a.namespaces },
            { name: 'Failed', class: 'number', cell: (a) => (a.failed ? <b class="bad">{a.failed}</b> : 0), order: (a) => a.failed },
            { name: 'Pending', class: 'number', cell: (a) => a.pending ?? 0, order: (a) => a.pending ?? 0 },
            { name: 'Drained', cell: (a) => a.drained && <Pill tone="warn">drained</Pill>, order: (a) => Number(a.drained) },
            { name: 'Started', cell: (a) => <Ago time={a.started} />, order: (a) => a.started ?? '' },
            { name: 'Reported', cell: (a) => <Ago time={a.seen} />, order: (a) => a.seen ?? '' },
          ]} />
          {failing.map((a) => (
            <section key={a.host} class="card">
              <h2>{plural(Object.keys(a.errors).length, 'namespace')} of {a.host} failed</h2>
              <ul class="plain">{Object.entries(a.errors).map(([ns, text]) => <li key={ns}><a class="mono" href={to('objects', 'host', a.host)}>{ns}</a><pre class="bad">{text}</pre></li>)}</ul>
            </section>
          ))}
        </>;
      }}</Loaded>
    </>
  );
}
