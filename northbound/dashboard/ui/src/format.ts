// Numbers, times and names as people read them.

const BYTES = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

export function bytes(n: number): string {
  let i = 0;
  while (n >= 999.5 && i < BYTES.length - 1) {
    n /= 1000;
    i++;
  }
  return `${i === 0 || n >= 99.95 ? Math.round(n) : n.toFixed(1)} ${BYTES[i]}`;
}

/** A rate in bits a second, of bytes a second. */
export function bits(bytesPerSecond: number): string {
  return bytes(bytesPerSecond * 8).replace('B', 'bit') + '/s';
}

export function count(n: number): string {
  return n.toLocaleString('en-US');
}

/** One thing or many: plural(1, 'flow') is "1 flow". */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** A duration in seconds, with its largest two units. */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

/** How long ago a time was. */
export function ago(time: string | undefined, now = Date.now()): string {
  const then = time ? Date.parse(time) : NaN;
  if (Number.isNaN(then)) return '';
  const s = (now - then) / 1000;
  return s < 1 ? 'just now' : `${duration(s)} ago`;
}

/** A time of day with milliseconds, of the browser's zone. */
export function clock(time: string): string {
  const t = new Date(time);
  if (Number.isNaN(t.getTime())) return '';
  const p = (n: number, width = 2): string => String(n).padStart(width, '0');
  return `${p(t.getHours())}:${p(t.getMinutes())}:${p(t.getSeconds())}.${p(t.getMilliseconds(), 3)}`;
}

/** The growth of a counter a second; undefined until it was read twice, and when it began anew. */
export function rate(now: number | undefined, before: number | undefined, milliseconds: number): number | undefined {
  if (now === undefined || before === undefined || milliseconds <= 0 || now < before) return undefined;
  return ((now - before) * 1000) / milliseconds;
}

/** The first part of an id, enough to tell ids apart at a glance. */
export function short(id: string): string {
  return /^[0-9a-f]{8}-/.test(id) ? id.slice(0, 8) : id;
}

/** What an object is called: its name, else a short form of its id. */
export function title(o: { name?: string; id: string }): string {
  return o.name || short(o.id);
}

/** What a port is called: its name, or what it is for. */
export function portTitle(p: { id: string; name: string; device_owner: string; ips: string[] }): string {
  if (p.name) return p.name;
  const use = { 'network:dhcp': 'DHCP', 'network:router_interface': 'router interface', 'network:router_gateway': 'router gateway', 'network:floatingip': 'floating IP' }[p.device_owner];
  return use ? `${use} ${p.ips[0] ?? short(p.id)}` : short(p.id);
}

/** A value of the API as text: strings as they are, the rest as JSON. */
export function value(v: unknown): string {
  if (v === undefined || v === null || v === '') return '—';
  return typeof v === 'string' ? v : JSON.stringify(v);
}

export interface Mark { text: string; hit: boolean }

/** Splits a text where a search finds something, whatever its case. */
export function marks(text: string, query: string): Mark[] {
  const q = query.trim().toLowerCase();
  if (!q) return [{ text, hit: false }];
  const out: Mark[] = [];
  const lower = text.toLowerCase();
  let from = 0;
  for (;;) {
    const at = lower.indexOf(q, from);
    if (at < 0) break;
    if (at > from) out.push({ text: text.slice(from, at), hit: false });
    out.push({ text: text.slice(at, at + q.length), hit: true });
    from = at + q.length;
  }
  if (from < text.length) out.push({ text: text.slice(from), hit: false });
  return out;
}

/** Whether all words of a query are in one of the texts. */
export function matches(query: string, ...texts: (string | undefined)[]): boolean {
  const all = texts.join(' ').toLowerCase();
  return query.toLowerCase().split(/\s+/).every((word) => all.includes(word));
}
