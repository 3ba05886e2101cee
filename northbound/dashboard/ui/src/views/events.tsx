// What happens, as it happens.
import { useEffect, useState } from 'preact/hooks';
import { clock, matches, plural } from '../format';
import { connection, recent } from '../live';
import { useNames } from '../names';
import { Code, Drawer, Empty, Facts, Head, HostLink, Marked, ObjectLink, Pill, RequestLink, Search, Select } from '../parts';
import { route, setQuery } from '../router';
import { GROUPS, apiName, objectsOf, sentence, shown, toneOf, type Name } from '../sentences';
import type { Event } from '../types';
import { VirtualList } from '../virtual';

export function Events() {
  const query = route.value.query;
  const q = query.get('q') ?? '';
  const group = query.get('kind') ?? '';
  const { object: name } = useNames();
  const [held, setHeld] = useState<Event[] | null>(null);
  const [chosen, setChosen] = useState<Event | null>(null);
  const hosts = [...new Set(recent.value.map((e) => e.host).filter(Boolean))].sort() as string[];
  const host = query.get('host') ?? '';
  const all = held ?? recent.value;
  const rows = all.filter((e) => (!group || GROUPS[group]?.of(e.kind)) && (!host || e.host === host) && (!q || matches(q, e.kind, e.host, sentence(e, name), JSON.stringify(e.body)))).reverse();
  useEffect(() => setChosen(null), [q, group, host]);
  const missed = held ? recent.value.filter((e) => e.id > (held[held.length - 1]?.id ?? 0)).length : 0;
  return (
    <div class="flows-view">
      <Head title="Events" sub={connection.value === 'live' ? 'as they happen, newest first' : connection.value === 'lost' ? 'the connection is lost; it is tried again' : 'connecting'}>
        <button type="button" aria-pressed={!!held} onClick={() => setHeld(held ? null : recent.value)}>{held ? `Go on (${plural(missed, 'new event')})` : 'Pause'}</button>
        <Select label="Host" value={host} options={[['', 'all hosts'], ...hosts.map((h): [string, string] => [h, h])]} onChange={(v) => setQuery({ host: v })} />
        <Search label="Search events" value={q} onInput={(v) => setQuery({ q: v })} />
      </Head>
      <div class="chips" role="group" aria-label="Kind">
        <button type="button" aria-pressed={!group} onClick={() => setQuery({ kind: '' })}>all</button>
        {Object.entries(GROUPS).map(([id, g]) => <button key={id} type="button" aria-pressed={group === id} onClick={() => setQuery({ kind: group === id ? '' : id })}>{g.name}</button>)}
      </div>
      <div class="split">
        <div class="list">
          {rows.length === 0
            ? <Empty title={all.length === 0 ? 'Nothing has happened yet' : 'No event is like that'}>{all.length === 0 ? 'Events come when hosts join, ports are plugged, and requests change something.' : <button type="button" onClick={() => setQuery({ q: '', kind: '', host: '' })}>Show all events</button>}</Empty>
            : <VirtualList label="Events" count={rows.length} height={34} chosen={chosen ? rows.indexOf(chosen) : -1} onChoose={(i) => setChosen(rows[i])} row={(i) => <Row event={rows[i]} query={q} name={name} />} />}
        </div>
        {chosen && <EventDrawer event={chosen} name={name} onClose={() => setChosen(null)} />}
      </div>
    </div>
  );
}

function Row({ event, query, name }: { event: Event; query: string; name: Name }) {
  return (
    <div class="event">
      <time class="mono" dateTime={event.time} title={event.time}>{clock(event.time)}</time>
      <span class="kindpill"><Pill tone={toneOf(event.kind)}>{event.kind.replaceAll('_', ' ')}</Pill></span>
      <span class="host">{event.host}</span>
      <span class="text"><Marked text={sentence(event, name)} query={query} /></span>
    </div>
  );
}

function EventDrawer({ event, name, onClose }: { event: Event; name: Name; onClose: () => void }) {
  const objects = [...new Set(objectsOf(event))];
  const b = event.body ?? {};
  return (
    <Drawer title={event.kind.replaceAll('_', ' ')} onClose={onClose}>
      <p class="lead">{sentence(event, name)}</p>
      <Facts of={[
        ['Time', event.time], ['Host', event.host && <HostLink host={event.host} />], ['Target', b.target], ['User', b.user], ['Revision', b.rev],
        ['Request', b.request && <RequestLink request={b.request} />],
      ]} />
      {objects.length > 0 && <><h3>Objects</h3><ul class="plain">{objects.slice(0, 50).map((o) => <li key={o}>{shown(o) ? <ObjectLink object={apiName(o)} /> : <span class="mono">{o}</span>}</li>)}</ul></>}
      {(['missing', 'altered', 'foreign'] as const).map((k) => Array.isArray(b[k]) && b[k].length > 0 && <div key={k}><h3>{k === 'foreign' ? 'Too much' : k}</h3>{b[k].map((t: string) => <Code key={t} text={String(t)} />)}</div>)}
      {b.flow && <><h3>Flow</h3><Code text={String(b.flow)} /></>}
      <h3>As the API tells it</h3>
      <pre class="json">{JSON.stringify(event, null, 2)}</pre>
    </Drawer>
  );
}
