// Which view is shown is what the address says, so every view can be linked to and reloaded.
import { computed, signal } from '@preact/signals';

export const BASE = '/ui';

const address = signal(location.pathname + location.search);

/** Where we are: the parts of the path below /ui, decoded, and the query. */
export const route = computed(() => parseRoute(address.value));

export interface Route { parts: string[]; query: URLSearchParams }

export function parseRoute(path: string): Route {
  const [before, query] = path.split('?', 2);
  const below = before.startsWith(BASE) ? before.slice(BASE.length) : before;
  return { parts: below.split('/').filter(Boolean).map(decode), query: new URLSearchParams(query) };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a stray percent sign is itself
  }
}

/** The address of a view: to('objects', 'port', id). */
export function to(...parts: string[]): string {
  return [BASE, ...parts.map(encodeURIComponent)].join('/');
}

/** The address of an object as the API names it, "port/ID". */
export function toObject(name: string): string {
  const [kind, ...id] = name.split('/');
  return to('objects', kind, id.join('/'));
}

export function go(path: string, how: 'push' | 'replace' = 'push'): void {
  if (path === address.value) return;
  if (how === 'push') history.pushState(null, '', path);
  else history.replaceState(null, '', path);
  address.value = path;
}

/** Changes members of the query; an empty value removes one. */
export function setQuery(members: Record<string, string>, how: 'push' | 'replace' = 'replace'): void {
  const q = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(members)) {
    if (value) q.set(name, value);
    else q.delete(name);
  }
  const text = q.toString();
  go(location.pathname + (text ? `?${text}` : ''), how);
}

/** Makes links within the page change the view instead of loading it anew. */
export function start(): void {
  addEventListener('popstate', () => { address.value = location.pathname + location.search; });
  document.addEventListener('click', (e) => {
    const link = (e.target as Element).closest?.('a[href]') as HTMLAnchorElement | null;
    if (!link || e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey || link.target) return;
    const url = new URL(link.href, location.href);
    if (url.origin !== location.origin || !url.pathname.startsWith(BASE + '/')) return;
    e.preventDefault();
    if (url.pathname === location.pathname && url.search === location.search && url.hash) {
      document.getElementById(url.hash.slice(1))?.focus();
      return;
    }
    go(url.pathname + url.search);
  });
}
