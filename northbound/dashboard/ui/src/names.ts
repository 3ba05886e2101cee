// What networks and ports are called, for views that are told of ids alone.
import { short } from './format';
import { useDocument } from './live';
import type { ObjectSummary } from './types';

interface Objects { objects: ObjectSummary[] }

export interface Names {
  network: (id?: string) => string; port: (id?: string) => string;
  /** What an object, "port/ID", is called, with its kind. */
  object: (object: string) => string;
  networks: ObjectSummary[]; ports: ObjectSummary[];
}

export function useNames(): Names {
  const changed = { concerns: (e: { kind: string }) => e.kind === 'changed' };
  const networks = useDocument<Objects>('/v1/objects/network', changed).data?.objects ?? [];
  const ports = useDocument<Objects>('/v1/objects/port', changed).data?.objects ?? [];
  const by = (all: ObjectSummary[]) => {
    const names = new Map(all.map((o) => [o.id, o.name]));
    return (id = ''): string => names.get(id) || short(id);
  };
  const network = by(networks);
  const port = by(ports);
  const object = (o: string): string => {
    const [kind, id] = o.split('/');
    return `${kind} ${kind === 'port' ? port(id) : kind === 'network' ? network(id) : short(id)}`;
  };
  return { network, port, object, networks, ports };
}
