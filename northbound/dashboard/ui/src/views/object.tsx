// One object: why it is as it is, what it has to do with, and all that it causes on every host.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { me, url } from '../api';
import { clock, matches, plural, short, title, value } from '../format';
import { recent, useDocument } from '../live';
import { Ago, Code, Empty, Facts, FailureBox, Head, HostLink, Loaded, ObjectLink, Pill, RequestLink, Search, StatePill } from '../parts';
import { route, setQuery, to } from '../router';
import { apiName, objectsOf, sentence, toneOf } from '../sentences';
import type { Condition, Effect, History, HostView, Namespace, ObjectDetail, Related } from '../types';
import { Entry } from './history';
import { KINDS, anyChange } from './objects';

export function ObjectView({ kind, id }: { kind: string; id: string }) {
  const path = `/v1/objects/${encodeURIComponent(kind)}/${encodeURIComponent(id)}`;
  const doc = useDocument<ObjectDetail>(path, { concerns: anyChange });
  const o = doc.data;
  const kinds = KINDS.find(([k]) => k === kind)?.[1] ?? kind;
  return (
    <div class="object">
      <p class="crumbs"><a href={to('objects', kind)}>{kinds}</a></p>
      <Head title={o ? title(o) : short(id)} sub={o && <span class="mono">{o.id !== o.name && o.id}</span>}>
        {o && <StatePill state={o.status} />}
        {o && kind === 'port' && <a class="button" href={`${to('explain')}?from=${encodeURIComponent(`port/${o.id}`)}`}>Explain its way</a>}
      </Head>
      <Loaded doc={doc} rows={8}>{(d) => <>
        <Chain of={d} />
        <div class="columns">
          <div>
            {me.value?.admin && kind === 'host' && <HostCards name={id} />}
            <Effects of={d.effects ?? []} unread={d.unread ?? []} />
          </div>
          <div class="side">
            <FactsCard of={d} />
            <RelatedCard related={d.related ?? []} />
            <Changes object={`${kind}/${id}`} />
            {me.value?.admin && <RecentEvents object={`${kind}/${id}`} />}
          </div>
        </div>
      </>}</Loaded>
    </div>
  );
}

function FactsCard({ of: d }: { of: ObjectDetail }) {
  const facts: [string, ComponentChildren][] = [
    ['Project', d.project_id], ['Host', d.host && d.kind !== 'host' && <HostLink host={d.host} />],
    ['Changed', d.changed?.at && <Ago time={d.changed.at} />], ['By', d.changed?.user], ['Request', d.changed?.request && <RequestLink request={d.changed.request} />], ['Revision', d.changed?.rev],
    ...Object.entries(d.attributes ?? {}).filter(([k, v]) => !['id', 'name', 'project_id', 'tenant_id', 'status'].includes(k) && v !== null && value(v) !== '[]').map(([k, v]): [string, string] => [k, value(v)]),
  ];
  if (!facts.some(([, v]) => v)) return null;
  return <section class="card"><h2>Facts</h2><Facts of={facts} /></section>;
}

/** The chain of conditions: the first that does not hold is what all after it wait for. */
function Chain({ of: o }: { of: ObjectDetail }) {
  const broken = o.conditions.filter((c) => stateOf(c) === 'bad');
  const unknown = o.conditions.filter((c) => stateOf(c) === 'quiet');
  return (
    <section class="card">
      <h2>{broken.length > 0 ? `${broken[0].type} does not hold` : unknown.length > 0 ? `${unknown[0].type} is not known` : 'All conditions hold'}</h2>
      {o.conditions.length === 0
        ? <Empty title="It has no conditions">Nothing on any host depends on it by itself.</Empty>
        : <ol class="chain">{o.conditions.map((c, i) => <Link key={i} c={c} later={broken.indexOf(c) > 0} />)}</ol>}
    </section>
  );
}

type LinkState = 'good' | 'bad' | 'info' | 'quiet';

function stateOf(c: Condition): LinkState {
  return c.ok ? 'good' : c.info ? 'info' : c.unknown ? 'quiet' : 'bad';
}

const MARKS: Record<LinkState, [mark: string, meaning: string]> = { good: ['✓', 'holds'], bad: ['✕', 'does not hold'], info: ['i', 'to know'], quiet: ['?', 'not known'] };

function Link({ c, later }: { c: Condition; later: boolean }) {
  const state = stateOf(c);
  const [mark, meaning] = MARKS[state];
  return (
    <li class={later ? `${state} later` : state}>
      <span class="mark" aria-label={meaning} role="img">{mark}</span>
      <span class="type">{c.type}</span>
      {c.host && <span class="dim">{c.host}</span>}
      {c.since && <span class="dim">since <Ago time={c.since} /></span>}
      {c.reason && <code>{c.reason}</code>}
      {c.message && <p>{c.message}</p>}
    </li>
  );
}

const NOTHING = 'Nothing on any host carries its name: it is not plugged, not in use, or only a part of something else.';

function Effects({ of: effects, unread }: { of: Effect[]; unread: { host: string; where: string; cause: string }[] }) {
  const q = route.value.query.get('q') ?? '';
  const [shown, setShown] = useState(300);
  if (!me.value?.admin) return null;
  const found = q ? effects.filter((e) => matches(q, e.host, e.where, e.type, e.text, e.says)) : effects;
  const groups = new Map<string, Effect[]>();
  for (const e of found.slice(0, shown)) {
    const key = `${e.host} ${e.where}`;
    groups.set(key, [...(groups.get(key) ?? []), e]);
  }
  return (
    <section class="card">
      <header class="bar"><h2>What it causes <span class="dim">{plural(effects.length, 'line')}</span></h2><Search label="Search lines" value={q} onInput={(v) => setQuery({ q: v })} /></header>
      {unread.map((u) => <div class="failure" key={u.host + u.where}><strong>{u.where} of {u.host} could not be read</strong><p>{u.cause}</p></div>)}
      {found.length === 0 && <Empty title={effects.length ? 'No line is like that' : 'It causes nothing at the moment'}>{!effects.length && NOTHING}</Empty>}
      {[...groups].map(([key, list]) => <Group key={key} list={list} query={q} />)}
      {found.length > shown && <button type="button" class="more" onClick={() => setShown(shown + 1000)}>Show more of {found.length}</button>}
    </section>
  );
}

function Group({ list, query }: { list: Effect[]; query: string }) {
  const { host, where } = list[0];
  const flows = list[0].type === 'flow';
  return (
    <details open={list.length <= 40} class="effects">
      <summary><b>{host}</b> <span class="mono">{where}</span> <span class="dim">{plural(list.length, 'line')}</span></summary>
      {flows && <p class="dim">These and the others: <a href={to('flows', host, where)}>flows of {where}</a></p>}
      <ul class="plain">{list.map((e, i) => (
        <li key={i}>
          <p><span class="kind">{e.type}</span> {e.state && e.state !== 'ok' && <StatePill state={e.state} />} {e.says}</p>
          <Code text={e.text} query={query} />
        </li>
      ))}</ul>
    </details>
  );
}

function RelatedCard({ related }: { related: Related[] }) {
  if (related.length === 0) return null;
  const by = new Map<string, Related[]>();
  for (const r of related) by.set(r.relation, [...(by.get(r.relation) ?? []), r]);
  return (
    <section class="card"><h2>Related</h2>
      <dl class="facts">{[...by].map(([relation, list]) => <div key={relation}><dt>{relation.replace('_', ' ')}</dt><dd>{list.slice(0, 30).map((r) => <div key={r.id}><a href={to('objects', r.kind, r.id)}>{title(r)}</a></div>)}{list.length > 30 && <span class="dim">and {list.length - 30} more</span>}</dd></div>)}</dl>
    </section>
  );
}

function Changes({ object }: { object: string }) {
  const doc = useDocument<History>(url('/v1/history', { object, limit: 5 }), { concerns: (e) => e.kind === 'changed' });
  if (doc.failure?.status === 404 || (doc.data && doc.data.changes.length === 0)) return null;
  return (
    <section class="card">
      <header class="bar"><h2>Last changes</h2><a href={`${to('history')}?object=${encodeURIComponent(object)}`}>all</a></header>
      <FailureBox doc={doc} />
      <ol class="history">{doc.data?.changes.map((h) => <Entry key={h.rev} entry={h} />)}</ol>
    </section>
  );
}

function RecentEvents({ object }: { object: string }) {
  const [kind, id] = object.split('/');
  const of = recent.value.filter((e) => (kind === 'host' ? e.host === id : objectsOf(e).some((x) => apiName(x) === object))).slice(-12).reverse();
  return (
    <section class="card">
      <header class="bar"><h2>Recent events</h2><a href={kind === 'host' ? `${to('events')}?host=${encodeURIComponent(id)}` : `${to('events')}?q=${encodeURIComponent(id)}`}>all</a></header>
      {of.length === 0 ? <p class="dim">None that the log still keeps.</p>
        : <ul class="plain">{of.map((e) => <li key={e.id}><time class="mono dim" title={e.time}>{clock(e.time)}</time> <Pill tone={toneOf(e.kind)}>{e.kind.replaceAll('_', ' ')}</Pill><br />{sentence(e)}</li>)}</ul>}
    </section>
  );
}

/** What only hosts have: targets, settings, namespaces. */
function HostCards({ name }: { name: string }) {
  const doc = useDocument<HostView>(`/v1/hosts/${encodeURIComponent(name)}`, { concerns: anyChange });
  const spaces = useDocument<{ namespaces: Namespace[] }>(`/v1/hosts/${encodeURIComponent(name)}/namespaces`, { concerns: (e) => e.host === name || e.kind === 'changed' });
  const h = doc.data;
  if (!h) return <FailureBox doc={doc} />;
  return <>
    <section class="card">
      <h2>Targets</h2>
      <div class="scroll"><table aria-label="Targets"><thead><tr><th>Target</th><th>State</th><th class="number">Revision</th><th>Confirmed</th><th>Last error</th></tr></thead>
        <tbody>{Object.entries(h.targets).map(([t, s]) => <tr key={t}><td>{t === 'ovsdb' ? t : <a href={to('flows', name, t)}>{t}</a>}</td><td><StatePill state={s.connected ? 'up' : 'down'} /></td><td class="number">{s.rev}</td><td><Ago time={s.confirmed_at} /></td><td class="bad wide">{s.error}</td></tr>)}</tbody></table></div>
    </section>
    <section class="card">
      <h2>Settings</h2>
      <div class="scroll"><table aria-label="Settings"><thead><tr><th>Setting</th><th>It says</th><th>Operator says</th><th>Counts</th></tr></thead>
        <tbody>{Object.keys({ ...h.said, ...h.override, ...h.effective }).sort().map((k) => <tr key={k}><th scope="row">{k}</th><td>{k in h.said ? value(h.said[k]) : ''}</td><td>{k in h.override ? value(h.override[k]) : ''}</td><td><b>{k in h.effective ? value(h.effective[k]) : ''}</b></td></tr>)}</tbody></table></div>
    </section>
    {(spaces.data?.namespaces.length ?? 0) > 0 && <section class="card">
      <h2>Namespaces</h2>
      {spaces.data!.namespaces.map((ns) => <Space key={ns.name} host={name} ns={ns} />)}
    </section>}
  </>;
}

function Space({ host, ns }: { host: string; ns: Namespace }) {
  const [open, setOpen] = useState(false);
  const doc = useDocument<Namespace>(open ? `/v1/hosts/${encodeURIComponent(host)}/namespaces/${encodeURIComponent(ns.name)}` : '');
  const errors = ns.errors ? Object.entries(ns.errors) : [];
  const failed = !!ns.error || errors.length > 0;
  return (
    <details class="effects" onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary><Pill tone={failed ? 'bad' : ns.removing || (ns.rev ?? 0) > (ns.confirmed_rev ?? 0) ? 'warn' : 'good'}>{failed ? 'failed' : ns.removing ? 'removing' : 'in place'}</Pill> <span class="mono">{ns.name}</span> <span class="dim">{ns.object_name}</span></summary>
      {ns.object && <p>It is there for <ObjectLink object={ns.object} name={ns.object_name} /></p>}
      {ns.error && <pre class="bad">{ns.error}</pre>}
      {errors.map(([part, text]) => <pre class="bad" key={part}>{part}: {text}</pre>)}
      {open && <Loaded doc={doc} rows={3}>{(d) => <ul class="plain">{(d.lines ?? []).map((l, i) => <li key={i}><p><span class="kind">{l.type}</span> {l.says} {l.object && <ObjectLink object={l.object} name={l.object_name} />}</p><Code text={l.text} /></li>)}</ul>}</Loaded>}
    </details>
  );
}
