// A packet's ways as rows of places.
import { plural } from '../format';
import { hops, ways, type Hop } from '../path';
import { to } from '../router';
import type { Step } from '../types';

/** How many copies of a packet are drawn; all are told step by step. */
const DRAWN = 4;

export function PathMap({ steps }: { steps: Step[] }) {
  const all = ways(steps);
  return <>
    {all.slice(0, DRAWN).map((way, i) => <Way key={i} places={hops(way)} arrives={way[way.length - 1].kind === 'deliver'} />)}
    {all.length > DRAWN && <p class="dim">and {plural(all.length - DRAWN, 'more copy', 'more copies')}</p>}
  </>;
}

function Way({ places, arrives }: { places: Hop[]; arrives: boolean }) {
  return (
    <ol class="pathmap" aria-label="The way in short">
      {places.map((h, i) => {
        const crossed = i > 0 && places[i - 1].host !== h.host;
        const last = i === places.length - 1;
        const name = h.where.length > 22 ? `${h.where.slice(0, 19)}…` : h.where;
        return (
          <li key={i} class={`${crossed ? 'crossed ' : ''}${h.dropped ? 'bad' : last && arrives ? 'good' : ''}`}>
            {(i === 0 || crossed) && <span class="host">{h.host || 'outside'}</span>}
            {h.where.startsWith('br-') && h.host ? <a href={to('flows', h.host, h.where)}>{name}</a> : <span title={h.where}>{name || h.kind}</span>}
          </li>
        );
      })}
    </ol>
  );
}
