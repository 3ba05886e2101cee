// A packet's way as a row of places.
import { hops } from '../path';
import { to } from '../router';
import type { Step, Trace } from '../types';

export function PathMap({ steps, verdict }: { steps: Step[]; verdict: Trace['verdict'] }) {
  const way = hops(steps);
  if (way.length === 0) return null;
  return (
    <ol class="pathmap" aria-label="The way in short">
      {way.map((h, i) => {
        const crossed = i > 0 && way[i - 1].host !== h.host;
        const last = i === way.length - 1;
        const bridge = h.where.startsWith('br-') && h.host;
        const name = h.where.length > 22 ? `${h.where.slice(0, 19)}…` : h.where;
        return (
          <li key={i} class={`${crossed ? 'crossed ' : ''}${h.dropped ? 'bad' : last && verdict === 'delivered' ? 'good' : ''}`}>
            {(i === 0 || crossed) && <span class="host">{h.host || 'outside'}</span>}
            {bridge ? <a href={to('flows', h.host, h.where)}>{name}</a> : <span title={h.where}>{name || h.kind}</span>}
          </li>
        );
      })}
    </ol>
  );
}
