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
