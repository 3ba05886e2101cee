// The flows of a bridge: what is wanted beside what is there, what each does, and who caused it.
import { useEffect, useRef, useState } from 'preact/hooks';
import { Failure, get, url } from '../api';
import { bits, bytes, count, duration, plural } from '../format';
import { listen, useDocument, type Document } from '../live';
import { Code, Drawer, Empty, Facts, FailureBox, Head, HostLink, Marked, ObjectLink, RequestLink, Search, Select, Skeleton, StatePill } from '../parts';
import { pace } from '../pace';
import { go, route, setQuery, to } from '../router';
import type { Event, Flow, FlowState, Flows, Switch } from '../types';
import { VirtualList } from '../virtual';
import { FlowWindow, type Rates } from '../window';

const STATES: FlowState[] = ['ok', 'missing', 'altered', 'stale', 'learned', 'foreign'];

const MEANING: Record<FlowState, string> = {
  ok: 'wanted, and there', missing: 'wanted, and not there', altered: 'there, and not as wanted',
  stale: "Heddle's, and no longer wanted", learned: 'made by the switch itself, from a frame', foreign: "not Heddle's: never touched",
};

const switchEvent = (e: Event): boolean => e.kind.startsWith('switch_') || e.kind.startsWith('host_');

export function FlowsView({ host, bridge }: { host: string; bridge: string }) {
  const doc = useDocument<{ switches: Switch[] }>('/v1/switches', { concerns: switchEvent });
  const all = doc.data?.switches ?? [];
  const name = (s: Switch): string => to('flows', s.host || '-', s.bridge || s.dpid);
  const here = all.find((s) => (s.host || '-') === host && (s.bridge || s.dpid) === bridge);
  useEffect(() => {
    const first = all.find((s) => s.host && s.bridge === 'br-int') ?? all[0];
    if (!host && first) go(name(first), 'replace');
  }, [host, all.length]);
  if (!doc.data) return <><Head title="Flows" /><FailureBox doc={doc} />{!doc.failure && <Skeleton rows={12} />}</>;
  if (all.length === 0) return <><Head title="Flows" /><Empty title="No bridge is connected">On a host: <code>ovs-vsctl set-manager tcp:CONTROLLER:6640</code>. It says what it is in <code>external_ids</code>; <a href={to('hosts')}>Hosts</a> shows who has come.</Empty></>;
  const options = all.map((s): [string, string] => [name(s), `${s.host || 'unclaimed'} / ${s.bridge || s.dpid}`]);
  const picker = <Select label="Bridge" value={here ? name(here) : ''} options={here ? options : [['', 'choose a bridge'], ...options]} onChange={(v) => v && go(v + location.search)} />;
  if (!here) {
    return <><Head title="Flows">{picker}</Head>{host && <Empty title={`Bridge ${bridge} of ${host} is not connected`}>Its flows cannot be read. Why, <a href={to('objects', 'host', host)}>host {host}</a> tells.</Empty>}</>;
  }
  return <Bridge key={here.dpid} sw={here} picker={picker} />;
}

/** How often counters in sight are read, in milliseconds, unless that costs the server too much. */
const EVERY = 3000;

function Bridge({ sw, picker }: { sw: Switch; picker: preact.ComponentChildren }) {
  const query = route.value.query;
  const q = query.get('q') ?? '';
  const table = query.get('table') ?? '';
  const state = query.get('state') ?? '';
  const { rows, failure, loading, see } = useFlows(sw, { q, table, state });
  const [chosen, setChosen] = useState<{ flow?: Flow; at: number } | null>(null); // flow is unknown where the list was not read yet
  useEffect(() => setChosen(null), [q, table, state]);
  const at = !chosen ? -1 : chosen.flow ? rows.place(chosen.flow, chosen.at) : chosen.at; // learned flows come and go, and move the others
  const flow = at >= 0 ? rows.rows[at] : chosen?.flow;
  const choose = (i: number): void => setChosen({ flow: rows.rows[i], at: i });
  const s = rows.summary;
  const tables = rows.tables;
  const drifted = s ? s.missing + s.altered + s.stale : 0;
  return (
    <div class="flows-view">
      <Head title={<>{sw.host || 'unclaimed'} <span class="dim">/</span> {sw.bridge || sw.dpid}</>}
        sub={s ? <>{plural(s.total, 'flow')}{drifted > 0 ? <>, <b class="bad">{drifted} not as wanted</b></> : ', all as wanted'}{s.foreign > 0 && `, ${s.foreign} not Heddle's`}{sw.hint && <> · {sw.hint}</>}</> : ' '}>
        {picker}
        <Search label="Search flows" value={q} onInput={(v) => setQuery({ q: v })} />
      </Head>
      <div class="chips" role="group" aria-label="State">
        <button type="button" aria-pressed={!state} onClick={() => setQuery({ state: '' })}>all {s && <b>{count(s.total)}</b>}</button>
        {STATES.filter((x) => !s || s[x] > 0 || x === state).map((x) => (
          <button key={x} type="button" aria-pressed={state === x} title={MEANING[x]} onClick={() => setQuery({ state: state === x ? '' : x })}><StatePill state={x} /> {s && <b>{count(s[x])}</b>}</button>
        ))}
      </div>
      {failure && <FailureBox doc={failure} />}
      <div class="split">
        <ul class="tables" aria-label="Tables">
          <li><button type="button" aria-pressed={!table} onClick={() => setQuery({ table: '' })}><span>all tables</span><b>{s ? count(s.total) : ''}</b></button></li>
          {tables.map((t) => (
            <li key={t.id}><button type="button" aria-pressed={table === String(t.id)} title={t.doc} onClick={() => setQuery({ table: table === String(t.id) ? '' : String(t.id) })}>
              <span class="num">{t.id}</span><span>{t.name || '—'}</span><b>{count(t.flows)}</b>
            </button></li>
          ))}
        </ul>
        <div class="list">
          {tables.find((t) => String(t.id) === table)?.doc && <p class="doc">{tables.find((t) => String(t.id) === table)!.doc}</p>}
          {loading && !s ? <Skeleton rows={12} />
            : rows.matched === 0 && s ? <Empty title="No flow is like that">{q || table || state ? <button type="button" onClick={() => setQuery({ q: '', table: '', state: '' })}>Show all flows</button> : 'The bridge is empty: its first pass is on its way, or the host says why it fails.'}</Empty>
              : <VirtualList label="Flows" count={rows.matched} height={46} chosen={at} onChoose={choose} onSight={see}
                row={(i) => <Row flow={rows.rows[i]} rates={rows.rows[i] && rows.rates(rows.rows[i])} query={q} />} />}
        </div>
        {flow && <FlowDrawer flow={flow} gone={at < 0} rates={rows.rates(flow)} sw={sw} query={q} onClose={() => setChosen(null)} />}
      </div>
    </div>
  );
}

function Row({ flow, rates, query }: { flow?: Flow; rates?: Rates; query: string }) {
  if (!flow) return <div class="flow loading"><i /><i /></div>;
  return (
    <div class={`flow ${flow.state}`}>
      <span class="where"><b>{flow.table}</b><span>{flow.table_name}</span></span>
      <span class="what">
        <span class="says">{flow.state !== 'ok' && <StatePill state={flow.state} title={MEANING[flow.state]} />}<Marked text={flow.says ?? (flow.state === 'foreign' ? "not one of Heddle's flows" : '')} query={query} /></span>
        <span class="mono"><Marked text={`priority=${flow.priority}${flow.match ? ',' + flow.match : ''} → ${flow.actions}`} query={query} /></span>
      </span>
      <span class="nums"><b>{rates?.bytes !== undefined && rates.bytes > 0 ? bits(rates.bytes) : ''}</b><span>{flow.packets !== undefined ? `${count(flow.packets)} pkt` : ''}</span></span>
    </div>
  );
}

function FlowDrawer({ flow, gone, rates, sw, query, onClose }: { flow: Flow; gone: boolean; rates: Rates; sw: Switch; query: string; onClose: () => void }) {
  return (
    <Drawer title={`Table ${flow.table} ${flow.table_name ?? ''}`} onClose={onClose}>
      <p><StatePill state={flow.state} /> <span class="dim">{gone ? 'it is no longer there' : MEANING[flow.state]}</span></p>
      {flow.says && <p class="lead">{flow.says}</p>}
      <h3>{flow.state === 'missing' ? 'Wanted' : 'On the switch'}</h3>
      <Code text={flow.text} query={query} />
      {flow.wanted && <><h3>Wanted</h3><Code text={flow.wanted} /></>}
      <h3>Why it is there</h3>
      {flow.object || flow.kind ? <Facts of={[
        ['Object', flow.object && <ObjectLink object={flow.object} name={flow.object_name} />],
        ['Cause', flow.kind === 'base' ? 'part of every bridge of this kind' : flow.kind === 'learned' ? 'learned from a frame by the switch' : undefined],
        ['Request', flow.request && <RequestLink request={flow.request} />],
        ['User', flow.user],
        ['Cookie', <code>{flow.cookie}</code>],
      ]} /> : <p class="dim">It does not carry Heddle's cookie ({flow.cookie}): somebody else made it.</p>}
      <h3>Counters</h3>
      <Facts of={[
        ['Packets', flow.packets !== undefined && `${count(flow.packets)}${rates.packets ? ` · ${rates.packets.toFixed(1)}/s` : ''}`],
        ['Bytes', flow.bytes !== undefined && `${bytes(flow.bytes)}${rates.bytes ? ` · ${bits(rates.bytes)}` : ''}`],
        ['Age', flow.age_seconds !== undefined && duration(flow.age_seconds)],
        ['Host', sw.host && <HostLink host={sw.host} />],
      ]} />
    </Drawer>
  );
}

interface Filter { q: string; table: string; state: string }

/** Reads what is in sight: when it comes into sight, when an event concerns the bridge, and for its counters. */
function useFlows(sw: Switch, filter: Filter) {
  const [, redraw] = useState(0);
  const sight = useRef({ first: 0, last: 60 });
  const live = useRef({ rows: new FlowWindow(), failure: null as Document<unknown> | null, loading: true, see: (_first: number, _last: number): void => undefined });
  const { q, table, state } = filter;
  useEffect(() => {
    const abort = new AbortController();
    const rows = new FlowWindow();
    const now = { rows, failure: null as Document<unknown> | null, loading: true, see };
    let busy = false;
    let timer = 0;
    let took = 0;
    let ended = 0;
    let stale = 0;
    async function read(part: { offset: number; limit: number }): Promise<void> {
      busy = true;
      clearTimeout(timer);
      const begin = performance.now();
      try {
        rows.put(await get<Flows>(url(`/v1/switches/${sw.dpid}/flows`, { q, table, state, ...part }), abort.signal), performance.now());
        now.failure = null;
      } catch (e) {
        if (abort.signal.aborted) return;
        const failure = e instanceof Failure ? e : new Failure(0, '', String(e));
        now.failure = { failure, at: 0, previousAt: 0, loading: false, reload: () => void read(part) };
      }
      ended = performance.now();
      took = ended - begin;
      busy = now.loading = false;
      live.current = now;
      redraw((n) => n + 1);
      next();
    }
    function next(): void {
      if (busy || abort.signal.aborted) return;
      clearTimeout(timer);
      const missing = now.failure ? null : rows.wanted(sight.current.first, sight.current.last);
      if (missing) {
        void read(missing);
        return;
      }
      const again = (): void => {
        const { first, last } = sight.current;
        if (!document.hidden) void read({ offset: first, limit: Math.max(1, last - first) });
      };
      timer = window.setTimeout(again, pace.pause(EVERY, took));
    }
    function see(first: number, last: number): void {
      sight.current = { first, last };
      if (busy || !rows.wanted(first, last)) return; // the end of the request under way looks again
      clearTimeout(timer);
      timer = window.setTimeout(next, 60);
    }
    const deaf = listen((what) => {
      if (what !== 'gap' && !what.some((e) => e.host === sw.host && /^(reconciled|drift|reconcile_|mac_|switch_up)/.test(e.kind))) return;
      stale ||= window.setTimeout(() => {
        stale = 0;
        rows.stale();
        next();
      }, pace.soon(500, took, performance.now() - ended));
    });
    const visible = (): void => { if (!document.hidden) next(); };
    document.addEventListener('visibilitychange', visible);
    const first = window.setTimeout(() => void read({ offset: 0, limit: 200 }), q ? 150 : 0); // while somebody types
    return () => {
      abort.abort();
      for (const t of [timer, stale, first]) clearTimeout(t);
      document.removeEventListener('visibilitychange', visible);
      deaf();
    };
  }, [sw.dpid, q, table, state]);
  return live.current;
}
