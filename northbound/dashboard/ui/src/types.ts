// What /v1 answers with; docs/api.md of the server says what each member means.

export interface Whoami { user: string; project_id: string; admin: boolean; auth: 'noauth' | 'token'; roles?: string[] }

export interface Status {
  version: string; started: string; revision: number;
  counts: { networks: number; subnets: number; ports: number; plugged: number; learned: number };
  ports: Record<string, number>;
  hosts: { total: number; up: number; down: string[]; behind: string[] };
  switches: { connected: number; unclaimed: number };
  drift: { repaired: number; failed_passes: number };
  events: { last: number };
}

export interface Problem { reason: string; message: string }
export interface Changed { request?: string; user?: string; at?: string; rev?: number }

export interface Tunnel {
  from: string; to: string; type: string; interface: string; local_ip?: string; remote_ip?: string;
  state: 'up' | 'down' | 'unknown'; reason?: string; message?: string; since?: string;
  rx_bytes?: number; tx_bytes?: number; rx_packets?: number; tx_packets?: number;
}
export interface TopoHost {
  name: string; connected: boolean; gateway: boolean; drained: boolean; encap_ip?: string;
  bridges: { name: string; dpid?: string; connected: boolean }[];
  agent?: { connected: boolean; seen?: string }; problems: Problem[]; ports: number; networks: number;
}
export interface TopoNetwork {
  id: string; name: string; project_id: string; type?: string; segment_id?: number; external: boolean; mtu: number;
  subnets: { id: string; name: string; cidr: string; gateway_ip?: string }[]; hosts: string[]; ports: number; status: string;
}
export interface Leg { port_id: string; network_id: string; ips: string[] }
export interface TopoRouter {
  id: string; name: string; project_id: string; host?: string; status: string; conditions_ok: boolean;
  interfaces: Leg[]; gateway?: Leg; floating_ips: number;
}
export interface TopoPort {
  id: string; name: string; network_id: string; host?: string; device_owner: string; mac: string; ips: string[]; status: string; reason?: string;
}
export interface Topology {
  revision: number; hosts: TopoHost[]; tunnels: Tunnel[]; networks: TopoNetwork[]; routers: TopoRouter[]; ports: TopoPort[]; ports_total: number; tunnels_total?: number;
}

export interface Switch { dpid: string; host?: string; bridge?: string; managed?: boolean; hint?: string; flows?: number; remote?: string }

export type FlowState = 'ok' | 'missing' | 'altered' | 'stale' | 'learned' | 'foreign';
export interface Flow {
  state: FlowState; table: number; table_name?: string; priority: number; cookie: string; text: string; match: string; actions: string;
  says?: string; wanted?: string; packets?: number; bytes?: number; age_seconds?: number; kind?: string;
  object?: string; object_name?: string; request?: string; user?: string;
}
export interface FlowTable { id: number; name: string; doc?: string; flows: number }
export interface Flows {
  dpid: string; host?: string; bridge?: string; summary: { total: number } & Record<FlowState, number>;
  tables: FlowTable[]; matched: number; offset: number; flows: Flow[];
}

/** A condition that does not hold may be unknown, or be a mere fact that is told (info). */
export interface Condition { type: string; ok: boolean; unknown?: boolean; info?: boolean; since?: string; host?: string; reason?: string; message?: string }
export interface ObjectSummary {
  kind: string; id: string; name: string; project_id?: string; status: string; ok: boolean; reason?: string; message?: string; host?: string; changed?: Changed;
}
export interface Effect { host: string; where: string; type: string; text: string; says?: string; state?: string; object?: string }
export interface Related { relation: string; kind: string; id: string; name: string }
export interface ObjectDetail extends ObjectSummary {
  conditions: Condition[]; related?: Related[]; effects?: Effect[]; unread?: { host: string; where: string; cause: string }[];
  attributes?: Record<string, unknown>;
}

export interface Event { id: number; time: string; kind: string; host?: string; body: Record<string, any> }

export interface Field { field: string; before?: unknown; after?: unknown }
export interface Change { op: 'create' | 'update' | 'delete'; object: string; name?: string; fields?: Field[] }
export interface HistoryEntry {
  rev: number; time: string; request?: string; user?: string; changes: Change[];
  followed?: { host: string; target: string; added: number; updated: number; deleted: number; ms?: number; time?: string }[];
}
export interface History { changes: HistoryEntry[]; first: number; last: number }

export interface Step {
  id: number; parent?: number | null; kind: string; host?: string; where?: string; table?: number; table_name?: string;
  text?: string; says?: string; object?: string; object_name?: string; packet?: string; changed?: string[]; reason?: string;
}
export interface Trace {
  verdict: 'delivered' | 'dropped' | 'flooded' | 'unknown'; reason?: string; message?: string; packet?: string; state?: string; rev?: number;
  delivered?: { port_id?: string; name?: string; host?: string; interface?: string }[]; steps: Step[]; reply?: Trace;
}

export interface Mac {
  source: string; host: string; bridge: string; network_id?: string; vlan?: number; mac: string; port?: number; interface?: string; port_id?: string; since?: string;
}
export interface Lease { network_id: string; port_id: string; mac: string; ip: string; hostname?: string; host?: string; expires?: string; state: string }
export interface Agent {
  host: string; connected: boolean; seen?: string; started?: string; namespaces: number; failed: number; pending?: number; drained: boolean; errors: Record<string, string>;
}
export interface Target { connected: boolean; rev?: number; confirmed_at?: string; error?: string }
export interface HostView {
  name: string; connected: boolean; revision: number; said: Record<string, unknown>; override: Record<string, unknown>; effective: Record<string, any>;
  targets: Record<string, Target>; problems: Problem[]; counts: { networks: number; ports: number };
  networks?: { id: string; name: string; type: string; segment_id: number; vlan: number; ports: number; pending?: string }[];
  ports?: { id: string; name: string; interface: string; status: string; since?: string }[];
}
export interface NamespaceLine { type: string; text: string; says?: string; object?: string; object_name?: string; request?: string; user?: string; rev?: number }
export interface Namespace {
  name: string; object?: string; object_name?: string; rev?: number; confirmed_rev?: number; error?: string; errors?: Record<string, string>; removing?: boolean;
  lines?: NamespaceLine[];
}
