// Who changed what, field by field, and what followed on which switch.
import { useState } from 'preact/hooks';
import { url } from '../api';
import { plural, value } from '../format';
import { useDocument } from '../live';
import { Ago, Empty, Head, HostLink, Loaded, ObjectLink, Pill, RequestLink, Search } from '../parts';
import { route, setQuery } from '../router';
import { apiName, shown } from '../sentences';
import type { Change, History, HistoryEntry } from '../types';

export const OPS = { create: 'good', update: 'info', delete: 'bad' } as const;

export function HistoryView() {
  const query = route.value.query;
  const object = query.get('object') ?? '';
  const user = query.get('user') ?? '';
  const request = query.get('request') ?? '';
  const before = query.get('before') ?? '';
  const doc = useDocument<History>(url('/v1/history', { object, user, request, before, limit: 100 }), { concerns: (e) => e.kind === 'changed' || e.kind === 'reconciled' });
  const filtered = object || user || request;
  return (
    <>
      <Head title="History" sub={doc.data && (doc.data.last ? `revisions ${doc.data.first} to ${doc.data.last} are kept` : 'nothing was changed yet')}>
        {filtered && <button type="button" onClick={() => setQuery({ object: '', user: '', request: '', before: '' })}>Show all</button>}
        <Search label="User, request or kind/id" value={object || request || user} onInput={(v) => setQuery({
          before: '', object: v.includes('/') ? v : '', request: v.startsWith('req-') ? v : '', user: v && !v.includes('/') && !v.startsWith('req-') ? v : '',
        })} />
      </Head>
      <Loaded doc={doc} rows={10}>{(d) => (d.changes.length === 0
        ? <Empty title={filtered ? 'No change is like that' : 'Nothing was changed yet'}>{filtered ? 'Changes of long ago are not kept; a user or an object is searched for by its whole name.' : 'Each request that changes an object is a revision, and is listed here.'}</Empty>
        : <>
          <ol class="history" reversed aria-label="Changes">{d.changes.map((h) => <Entry key={h.rev} entry={h} open={d.changes.length < 4} />)}</ol>
          <p class="pager">
            {before && <button type="button" onClick={() => setQuery({ before: '' }, 'push')}>Newest</button>}
            {d.changes[d.changes.length - 1].rev > d.first && <button type="button" onClick={() => setQuery({ before: String(d.changes[d.changes.length - 1].rev) }, 'push')}>Older</button>}
          </p>
        </>)}</Loaded>
    </>
  );
}

export function Entry({ entry, open: opened = false }: { entry: HistoryEntry; open?: boolean }) {
  const [open, setOpen] = useState(opened);
  const followed = entry.followed ?? [];
  const hosts = new Set(followed.map((f) => f.host));
  return (
    <li class="change">
      <button type="button" class="summary" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span class="rev">{entry.rev}</span>
        <span class="what">{entry.changes.slice(0, 3).map((c) => <span key={c.object}><Pill tone={OPS[c.op]}>{c.op}</Pill> {c.object.split('/')[0]} <b>{c.name || c.object.split('/')[1]?.slice(0, 8)}</b></span>)}{entry.changes.length > 3 && <span class="dim">and {entry.changes.length - 3} more</span>}</span>
        <span class="dim">{followed.length > 0 ? `${plural(followed.length, 'pass', 'passes')} on ${plural(hosts.size, 'host')}` : 'no switch was concerned'}</span>
        <span class="dim">{entry.user || 'seen on a host'} · <Ago time={entry.time} /></span>
      </button>
      {open && <div class="detail">
        <p class="dim">{entry.request && <>Request <RequestLink request={entry.request} /> </>}{entry.user ? `by ${entry.user}` : 'seen on a host'} at {entry.time}</p>
        {entry.changes.map((c) => <Fields key={c.object} change={c} />)}
        {followed.length > 0 && <>
          <h3>What followed</h3>
          <table><thead><tr><th>Host</th><th>Target</th><th class="number">Added</th><th class="number">Changed</th><th class="number">Removed</th><th class="number">Took</th></tr></thead>
            <tbody>{followed.map((f, i) => <tr key={i}><td><HostLink host={f.host} /></td><td>{f.target}</td><td class="number">{f.added}</td><td class="number">{f.updated}</td><td class="number">{f.deleted}</td><td class="number">{f.ms !== undefined ? `${Math.round(f.ms)} ms` : ''}</td></tr>)}</tbody></table>
        </>}
      </div>}
    </li>
  );
}

function Fields({ change }: { change: Change }) {
  return (
    <div class="fields">
      <p><Pill tone={OPS[change.op]}>{change.op}</Pill> {shown(change.object) ? <ObjectLink object={apiName(change.object)} name={change.name} /> : change.object}</p>
      {change.fields && change.fields.length > 0 && <table>
        <thead><tr><th>Field</th><th>Before</th><th>After</th></tr></thead>
        <tbody>{change.fields.map((f) => <tr key={f.field}><th scope="row">{f.field}</th><td>{change.op === 'create' || f.before === undefined ? '' : <del>{value(f.before)}</del>}</td><td>{change.op === 'delete' || f.after === undefined ? '' : <ins>{value(f.after)}</ins>}</td></tr>)}</tbody>
      </table>}
    </div>
  );
}
