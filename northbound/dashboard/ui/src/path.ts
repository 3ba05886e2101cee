// The way of a packet, host by host.
import type { Step } from './types';

export interface HostSteps { host: string; steps: Step[] }

/** Puts steps that follow one another on one host together. */
export function grouped(steps: Step[]): HostSteps[] {
  const out: HostSteps[] = [];
  for (const s of steps) {
    const last = out[out.length - 1];
    if (last && last.host === (s.host ?? '')) last.steps.push(s);
    else out.push({ host: s.host ?? '', steps: [s] });
  }
  return out;
}

export interface Hop { host: string; where: string; kind: string; dropped: boolean }

/** The places that a packet comes through, each once in a row: what a picture of its way shows. */
export function hops(steps: Step[]): Hop[] {
  const out: Hop[] = [];
  for (const s of steps) {
    const host = s.host ?? '';
    const where = s.where ?? '';
    if (!where && s.kind !== 'deliver') continue;
    const last = out[out.length - 1];
    const dropped = s.kind === 'drop';
    if (last && last.host === host && last.where === where) last.dropped ||= dropped;
    else out.push({ host, where, kind: s.kind, dropped });
  }
  return out;
}

const ENDS = new Set(['deliver', 'drop', 'answer']);

/**
 * The ways from the start to each end: one, unless the packet is copied. Those that arrive come first. What is only
 * looked up on the way, such as a route or a neighbour's address, is no end, unless there is no other.
 */
export function ways(steps: Step[]): Step[][] {
  const by = new Map(steps.map((s) => [s.id, s]));
  let ends = steps.filter((s) => ENDS.has(s.kind));
  if (ends.length === 0) ends = steps.slice(-1);
  const out = ends.map((end) => {
    const way: Step[] = [];
    for (let s: Step | undefined = end; s; s = s.parent === null || s.parent === undefined ? undefined : by.get(s.parent)) way.unshift(s);
    return way;
  });
  const arrives = (way: Step[]): number => Number(way[way.length - 1].kind === 'deliver');
  return out.sort((a, b) => arrives(b) - arrives(a));
}

/** The pairs of hosts between which a packet goes through a tunnel, as "a b". */
export function tunnelsOf(steps: Step[]): Set<string> {
  const out = new Set<string>();
  const hosts = new Map(steps.map((s) => [s.id, s.host]));
  for (const s of steps) {
    const from = s.parent !== null && s.parent !== undefined ? hosts.get(s.parent) : undefined;
    if (s.host && from && from !== s.host) {
      out.add(`${from} ${s.host}`);
      out.add(`${s.host} ${from}`);
    }
  }
  return out;
}
