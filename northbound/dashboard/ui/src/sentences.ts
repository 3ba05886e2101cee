// Events in words.
import { short } from './format';
import type { Tone } from './parts';
import type { Event } from './types';

/** Kinds of events that people look for together. */
export const GROUPS: Record<string, { name: string; of: (kind: string) => boolean }> = {
  changes: { name: 'changes', of: (k) => k === 'changed' || k === 'changes_missed' },
  switches: { name: 'hosts and switches', of: (k) => /^(switch|host|agent|tunnel|service)_/.test(k) },
  ports: { name: 'ports', of: (k) => k.startsWith('port_') },
  passes: { name: 'passes', of: (k) => k === 'reconciled' || k.startsWith('reconcile_') },
  drift: { name: 'drift', of: (k) => k === 'drift' },
  macs: { name: 'addresses', of: (k) => k.startsWith('mac_') },
};

export function toneOf(kind: string): Tone {
  if (kind === 'gap' || kind === 'changes_missed' || kind === 'drift' || kind === 'switch_unknown') return 'warn';
  if (/_(down|lost|refused|failed)$/.test(kind)) return 'bad';
  if (/_(up|recovered|plugged)$/.test(kind) && kind !== 'port_unplugged') return 'good';
  if (kind === 'changed' || kind === 'service_moved') return 'info';
  return 'quiet';
}

function objects(all: string[], name: Name): string {
  return all.slice(0, 3).map(name).join(', ') + (all.length > 3 ? ` and ${all.length - 3} more` : '');
}

function flows(body: Record<string, any>): string {
  const parts = [[body.added, 'added'], [body.updated, 'changed'], [body.deleted, 'removed']].filter(([n]) => n).map(([n, what]) => `${n} ${what}`);
  return parts.join(', ') || 'nothing to do';
}

function listed(names: unknown, max = 3): string {
  const all = Array.isArray(names) ? names : names ? [names] : [];
  return all.slice(0, max).join('; ') + (all.length > max ? ` and ${all.length - max} more` : '');
}

/** What was altered: flows are counted, since their texts are long; what is told in words is told. */
function altered(how: string, what: unknown): string {
  const all = Array.isArray(what) ? what.map(String) : [];
  if (all.length === 0) return '';
  return all.every((t) => t.startsWith('cookie=')) ? `${all.length} ${how}` : `${how}: ${listed(all, 2)}`;
}

/** What an object, "port/ID", is called. */
export type Name = (object: string) => string;

const byID: Name = (object) => object.split('/').map(short).join(' ');

type Say = (b: Record<string, any>, host: string, name: Name) => string;

const SAY: Record<string, Say> = {
  switch_up: (b) => `bridge ${b.bridge || b.dpid} connected from ${b.remote}`,
  switch_down: (b) => `bridge ${b.bridge || b.dpid} is gone: ${b.cause}`,
  switch_unknown: (b) => `bridge ${b.dpid} connected, but no host claims it: ${b.hint}`,
  host_up: (b, host) => `host ${host} connected from ${b.remote}${b.ovs ? `, Open vSwitch ${b.ovs}` : ''}${b.problems?.length ? `; ${listed(b.problems)}` : ''}`,
  host_refused: (b, host) => `${b.remote} was refused as host ${host}: ${b.cause}`,
  host_down: (b, host) => `host ${host} is gone: ${b.cause}`,
  agent_up: (_, host) => `the agent of host ${host} reports`,
  agent_lost: (_, host) => `the agent of host ${host} stopped reporting`,
  service_moved: (b, _, name) => `${b.service === 'dhcp' ? `DHCP of ${name(b.object)}` : name(b.object)} ${b.to ? (b.from ? `moved from ${b.from} to ${b.to}` : `is placed on ${b.to}`) : `was taken from ${b.from}`} (${String(b.cause).replaceAll('_', ' ')})`,
  port_plugged: (b, _, name) => `${name(`port/${b.port}`)} was plugged as ${b.interface}, local VLAN ${b.vlan}`,
  port_unplugged: (b, _, name) => `${name(`port/${b.port}`)} was unplugged, it was ${b.interface}`,
  changed: (b, _, name) => [
    `revision ${b.rev}:`, b.user || 'Heddle',
    [b.put?.length && `put ${objects(b.put, name)}`, b.deleted?.length && `deleted ${objects(b.deleted, name)}`].filter(Boolean).join(', '),
  ].join(' '),
  changes_missed: (b) => `changes after revision ${b.after} are not told`,
  reconciled: (b) => `${b.target}: ${flows(b)}${b.rev ? ` for revision ${b.rev}` : ''}${b.ms !== undefined ? ` in ${Math.round(b.ms)} ms` : ''}`,
  drift: (b) => `${b.target} had been altered by others, and was repaired: ${[altered('missing', b.missing), altered('altered', b.altered), altered('too much', b.foreign)].filter(Boolean).join('; ')}${b.more ? ` and ${b.more} more` : ''}`,
  reconcile_failed: (b) => `${b.target} could not be set right: ${b.cause}`,
  reconcile_recovered: (b) => `${b.target} is set right again${b.failed ? `, after ${b.failed} failed ${b.failed === 1 ? 'pass' : 'passes'}` : ''}`,
  mac_learned: (b) => `${b.mac} ${b.moved ? 'moved to' : 'was learned at'} ${b.via} of ${b.bridge}, VLAN ${b.vlan}`,
  mac_forgotten: (b) => `${b.mac} was forgotten by ${b.bridge}, VLAN ${b.vlan}${b.cause ? ` (${b.cause})` : ''}`,
  gap: () => 'events are missing here: they were lost, or the server was started anew',
};

/** What an event says. An unknown kind says what its body holds. */
export function sentence(e: Event, name: Name = byID): string {
  const say = SAY[e.kind];
  return say ? say(e.body ?? {}, e.host ?? '', name) : Object.entries(e.body ?? {}).map(([k, v]) => `${k} ${typeof v === 'object' ? JSON.stringify(v) : v}`).join(', ');
}

/** The objects that an event speaks of, as "port/ID". */
export function objectsOf(e: Event): string[] {
  const b = e.body ?? {};
  const out = [b.put, b.deleted].flat().filter((o): o is string => typeof o === 'string'); // deleted is a number in some kinds
  if (typeof b.port === 'string') out.push(`port/${b.port}`);
  if (typeof b.network === 'string' && b.network) out.push(`network/${b.network}`);
  if (typeof b.object === 'string' && b.object) out.push(b.object);
  return out;
}

/** The API's name of an object as the log writes it: the log knows kinds that the API spells otherwise. */
export function apiName(object: string): string {
  return object.toLowerCase().replace(/^floating[-_ ]?ip\//, 'floatingip/').replace(/^port[-_ ]?forwarding\//, 'portforwarding/');
}

/** Whether an object of the log is one that the API shows. */
export function shown(object: string): boolean {
  return /^(network|subnet|port|router|floatingip|portforwarding|host)\//.test(apiName(object));
}
